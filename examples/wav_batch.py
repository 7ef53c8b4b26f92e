"""Many WAV files through the agent, several at a time: what was asked, what it answered, how that sounds.

Needs ``pip install 'voicelane[cli]'``, for the bar. Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT
and AZURE_VOICE_LIVE_API_KEY, or to the embedded simulator where there is none:

    python examples/wav_batch.py examples/audio/*.wav --output answers
"""

from __future__ import annotations

import asyncio
import sys
import wave
from pathlib import Path
from typing import Any

from rich.progress import Progress

from shared import account, arguments, recording, run
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.errors import VoiceLiveError


async def answer(question: Path, output: Path, where: dict[str, Any]) -> str:
    """Asks a file's question, writes the answer to NAME-answer.wav. Returns its text.

    Raises:
        wave.Error, EOFError: the file is no PCM WAV file.
        VoiceLiveError: no answer.
    """
    with wave.open(str(question)) as file:
        rate_hz, num_channels = file.getframerate(), file.getnchannels()
    model = AzureVoiceLive(
        model="gpt-realtime",
        # A file ends where it ends: nobody has to listen for it.
        config=AzureVoiceLiveConfig(turn_detection=None),
        input_sample_rate_hz=rate_hz,
        input_channels=num_channels,
        **where,
    )
    heard = bytearray()
    async with model:
        for pcm in recording(question):
            await model.handle_audio_input(pcm)
            await model.flush_audio()  # at the network's pace
        reply = await model.commit_audio()
        while not reply.is_done:
            pcm, num_frames = model.playback.take(2_400)
            heard += pcm[: 2 * num_frames]
            await asyncio.sleep(0.01)
    with wave.open(str(output / f"{question.stem}-answer.wav"), "wb") as file:
        file.setparams((1, 2, model.playback.output_rate_hz, 0, "NONE", ""))
        file.writeframes(heard)
    return (await reply).text


async def main(questions: list[Path], output: Path, jobs: int) -> None:
    slots, num_failed = asyncio.Semaphore(jobs), 0
    with Progress() as progress:
        bar = progress.add_task("files", total=len(questions))
        async with account(audio_speed=50) as where, asyncio.TaskGroup() as group:

            async def one(question: Path) -> None:
                nonlocal num_failed
                async with slots:
                    try:
                        said = await answer(question, output, where)
                    except (VoiceLiveError, OSError, EOFError, wave.Error) as error:
                        num_failed += 1
                        said = f"{type(error).__name__}: {error}"
                progress.console.print(f"{question.name}: {said}", markup=False, highlight=False)
                progress.advance(bar)

            for question in questions:
                group.create_task(one(question))
    if num_failed:
        sys.exit(f"{num_failed} of {len(questions)} files have no answer")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("questions", nargs="+", type=Path, metavar="FILE.wav")
    parser.add_argument("--output", type=Path, default=Path("answers"), help="default: answers")
    parser.add_argument("--jobs", type=int, default=4, help="at a time (default: 4)")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    run(main(args.questions, args.output, args.jobs))
