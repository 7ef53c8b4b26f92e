"""Tells when the play head gets somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from ._core import PlaybackBuffer

# Half a frame of 20 ms: what is told to come in real time is at most that late.
POLL_S = 0.010
# So late may be what comes sooner, where a consumer reads faster than real time.
_LONGEST_POLL_S = 0.100


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

    The consumer may be any thread, so the head is looked at: only while something waits for it, and not
    before a consumer in real time can have got there.

    Args:
        playback: the buffer.
        rate_hz: of the frames that are counted.
    """

    def __init__(self, playback: PlaybackBuffer, rate_hz: int) -> None:
        self._playback = playback
        self._rate_hz = rate_hz
        self._marks: list[_Mark] = []
        self._timer: asyncio.TimerHandle | None = None

    def when(self, progress: Progress, frame: int, reached: Callable[[], None]) -> None:
        """Calls `reached` once the count of that kind has got to `frame`."""
        self._marks.append(_Mark(progress, frame, reached))
        self._look_in(POLL_S)

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

    def close(self) -> None:
        """Ends the watch."""
        self.check()
        self._marks.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + delay_s
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due_s, self._look)

    def _look(self) -> None:
        self._timer = None
        self.check()
        if self._marks:
            reached = self.progress()
            self._look_in(min(self._time_to(mark, reached) for mark in self._marks))

    def _time_to(self, mark: _Mark, reached: Mapping[Progress, int]) -> float:
        if mark.progress is Progress.DROPPED:  # all at once, at the consumer's next read
            return POLL_S
        left_s = (mark.frame - reached[mark.progress]) / self._rate_hz
        return min(max(left_s, POLL_S), _LONGEST_POLL_S)
