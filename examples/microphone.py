"""Talk to the agent: your microphone, your speaker. Ctrl-C ends it. Use a headset, or it hears itself.

Needs ``pip install 'voicelane[microphone]'``. Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and
AZURE_VOICE_LIVE_API_KEY, or to the embedded simulator where there is none:

    python examples/microphone.py
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from shared import account, arguments, run, show
from voicelane import AzureVoiceLive

INPUT_RATE_HZ = 48_000


def sounddevice() -> Any:
    try:
        import sounddevice  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.exit("microphone.py needs sounddevice: pip install 'voicelane[microphone]'")
    except OSError as error:  # PortAudio, which Linux brings itself
        sys.exit(f"microphone.py needs PortAudio: apt-get install libportaudio2 ({error})")
    return sounddevice


async def main(input_device: int | None, output_device: int | None) -> None:
    devices, loop = sounddevice(), asyncio.get_running_loop()
    async with account() as where:
        model = AzureVoiceLive(
            model="gpt-realtime", input_sample_rate_hz=INPUT_RATE_HZ, input_channels=1, **where
        )
        model.on("realtime_model_transcription", show)
        model.on("error", print)

        # Both are called by threads of PortAudio.
        def captured(pcm: Any, _frames: int, _time: Any, _status: Any) -> None:
            asyncio.run_coroutine_threadsafe(model.handle_audio_input(bytes(pcm)), loop)

        def play(pcm: Any, _frames: int, _time: Any, _status: Any) -> None:
            model.playback.read_into(pcm)

        microphone = devices.RawInputStream(
            device=input_device,
            samplerate=INPUT_RATE_HZ,
            channels=1,
            dtype="int16",
            blocksize=INPUT_RATE_HZ // 50,
            callback=captured,
        )
        speaker = devices.RawOutputStream(
            device=output_device,
            samplerate=model.playback.output_rate_hz,
            channels=1,
            dtype="int16",
            callback=play,
        )
        # On barge-in the service is told what came out of the speaker, not what went into it.
        model.listener_lag_ms = lambda: 1000 * speaker.latency
        async with model:
            with microphone, speaker:
                print("Speak.", flush=True)
                if (lost := await model.wait_closed()) is not None:
                    raise lost


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--input-device", type=int, help="as `python -m sounddevice` lists them")
    parser.add_argument("--output-device", type=int, help="the same")
    args = parser.parse_args()
    run(main(args.input_device, args.output_device))
