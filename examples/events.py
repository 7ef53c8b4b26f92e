"""Everything that happens, as typed events in one loop, and the figures in the end.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/events.py
"""

from __future__ import annotations

import asyncio

from shared import account, arguments, listen, recording, run
from voicelane import AzureVoiceLive
from voicelane.events import AgentSpeechEnded, Closed, Error, ResponseDone, Transcription


async def speak(model: AzureVoiceLive) -> None:
    """The microphone, at five times its pace."""
    for pcm in recording():
        await model.handle_audio_input(pcm)
        await asyncio.sleep(0.004)
    while True:
        await model.handle_audio_input(bytes(3840))
        await asyncio.sleep(0.004)


async def follow(model: AzureVoiceLive) -> None:
    async for event in model.events():
        match event:
            case Transcription(role, text, is_final=True):
                print(f"{role}: {text}")
            case Transcription():
                pass  # what is known so far
            case ResponseDone(status=status, usage=usage):
                print(f"{status}, {usage['total_tokens'] if usage else 0} tokens")
            case AgentSpeechEnded() | Closed():
                print(type(event).__name__)
                break
            case Error(message):
                print(message)
            case _:
                print(type(event).__name__)


async def main() -> None:
    async with account() as where:
        model = AzureVoiceLive(model="gpt-realtime", **where)
        async with model:
            ends = [asyncio.create_task(speak(model)), asyncio.create_task(listen(model))]
            await follow(model)
            for task in ends:
                task.cancel()
            stats = model.stats()
            print(f"{stats['audio_sent_ms'] / 1000:.0f} s of audio sent, {stats['errors']} errors")
            print(f"first audio after {stats['first_audio']['p50_ms']:.0f} ms")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
