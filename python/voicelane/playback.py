"""Frames at the pace of a speaker."""

from __future__ import annotations

import asyncio

from ._core import PlaybackBuffer

FRAME_MS = 20


class PlaybackTrack:
    """Paced 20 ms frames out of a `PlaybackBuffer`: silence where nothing is to be heard.

    The schedule is absolute on the loop's monotonic clock, so it does not drift; a caller that comes
    late gets its frames at once until it has caught up.
    """

    def __init__(self, playback: PlaybackBuffer) -> None:
        self.playback = playback
        self.frame_frames = playback.output_rate_hz * FRAME_MS // 1000
        self._started_s: float | None = None
        self._handed_out = 0

    async def recv(self) -> bytes:
        """The next 20 ms of s16le PCM, when they are due."""
        loop = asyncio.get_running_loop()
        if self._started_s is None:
            self._started_s = loop.time()
        due_s = self._started_s + self._handed_out * FRAME_MS / 1000
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        self._handed_out += 1
        return self.playback.read(self.frame_frames)

    def interrupt(self, *, fade_ms: int = 0) -> None:
        """Drops what was not yet heard."""
        self.playback.interrupt(fade_ms=fade_ms)
