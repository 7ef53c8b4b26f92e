"""A clock of the test's own for the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest


class Clock:
    """The running loop's clock: it stands still, but jumps to the next timer when the loop would wait for it.

    Attributes:
        now_s: what it shows; a test may put it forward.
        timers: those that were ever set by `call_at`.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop: Any = asyncio.get_running_loop()
        self.now_s = 100.0
        self.timers: list[asyncio.TimerHandle] = []
        select, call_at = loop._selector.select, loop.call_at

        def jump(timeout_s: float | None) -> Any:
            if timeout_s:
                self.now_s += timeout_s
                timeout_s = 0
            return select(timeout_s)

        def note(*arguments: Any, **settings: Any) -> asyncio.TimerHandle:
            self.timers.append(call_at(*arguments, **settings))
            return self.timers[-1]

        monkeypatch.setattr(loop, "time", lambda: self.now_s)
        monkeypatch.setattr(loop, "call_at", note)
        monkeypatch.setattr(loop._selector, "select", jump)

    def pending_s(self) -> list[float]:
        """When the timers that are still set will ring."""
        return [timer.when() for timer in self.timers if timer._scheduled and not timer.cancelled()]  # type: ignore[attr-defined]
