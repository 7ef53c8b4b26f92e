"""Push-to-talk: a button says when the user's turn begins and ends, not the service.

    python examples/push_to_talk.py

Runs against the embedded simulator. For the service leave ``endpoint`` and ``api_key`` away and set
AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY.
"""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.events import AgentSpeechEnded, Error, Event, Transcription
from voicelane.simulator import Simulator

QUESTION = Path(__file__).parent / "audio" / "question-48k-stereo.wav"


async def speak(model: AzureVoiceLive, seconds: float) -> None:
    """The microphone, while the button is down."""
    with wave.open(str(QUESTION)) as file:
        for _ in range(int(seconds / 0.02)):
            await model.handle_audio_input(file.readframes(960))  # 20 ms
            await asyncio.sleep(0.002)  # ten times as fast as a microphone


async def listen(model: AzureVoiceLive) -> None:
    """The loudspeaker."""
    while True:
        await model.audio_track.recv()


def show(event: Event) -> None:
    match event:
        case Transcription(role, text, is_final=True):
            print(f"{role}: {text}")
        case Error(message):
            print(message)


async def main() -> None:
    config = AzureVoiceLiveConfig(turn_detection=None)
    async with Simulator() as simulator:
        model = AzureVoiceLive(
            model="gpt-realtime",
            config=config,
            endpoint=simulator.endpoint,
            api_key=simulator.api_key,
        )
        events = model.events()
        async with model:
            loudspeaker = asyncio.create_task(listen(model))
            print("[button] down, and a second thought")
            await speak(model, seconds=1)
            await model.clear_audio()
            print("[button] down")
            await speak(model, seconds=3)
            await model.commit_audio()
            print("[button] up")
            async for event in events:
                show(event)
                if isinstance(event, AgentSpeechEnded):  # heard to its end
                    break
            loudspeaker.cancel()


if __name__ == "__main__":
    asyncio.run(main())
