"""What a microphone gives and what the service takes, and the signals that are sent through."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from voicelane import PlaybackBuffer


@dataclass(frozen=True)
class Conversion:
    """From interleaved 16-bit PCM to base64 of mono PCM or G.711."""

    source_hz: int
    channels: int
    target_hz: int
    is_ulaw: bool = False

    @property
    def name(self) -> str:
        """As it stands in tables: ``48k stereo -> 24k``."""
        layout = "stereo" if self.channels == 2 else "mono"
        law = " u-law" if self.is_ulaw else ""
        return f"{self.source_hz / 1000:g}k {layout} -> {self.target_hz / 1000:g}k{law}"

    def frames_of(self, milliseconds: float) -> int:
        """Input frames of that time."""
        return round(self.source_hz * milliseconds / 1000)

    def pcm_of(self, samples: Sequence[float]) -> bytes:
        """Mono samples as the input: rounded, in each channel."""
        rounded = array("h", map(round, samples))
        frames = array("h", bytes(2 * self.channels * len(rounded)))
        for channel in range(self.channels):
            frames[channel :: self.channels] = rounded
        return frames.tobytes()

    def samples_of(self, text: str) -> array[int]:
        """The samples in what came out."""
        words = base64.b64decode(text)
        if self.is_ulaw:
            buffer = PlaybackBuffer(self.target_hz, encoding="g711_ulaw")
            words = buffer.read(buffer.write_base64(text))
        return array("h", words)


TELEPHONE_BAND = Conversion(48_000, 2, 8_000, is_ulaw=True)
ROOM = Conversion(48_000, 2, 24_000)
"""What a WebRTC room gives to the service: the one that is looked at most."""
CONVERSIONS = (
    ROOM,
    Conversion(48_000, 1, 16_000),
    TELEPHONE_BAND,
    Conversion(44_100, 1, 24_000),
    Conversion(16_000, 1, 24_000),
)
CHUNKS_MS = (10, 20, 60, 100)
BY_NAME = {conversion.name: conversion for conversion in CONVERSIONS}


def tone(frequency_hz: float, rate_hz: int, seconds: float, amplitude: float) -> list[float]:
    """A sine."""
    step = 2 * math.pi * frequency_hz / rate_hz
    return [amplitude * math.sin(step * n) for n in range(round(rate_hz * seconds))]


@cache
def tone_pcm(
    conversion: Conversion, frequency_hz: float, seconds: float, amplitude: float
) -> bytes:
    """The same as the input of a conversion; every library is given it."""
    return conversion.pcm_of(tone(frequency_hz, conversion.source_hz, seconds, amplitude))


def chunks(conversion: Conversion, pcm: bytes, chunk_frames: int) -> list[bytes]:
    """Whole calls of that many frames."""
    size = 2 * conversion.channels * chunk_frames
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
