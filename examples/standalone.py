"""A session without VideoSDK: speak a file to the agent, hear its answer.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/standalone.py
"""

from __future__ import annotations

import asyncio
import os
import wave
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from voicelane import AzureVoiceLive, PlaybackTrack
from voicelane.simulator import Simulator

QUESTION = Path(__file__).parent / "audio" / "question-48k-stereo.wav"
CHUNK_FRAMES = 960  # 20 ms at 48 kHz


async def main() -> None:
    async with AsyncExitStack() as stack:
        where: dict[str, Any] = {}
        if "AZURE_VOICE_LIVE_ENDPOINT" not in os.environ:
            simulator = await stack.enter_async_context(Simulator())
            where = {"endpoint": simulator.endpoint, "api_key": simulator.api_key}

        model = AzureVoiceLive(
            model="gpt-realtime", input_sample_rate_hz=48_000, input_channels=2, **where
        )
        answered = asyncio.Event()

        @model.on("realtime_model_transcription")
        def show(said: dict[str, Any]) -> None:
            if said["is_final"]:
                print(f"{said['role']}: {said['text']}")

        model.on("response_done", answered.set)
        model.on("error", print)

        model.audio_track = PlaybackTrack(model.playback, frame_type="bytes")
        await stack.enter_async_context(model)
        with wave.open(str(QUESTION)) as file:
            while pcm := file.readframes(CHUNK_FRAMES):
                await model.handle_audio_input(pcm)
                await asyncio.sleep(0.02)
        while not answered.is_set():  # a microphone goes on in silence
            await model.handle_audio_input(bytes(CHUNK_FRAMES * 4))
            await asyncio.sleep(0.02)

        heard = 0
        while not model.playback.is_idle:
            heard += len(await model.audio_track.recv()) // 2
        print(f"heard {heard / 24_000:.1f} s of the agent")


if __name__ == "__main__":
    asyncio.run(main())
