"""Tells when the play head gets somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ._core import PlaybackBuffer

# Half a frame of 20 ms: what is told is at most that late.
POLL_S = 0.010


class Progress(Enum):
    """What is counted in frames."""

    HEARD = "heard"
    DROPPED = "dropped"
    # Heard, or given up by an interrupt: not waiting any more.
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class _Mark:
    progress: Progress
    frame: int
    reached: Callable[[], None]


class PlayHeadWatch:
    """Calls back when frames of a playback buffer were heard, dropped, or are at least over with.

    The consumer may be any thread, so the head is looked at every 10 ms, and only while something waits
    for it.

    Args:
        playback: the buffer.
    """

    def __init__(self, playback: PlaybackBuffer) -> None:
        self._playback = playback
        self._marks: list[_Mark] = []
        self._task: asyncio.Task[None] | None = None

    def when(self, progress: Progress, frame: int, reached: Callable[[], None]) -> None:
        """Calls `reached` once the count of that kind has got to `frame`."""
        self._marks.append(_Mark(progress, frame, reached))
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._watch(), name="voicelane-play-head")

    def progress(self) -> dict[Progress, int]:
        """Where the counts are now."""
        stats = self._playback.stats()
        return {
            Progress.HEARD: stats["played_frames"],
            Progress.DROPPED: stats["dropped_frames"],
            Progress.PASSED: stats["written_frames"] - stats["buffered_frames"],
        }

    def give_up(self, progress: Progress) -> None:
        """Forgets who waits for that: it will not come."""
        self._marks = [mark for mark in self._marks if mark.progress is not progress]

    def check(self) -> None:
        """Calls back whoever waits for something that has come by now."""
        reached = self.progress()
        due = [mark for mark in self._marks if mark.frame <= reached[mark.progress]]
        self._marks = [mark for mark in self._marks if mark not in due]
        for mark in due:
            mark.reached()

    async def close(self) -> None:
        """Ends the watch."""
        self.check()
        self._marks.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while self._marks:
            self.check()
            await asyncio.sleep(POLL_S)
