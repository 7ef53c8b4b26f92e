"""Sends the audio of all calls, at the pace of a speaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..pacer import Pacer

TICK_S = 0.020


class Paced(Protocol):
    """What is looked after every 20 ms. It must not raise."""

    def tick(self, now_s: float) -> None: ...


class Pump:
    """One task for all calls, which runs while there are any.

    Args:
        late: is told how late each turn was, in seconds.
    """

    def __init__(self, late: Callable[[float], None]) -> None:
        self._late = late
        self._calls: dict[Paced, None] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, call: Paced) -> None:
        """Looks after this call from now on."""
        self._calls[call] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="voicelane-gateway-pump")

    def remove(self, call: Paced) -> None:
        """Does so no more."""
        self._calls.pop(call, None)
        if not self._calls and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        pacer = Pacer.of_running_loop()
        due_s = pacer.time()
        while True:
            now_s = await pacer.sleep_until(due_s)
            self._late(now_s - due_s)
            for call in tuple(self._calls):
                call.tick(now_s)
            # What was missed is made up by the next tick: calls go by the clock.
            due_s = max(due_s + TICK_S, pacer.time())
