"""What the tests of the command line share: `voicelane` as a process, and audio for it."""

from __future__ import annotations

import asyncio
import re
import signal
import struct
import sys
import wave
from array import array
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from support import TIMEOUT_S, environment
from voicelane.simulator.responder import Voice

RUN_TIMEOUT_S = 3 * TIMEOUT_S  # it is started, too, and several at once may be
API_KEY = "a-secret-that-no-output-shows"
REPLIES = tuple(reply.pcm for reply in Voice().bundled)
CONTROL_CODES = re.compile(r"[^\n\x20-\x7e]")


@dataclass
class Ended:
    """How a run ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The one line on stderr."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, f"expected one line on stderr, got {self.stderr!r}"
        assert lines[0].startswith("voicelane: ")
        return lines[0].removeprefix("voicelane: ")


class Run:
    """A process of `voicelane`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._seen = ""

    async def line_with(self, text: str) -> str:
        """Reads stdout up to the line that holds `text`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(RUN_TIMEOUT_S):
            while line := (await self.process.stdout.readline()).decode():
                self._seen += line
                if text in line:
                    return line.rstrip("\n")
        raise AssertionError(f"expected {text!r} on stdout, got {self._seen!r}")

    async def end(self) -> Ended:
        """Waits for the end; no output ever holds the key, nor a control code."""
        async with asyncio.timeout(RUN_TIMEOUT_S):
            stdout, stderr = await self.process.communicate()
        ended = Ended(self.process.returncode or 0, self._seen + stdout.decode(), stderr.decode())
        for output in (ended.stdout, ended.stderr):
            assert API_KEY not in output
            assert "Traceback" not in output, output
            assert not CONTROL_CODES.search(output), f"control codes in {output!r}"
        return ended


def started(
    *args: object, in_background: bool = False, **variables: str
) -> AbstractAsyncContextManager[Run]:
    """Starts `voicelane ARGS`; it does not outlive the block."""
    command = (sys.executable, "-m", "voicelane", *args)
    return running(*command, in_background=in_background, **variables)


@asynccontextmanager
async def running(
    *command: object, in_background: bool = False, **variables: str
) -> AsyncIterator[Run]:
    """Starts a program; it does not outlive the block.

    A shell's background jobs ignore SIGINT, and so do their children; these tests may be one.
    """
    sigint = signal.SIG_IGN if in_background else signal.SIG_DFL
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**variables),
        preexec_fn=lambda: signal.signal(signal.SIGINT, sigint),
    )
    try:
        yield Run(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def voicelane(*args: object, **variables: str) -> Ended:
    """Runs `voicelane ARGS` to its end."""
    async with started(*args, **variables) as run:
        return await run.end()


def calling(endpoint: str, api_key: str = API_KEY) -> dict[str, str]:
    """The environment that has `voicelane talk` call `endpoint`."""
    return {"AZURE_VOICE_LIVE_ENDPOINT": endpoint, "AZURE_VOICE_LIVE_API_KEY": api_key}


def speech(duration_s: float = 0.0, *, reply: int = 2) -> bytes:
    """24 kHz mono PCM of somebody who speaks, from the start of the speech."""
    pcm = REPLIES[reply]
    return pcm[: round(duration_s * 24_000) * 2] if duration_s else pcm


def write_wav(path: Path, pcm: bytes, rate_hz: int = 24_000, num_channels: int = 1) -> Path:
    """Writes 16-bit PCM as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((num_channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


def wav_bytes(num_channels: int, num_frames: int, rate_hz: int = 24_000) -> bytes:
    """A WAV file with any header one likes, also a wrong one."""
    frame_bytes = 2 * num_channels
    data = bytes(num_frames * (frame_bytes or 2))
    head = struct.pack("<HHIIHH", 1, num_channels, rate_hz, rate_hz * frame_bytes, frame_bytes, 16)
    chunks = b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def read_reply(path: Path) -> bytes:
    """The PCM of a reply file, which is 24 kHz mono 16-bit."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return file.readframes(file.getnframes())


def names_in(folder: Path, pattern: str) -> list[str]:
    """The names of the files that match."""
    return [path.name for path in folder.glob(pattern)]


def interleaved(pcm: bytes, num_channels: int) -> bytes:
    """Mono PCM on each of several channels."""
    samples = array("h", pcm)
    frames = array("h", bytes(len(pcm) * num_channels))
    for channel in range(num_channels):
        frames[channel::num_channels] = samples
    return frames.tobytes()
