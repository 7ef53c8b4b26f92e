"""One timer for all who wait on an event loop."""

from __future__ import annotations

import asyncio
from math import ceil
from weakref import WeakKeyDictionary, ref

# The timers of asyncio and libuv are of whole milliseconds as well: to be put together with the others of
# one makes nobody later.
_TICKS_PER_S = 1_000
# As much as rounding may add to a moment, which must not cost a tick.
_ROUNDING_S = 1e-7


class Pacer:
    """Wakes those who wait on one event loop when they are due, with one timer for all.

    The timer stands for the earliest of them and is gone when nobody waits. A pacer belongs to its loop's
    thread.

    Attributes:
        loop: the event loop.
        time: its clock, in seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.time = loop.time
        # Those who wait for a tick, as an ordered set. Whose frames last 20 ms wait for 21 ticks at most.
        self._waiting: dict[int, dict[asyncio.Future[float], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_tick = 0

    @classmethod
    def of_running_loop(cls) -> Pacer:
        """The running loop's pacer: one, as long as anybody holds it."""
        loop = asyncio.get_running_loop()
        held = _pacers.get(loop)
        pacer = held() if held is not None else None
        if pacer is None:
            pacer = cls(loop)
            _pacers[loop] = ref(pacer)
        return pacer

    async def sleep_until(self, due_s: float) -> float:
        """Sleeps until `due_s` on the loop's clock, and less than a millisecond longer.

        Returns:
            The time of waking.
        """
        tick = ceil((due_s - _ROUNDING_S) * _TICKS_PER_S)
        turn: asyncio.Future[float] = self.loop.create_future()
        waiting = self._waiting.get(tick)
        if waiting is None:
            waiting = self._waiting[tick] = {}
            if self._timer is None or tick < self._timer_tick:
                self._set_timer(tick)
        waiting[turn] = None
        try:
            now_s = await turn
        except asyncio.CancelledError:
            self._leave(tick, turn)
            raise
        return now_s if now_s > due_s else due_s

    def _wake(self) -> None:
        now_s = self.time()
        self._timer = None
        # Where the loop was held up, the timer's tick is not the only one that has passed.
        last_tick = max(self._timer_tick, int(now_s * _TICKS_PER_S))
        for tick in sorted(self._waiting):
            if tick > last_tick:
                self._set_timer(tick)
                return
            for turn in self._waiting.pop(tick):
                if not turn.done():
                    turn.set_result(now_s)

    def _leave(self, tick: int, turn: asyncio.Future[float]) -> None:
        waiting = self._waiting.get(tick, {})
        waiting.pop(turn, None)
        if not waiting and self._waiting.pop(tick, None) is not None and tick == self._timer_tick:
            self._set_timer(min(self._waiting, default=None))

    def _set_timer(self, tick: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if tick is not None:
            self._timer_tick = tick
            self._timer = self.loop.call_at(tick / _TICKS_PER_S, self._wake)


# Weak at both ends: a pacer holds its loop, and would keep it here for good.
_pacers: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[Pacer]] = WeakKeyDictionary()
