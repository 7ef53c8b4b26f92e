"""Tells when the play head gets somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ._core import PlaybackBuffer

# Half a frame of 20 ms: what is told is at most that late.
POLL_S = 0.010


@dataclass(frozen=True, slots=True)
class _Mark:
    frame: int
    heard: bool
    reached: Callable[[], None]


class PlayHeadWatch:
    """Calls back when frames of a playback buffer were heard, or at least passed.

    The consumer may be any thread, so the head is looked at every 10 ms, and only while something waits
    for it.

    Args:
        playback: the buffer.
    """

    def __init__(self, playback: PlaybackBuffer) -> None:
        self._playback = playback
        self._marks: list[_Mark] = []
        self._task: asyncio.Task[None] | None = None

    def when_heard_beyond(self, frame: int, reached: Callable[[], None]) -> None:
        """Once more than `frame` frames were heard."""
        self._add(_Mark(frame + 1, True, reached))

    def when_passed(self, frame: int, reached: Callable[[], None]) -> None:
        """Once `frame` frames were heard or dropped."""
        self._add(_Mark(frame, False, reached))

    def reach(self) -> None:
        """Lets go all that wait: what they wait for was dropped."""
        marks, self._marks = self._marks, []
        for mark in marks:
            if not mark.heard:
                mark.reached()

    async def close(self) -> None:
        """Ends the watch."""
        self.reach()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _add(self, mark: _Mark) -> None:
        self._marks.append(mark)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(
                self._watch(), name="voicelane-play-head"
            )

    async def _watch(self) -> None:
        while self._marks:
            stats = self._playback.stats()
            heard = stats["played_frames"]
            passed = heard + stats["dropped_frames"]
            due = [mark for mark in self._marks if mark.frame <= (heard if mark.heard else passed)]
            self._marks = [mark for mark in self._marks if mark not in due]
            for mark in due:
                mark.reached()
            await asyncio.sleep(POLL_S)
