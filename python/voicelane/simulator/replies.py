"""What the simulator can say: a reply with its sound, or a call of a tool."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from os import PathLike
from typing import IO

from .formats import REPLY_RATE_HZ


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing to say.

    Attributes:
        text: The words, sent as the transcript.
        pcm: Their sound, 24 kHz mono signed 16-bit little-endian. Without it, a bundled phrase
            is heard in its place: the simulator cannot synthesise.
        delay_ms: How long the sound (without audio: the text) waits after `response.created`.
    """

    text: str
    pcm: bytes = b""
    delay_ms: int = 0

    @classmethod
    def from_wav(cls, path: str | PathLike[str], text: str, delay_ms: int = 0) -> Reply:
        """Read a reply from a 24 kHz mono 16-bit WAV file; ValueError if it is something else."""
        with open(path, "rb") as file:
            return cls(text, read_wav(file, str(path)), delay_ms)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A reply that calls one of the client's functions instead of speaking.

    Attributes:
        name: The function.
        arguments: Its arguments, as JSON text.
        delay_ms: How long the arguments wait after `response.created`.
    """

    name: str
    arguments: str = "{}"
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class McpCall:
    """A reply that has the service call a tool of one of the session's MCP servers.

    Where the server's `require_approval` says so, the client is asked first.

    Attributes:
        server_label: The server, as in the session's tools.
        name: The tool.
        arguments: Its arguments, as JSON text.
        output: What it returns.
        error: Why it failed, in place of an output.
        delay_ms: How long the arguments wait after `response.created`.
    """

    server_label: str
    name: str
    arguments: str = "{}"
    output: str = ""
    error: str | None = None
    delay_ms: int = 0


def read_wav(file: IO[bytes], name: str) -> bytes:
    """Return the samples of a WAV file in the format of `Reply.pcm`; ValueError names the file."""
    with wave.open(file) as wav:
        found = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth() * 8)
        if found != (REPLY_RATE_HZ, 1, 16):
            rate_hz, num_channels, bits = found
            raise ValueError(
                f"{name}: expected 24000 Hz, 1 channel, 16 bits, "
                f"but got {rate_hz} Hz, {num_channels} channels, {bits} bits"
            )
        return bytes(wav.readframes(wav.getnframes()))
