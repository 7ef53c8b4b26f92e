"""What is being heard: tells when the agent begins and ends to be, and how long that took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ._core import PlaybackBuffer
from .actions import Interrupted
from .metrics import Metrics
from .play_head import PlayHeadWatch, Progress

# Long enough for no click, short enough for nobody to wait for it.
INTERRUPT_FADE_MS = 20


class Playout:
    """The agent's speech between the buffer and the listener.

    Args:
        playback: the buffer.
        rate_hz: of what is written to it.
        metrics: takes the latencies.
        emit: tells the handlers.
    """

    def __init__(
        self,
        playback: PlaybackBuffer,
        rate_hz: int,
        metrics: Metrics,
        emit: Callable[[str, Any], None],
    ) -> None:
        self.agent_is_heard = False
        self._rate_hz = rate_hz
        self._metrics = metrics
        self._emit = emit
        self.play_through(playback)

    def play_through(self, playback: PlaybackBuffer) -> None:
        """This buffer takes what is said from now on. While a session is connected it stays the same."""
        self.playback = playback
        self._head = PlayHeadWatch(playback, self._rate_hz)

    def user_speech_ended(self) -> None:
        """The user waits for an answer from now on."""
        now_s = time.monotonic()
        self._metrics.first_audio.start(now_s)
        self._metrics.first_heard.start(now_s)

    def begins(self, start_frame: int) -> None:
        """The first audio of an answer is in the buffer, and perhaps more: written behind so many frames."""
        self._metrics.first_audio.stop(time.monotonic())
        stats = self.playback.stats()
        since = stats["written_frames"] - start_frame
        before = stats["played_frames"] + stats["buffered_frames"] - since
        self._head.when(Progress.HEARD, before + 1, self._started)

    def is_complete(self, *, is_declared: bool) -> None:
        """The last audio of an answer is in the buffer, which knows that or is told now."""
        if not is_declared:
            self.playback.finish()
        self.when_passed(self._ended)

    def when_passed(self, reached: Callable[[], None]) -> None:
        """Calls back once everything that is in the buffer now was heard, or dropped."""
        self._head.when(Progress.PASSED, self.playback.stats()["written_frames"], reached)

    def interrupt(self, done: Interrupted | None = None) -> None:
        """Drops what was not heard yet, unless that was done."""
        if done is not None:
            unheard, dropped = done.unheard_frames > 0, done.dropped_before_frames
        else:
            unheard = self.playback.buffered_ms > 0
            dropped = self._head.progress()[Progress.DROPPED]
        if unheard:
            self._metrics.silence.start(time.monotonic())
            self._head.when(Progress.DROPPED, dropped + 1, self._silent)
        if done is None:
            self.playback.interrupt(fade_ms=INTERRUPT_FADE_MS)
        self._head.give_up(Progress.HEARD)
        self._head.check()
        self._ended()

    def close(self) -> None:
        """Drops everything and ends the watch."""
        self.playback.clear()
        self._head.close()
        self._ended()

    def _silent(self) -> None:
        self._metrics.silence.stop(time.monotonic())

    def _started(self) -> None:
        self._metrics.first_heard.stop(time.monotonic())
        if not self.agent_is_heard:
            self.agent_is_heard = True
            self._emit("agent_speech_started", {})

    def _ended(self) -> None:
        if self.agent_is_heard:
            self.agent_is_heard = False
            self._emit("agent_speech_ended", {})
