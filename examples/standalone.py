"""The smallest conversation: speak a file to the agent, hear its answer.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/standalone.py
"""

from __future__ import annotations

import asyncio

from shared import account, arguments, recording, run
from voicelane import AzureVoiceLive, PlaybackTrack
from voicelane.events import TranscriptionPayload

SILENCE = bytes(960 * 4)  # 20 ms of 48 kHz stereo


async def main() -> None:
    async with account() as where:
        model = AzureVoiceLive(
            model="gpt-realtime", input_sample_rate_hz=48_000, input_channels=2, **where
        )
        answered = asyncio.Event()

        @model.on("realtime_model_transcription")
        def show(said: TranscriptionPayload) -> None:
            if said["is_final"]:
                print(f"{said['role']}: {said['text']}")

        model.on("response_done", answered.set)
        model.on("error", print)
        model.audio_track = PlaybackTrack(model.playback, frame_type="bytes")
        async with model:
            for pcm in recording():
                await model.handle_audio_input(pcm)
                await asyncio.sleep(0.02)
            while not answered.is_set():  # a microphone goes on in silence
                await model.handle_audio_input(SILENCE)
                await asyncio.sleep(0.02)

            heard = 0
            while not model.playback.is_idle:
                heard += len(await model.audio_track.recv()) // 2
        print(f"heard {heard / 24_000:.1f} s of the agent")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
