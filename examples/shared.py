"""What the examples share: whom they call, what stands for a microphone and a loudspeaker, how they end."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import wave
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientError, web

from voicelane import AzureVoiceLive
from voicelane.errors import VoiceLiveError
from voicelane.events import TranscriptionPayload
from voicelane.simulator import Simulator

AUDIO = Path(__file__).parent / "audio"
QUESTION = AUDIO / "question-48k-stereo.wav"


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The command line of an example, whose help is its docstring."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run(program: Coroutine[Any, Any, None]) -> None:
    """As `asyncio.run`; Ctrl-C and a fault end it in good order, without a traceback."""
    try:
        asyncio.run(program)
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell says it
    except (VoiceLiveError, ClientError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


@asynccontextmanager
async def account(**simulated: Any) -> AsyncIterator[dict[str, Any]]:
    """Whom to call: nothing where the environment names the service, else a simulator in this process."""
    if "AZURE_VOICE_LIVE_ENDPOINT" in os.environ:
        yield {}
        return
    async with Simulator(**simulated) as simulator:
        yield {"endpoint": simulator.endpoint, "api_key": simulator.api_key}


@asynccontextmanager
async def serving(
    app: web.Application, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serves an application; gives its URL."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def recording(path: Path = QUESTION) -> Iterator[bytes]:
    """What a microphone would give: 20 ms at a time."""
    with wave.open(str(path)) as file:
        while pcm := file.readframes(file.getframerate() // 50):
            yield pcm


def show(said: TranscriptionPayload) -> None:
    """Prints what was said, once it is all there."""
    if said["is_final"]:
        print(f"{said['role']}: {said['text']}", flush=True)


async def listen(model: AzureVoiceLive) -> None:
    """The loudspeaker: takes 20 ms when they are due."""
    while True:
        await model.audio_track.recv()
