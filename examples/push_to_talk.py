"""Push-to-talk: a button says when the user's turn begins and ends, not the service.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/push_to_talk.py
"""

from __future__ import annotations

import asyncio
from itertools import islice

from shared import account, arguments, listen, recording, run, show
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig


async def speak(model: AzureVoiceLive, seconds: float) -> None:
    """The microphone, while the button is down."""
    for pcm in islice(recording(), int(seconds / 0.02)):
        await model.handle_audio_input(pcm)
        await asyncio.sleep(0.002)  # ten times as fast as a microphone


async def main() -> None:
    async with account() as where:
        config = AzureVoiceLiveConfig(turn_detection=None)
        model = AzureVoiceLive(model="gpt-realtime", config=config, **where)
        model.on("realtime_model_transcription", show)
        model.on("error", print)
        async with model:
            loudspeaker = asyncio.create_task(listen(model))
            print("[button] down, and a second thought")
            await speak(model, seconds=1)
            await model.clear_audio()
            print("[button] down")
            await speak(model, seconds=3)
            reply = await model.commit_audio()
            print("[button] up")
            await reply  # heard to its end
            loudspeaker.cancel()


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
