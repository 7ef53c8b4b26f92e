"""Which format the frames of one caller have: nothing in them says so."""

from __future__ import annotations

import importlib
import importlib.util

AudioFormat = tuple[int, int]  # frames per second, channels

DEFAULT: AudioFormat = (48_000, 2)

# Bytes of 20 ms of s16, as the host's codecs give them: Opus, G.722, G.711; mono consoles.
_BYTES_OF_20_MS: dict[int, AudioFormat] = {
    3840: (48_000, 2),
    1920: (48_000, 1),
    960: (24_000, 1),
    640: (16_000, 1),
    320: (8_000, 1),
}
# A frame of another size may be the odd one of a stream of any size.
_FRAMES_TO_BELIEVE = 3


class LearnedFormat:
    """Learns the format from the sizes of the frames; knows what it is told where it is told."""

    def __init__(self, sample_rate_hz: int | None = None, channels: int | None = None) -> None:
        self._is_given = sample_rate_hz is not None or channels is not None
        self.format = (sample_rate_hz or DEFAULT[0], channels or (1 if sample_rate_hz else 2))
        self._is_known = self._is_given
        self._other: AudioFormat | None = None
        self._others_in_a_row = 0

    def take(self, num_bytes: int) -> AudioFormat:
        """The format of the next frame, from its size and the ones before."""
        if self._is_given:
            return self.format
        seen = _BYTES_OF_20_MS.get(num_bytes)
        if not self._is_known:
            self._is_known = True
            self.format = seen or _of_the_process() or DEFAULT
            return self.format
        if seen is None or seen == self.format:
            self._others_in_a_row = 0
            return self.format
        self._others_in_a_row = self._others_in_a_row + 1 if seen == self._other else 1
        self._other = seen
        if self._others_in_a_row >= _FRAMES_TO_BELIEVE:
            self.format, self._others_in_a_row = seen, 0
        return self.format


def _of_the_process() -> AudioFormat | None:
    """What the host of 1.x saw last, of any caller of this process."""
    if importlib.util.find_spec("videosdk.agents.audio_format") is None:
        return None
    rate, channels = importlib.import_module("videosdk.agents.audio_format").get()
    return (rate, channels) if rate and channels else None
