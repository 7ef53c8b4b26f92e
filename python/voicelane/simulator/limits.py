"""What the service allows a client, and what a test may set otherwise."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a client may do. By default as the service, but for the number of connections.

    Attributes:
        connections_per_minute: New connections in any 60 s, of all clients together; None counts none.
            The next one is answered 429, with `Retry-After`. The service documents 30.
        session_s: How long a session may last, told as `expires_at`; then an error `session_expired` and
            a close with 1001.
        message_bytes: The longest message; a longer one is a close with 1009. The service documents it of
            the append event.
        audio_ahead_ms: How much audio may come ahead of real time; more is an error
            `rate_limit_exceeded` and a close with 1008. None allows all: the service documents nothing.

    Raises:
        ValueError: A value is not above 0.
    """

    connections_per_minute: int | None = None
    session_s: float = 60 * 60
    message_bytes: int = 15 * 1024 * 1024
    audio_ahead_ms: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not value > 0:
                raise ValueError(f"{field.name}: expected above 0, but got {value}")

    @classmethod
    def of_the_service(cls) -> Self:
        """Return all that the service documents."""
        return cls(connections_per_minute=30)


class ConnectionRate:
    """Counts the connections of the last minute.

    Args:
        per_minute: How many there may be; None allows any number.
        clock: The time in seconds.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._accepted_s: deque[float] = deque(maxlen=per_minute or 0)

    def accept(self) -> int | None:
        """Count one more; or return after how many whole seconds there is room for it."""
        now_s = self._clock()
        if self._per_minute is not None and len(self._accepted_s) == self._per_minute:
            wait_s = self._accepted_s[0] + _MINUTE_S - now_s
            if wait_s > 0:
                return math.ceil(wait_s)
        self._accepted_s.append(now_s)
        return None
