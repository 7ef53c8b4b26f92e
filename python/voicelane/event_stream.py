"""Events as an async iterator."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from .events import Event
from .logs import session_logger

MAX_WAITING_EVENTS = 1024

_log = session_logger(__name__)


class EventStream:
    """The events of a session from now on, until the session is closed.

    At most 1024 events wait; then the oldest are dropped, counted in `dropped` and logged once.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Event] = deque()
        self._filled = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        """Appends an event."""
        if len(self._waiting) >= MAX_WAITING_EVENTS:
            self._waiting.popleft()
            if not self.dropped:
                _log.warning("Events are not taken fast enough: the oldest are dropped")
            self.dropped += 1
        self._waiting.append(event)
        self._filled.set()

    def end(self) -> None:
        """What waits can still be taken."""
        self._ended = True
        self._filled.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()
