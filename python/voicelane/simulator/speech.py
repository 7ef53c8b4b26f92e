"""The incoming audio: decoding it to samples, and finding speech in it by its energy.

Time is audio time, counted from the first sample of the session: how the audio is cut into
appends, and when they arrive, changes nothing.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from operator import mul

WINDOW_MS = 20
_GAP_MS = 100  # a closed "t" or "p" is silent for up to this long in the middle of a word
_ANALYSIS_RATE_HZ = 8000


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """When speech begins and ends.

    Attributes:
        threshold: 0 to 1; 0 is -60 dBFS, 0.5 is -40 dBFS, 1 is -20 dBFS.
        prefix_padding_ms: Audio before the speech that belongs to the turn.
        silence_duration_ms: Silence that ends the turn.
        speech_duration_ms: Speech that begins one.
    """

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    speech_duration_ms: int = 200

    @property
    def threshold_power(self) -> float:
        """The threshold as a mean square of 16-bit samples."""
        threshold_dbfs = -60 + 40 * self.threshold
        return float(32768**2 * 10 ** (threshold_dbfs / 10))


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began; `audio_start_ms` includes the prefix padding."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Speech ended; `audio_end_ms` includes the silence that told so."""

    audio_end_ms: int


SpeechEdge = SpeechStarted | SpeechStopped


class SpeechDetector:
    """Cuts audio of one sample rate into turns: energy above a threshold, with hangover.

    It knows no noise floor: a room louder than the threshold is speech to it.

    Args:
        sample_rate_hz: The rate of what `feed` gets; a multiple of 8000.
        settings: When speech begins and ends; may be replaced at any time.
    """

    def __init__(self, sample_rate_hz: int, settings: TurnSettings) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.settings = settings
        self._window_frames = sample_rate_hz * WINDOW_MS // 1000
        # Energy survives decimation without a filter (what aliases is still energy).
        self._stride = sample_rate_hz // _ANALYSIS_RATE_HZ
        self._pending = array("h")
        self.restart(0)

    def restart(self, position_frames: int) -> None:
        """Forget the turn; the next sample is number `position_frames`, a turn may begin there."""
        del self._pending[:]
        self._origin_frames = position_frames
        self._window_start_frames = position_frames
        self._onset_ms = 0
        self._voiced_ms = 0
        self._silent_ms = 0
        self.in_speech = False

    def feed(self, samples: array[int]) -> list[SpeechEdge]:
        """Take samples and return where speech began and ended in them, in order."""
        edges: list[SpeechEdge] = []
        self._pending.extend(samples)
        num_windows = len(self._pending) // self._window_frames
        threshold_power = self.settings.threshold_power
        for index in range(num_windows):
            start = index * self._window_frames
            window = self._pending[start : start + self._window_frames : self._stride]
            edge = self._take_window(_ac_power(window) >= threshold_power)
            if edge is not None:
                edges.append(edge)
        del self._pending[: num_windows * self._window_frames]
        return edges

    def _ms(self, position_frames: int) -> int:
        return position_frames * 1000 // self.sample_rate_hz

    def _take_window(self, voiced: bool) -> SpeechEdge | None:
        start_ms = self._ms(self._window_start_frames)
        self._window_start_frames += self._window_frames
        self._silent_ms = 0 if voiced else self._silent_ms + WINDOW_MS
        if self.in_speech:
            return self._end_of_speech()
        return self._start_of_speech(voiced, start_ms)

    def _start_of_speech(self, voiced: bool, start_ms: int) -> SpeechStarted | None:
        if not voiced:
            if self._silent_ms > _GAP_MS:
                self._voiced_ms = 0
            return None
        if self._voiced_ms == 0:
            self._onset_ms = start_ms
        self._voiced_ms += WINDOW_MS
        if self._voiced_ms < self.settings.speech_duration_ms:
            return None
        self.in_speech = True
        padded_ms = self._onset_ms - self.settings.prefix_padding_ms
        return SpeechStarted(max(padded_ms, self._ms(self._origin_frames)))

    def _end_of_speech(self) -> SpeechStopped | None:
        if self._silent_ms < self.settings.silence_duration_ms or self._silent_ms == 0:
            return None
        self.in_speech = False
        self._voiced_ms = 0
        self._origin_frames = self._window_start_frames
        return SpeechStopped(self._ms(self._window_start_frames))


def _ac_power(samples: array[int]) -> float:
    """The mean square without the offset that cheap microphones have."""
    count = len(samples)
    mean = sum(samples) / count
    mean_square: float = sum(map(mul, samples, samples)) / count
    return mean_square - mean * mean


def pcm16_samples(pcm: bytes) -> array[int]:
    """Return the samples of 16-bit little-endian PCM of whole samples."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _ulaw_sample(code: int) -> int:
    """ITU-T G.711 mu-law, 14-bit range scaled to 16."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return 0x84 - magnitude if code & 0x80 else magnitude - 0x84


def _alaw_sample(code: int) -> int:
    """ITU-T G.711 A-law, 13-bit range scaled to 16."""
    code ^= 0x55
    exponent = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + 8
    if exponent:
        magnitude = (magnitude + 0x100) << (exponent - 1)
    return magnitude if code & 0x80 else -magnitude


_ULAW = tuple(map(_ulaw_sample, range(256)))
_ALAW = tuple(map(_alaw_sample, range(256)))


def ulaw_samples(encoded: bytes) -> array[int]:
    """Return the samples of G.711 mu-law bytes."""
    return array("h", map(_ULAW.__getitem__, encoded))


def alaw_samples(encoded: bytes) -> array[int]:
    """Return the samples of G.711 A-law bytes."""
    return array("h", map(_ALAW.__getitem__, encoded))


DECODERS: dict[str, Callable[[bytes], array[int]]] = {
    "pcm16": pcm16_samples,
    "g711_ulaw": ulaw_samples,
    "g711_alaw": alaw_samples,
}
