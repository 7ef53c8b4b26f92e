"""What the simulator says and claims to have heard; it neither understands nor synthesises."""

from __future__ import annotations

import base64
import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from os import PathLike
from typing import IO

from .formats import OUTPUT_FORMATS, REPLY_RATE_HZ


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing to say.

    Attributes:
        text: The words, sent as the transcript.
        pcm: Their sound, 24 kHz mono signed 16-bit little-endian. Without it, a bundled phrase
            is heard in its place: the simulator cannot synthesise.
    """

    text: str
    pcm: bytes = b""

    @classmethod
    def from_wav(cls, path: str | PathLike[str], text: str) -> Reply:
        """Read a reply from a 24 kHz mono 16-bit WAV file; ValueError if it is something else."""
        with open(path, "rb") as file:
            return cls(text, _read_wav(file, str(path)))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A reply that calls one of the client's functions instead of speaking.

    Attributes:
        name: The function.
        arguments: Its arguments, as JSON text.
    """

    name: str
    arguments: str = "{}"


class Voice:
    """The bundled replies, and reply audio cut into deltas once for all connections.

    Args:
        delta_ms: How much audio one `response.audio.delta` carries.
    """

    def __init__(self, delta_ms: int = 100) -> None:
        self.delta_ms = delta_ms
        self.bundled = _bundled_replies()
        # As many as there are recordings and formats.
        self._deltas: dict[tuple[bytes, str], tuple[str, ...]] = {}

    def deltas(self, pcm: bytes, output_format: str) -> tuple[str, ...]:
        """Return the base64 texts of `pcm`, `delta_ms` each, the last one the rest."""
        key = (pcm, output_format)
        if key not in self._deltas:
            chosen = OUTPUT_FORMATS[output_format]
            audio = chosen.encoded(pcm)
            step = self.delta_ms * chosen.bytes_per_ms
            chunks = (audio[start : start + step] for start in range(0, len(audio), step))
            self._deltas[key] = tuple(base64.b64encode(chunk).decode() for chunk in chunks)
        return self._deltas[key]


class Responder:
    """Decides what one session says next, and what its user is told to have said.

    Args:
        voice: Where the sound comes from.
        replies: Said in turn, over and over; by default the bundled ones.
        user_transcripts: Given in turn as what the user said; after them, and by default, an
            honest text such as "[2.4 s of speech]".
    """

    def __init__(
        self,
        voice: Voice,
        replies: Sequence[Reply | ToolCall] | None = None,
        user_transcripts: Sequence[str] | None = None,
    ) -> None:
        self.voice = voice
        self._replies = tuple(replies or voice.bundled)
        self._user_transcripts = iter(tuple(user_transcripts or ()))
        self._num_replies = 0

    def next_reply(self) -> Reply | ToolCall:
        """Return what to say next."""
        reply = self._replies[self._num_replies % len(self._replies)]
        if isinstance(reply, Reply):
            return self.say(reply)
        self._num_replies += 1
        return reply

    def say(self, reply: Reply) -> Reply:
        """Return `reply`, with the sound of a bundled phrase if it has none; counts as one said."""
        index = self._num_replies
        self._num_replies += 1
        if reply.pcm:
            return reply
        return Reply(reply.text, self.voice.bundled[index % len(self.voice.bundled)].pcm)

    def user_transcript(self, audio_ms: int) -> str:
        """Return what the user said in a turn of `audio_ms`."""
        return next(self._user_transcripts, f"[{audio_ms / 1000:.1f} s of speech]")


def _bundled_replies() -> tuple[Reply, ...]:
    folder = files("voicelane.simulator") / "voice"
    entries = json.loads((folder / "replies.json").read_text(encoding="utf-8"))
    return tuple(Reply(entry["text"], _bundled_pcm(folder / entry["file"])) for entry in entries)


def _bundled_pcm(path: Traversable) -> bytes:
    with path.open("rb") as file:
        return _read_wav(file, path.name)


def _read_wav(file: IO[bytes], name: str) -> bytes:
    with wave.open(file) as wav:
        found = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth() * 8)
        if found != (REPLY_RATE_HZ, 1, 16):
            rate_hz, num_channels, bits = found
            raise ValueError(
                f"{name}: expected 24000 Hz, 1 channel, 16 bits, "
                f"but got {rate_hz} Hz, {num_channels} channels, {bits} bits"
            )
        return bytes(wav.readframes(wav.getnframes()))
