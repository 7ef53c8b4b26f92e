"""What a session tells of itself to logs and telemetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from .actions import CallFunction

OnCallEnded = Callable[[bool], None]


class Observer:
    """Does nothing; what is of interest is overridden. Nothing here is called for audio."""

    def connecting(self) -> None:
        """A first connection is being made."""

    def connected(self, session_id: str | None) -> None:
        """The service accepted the session; again after each reconnect and renewal."""

    def response_begun(self, response_id: str | None) -> None:
        """The service began a response."""

    def emitted(self, event: str, payload: Any) -> None:
        """An event was told to the handlers. The payload may hold what was said."""

    def measured(self, latency: str, duration_s: float) -> None:
        """One of the latencies of `stats()`."""

    @contextmanager
    def calling(self, call: CallFunction) -> Iterator[OnCallEnded]:
        """Entered while a tool runs; what it gives is told whether the outcome is an error."""
        yield lambda _is_error: None

    def ended(self, error: BaseException | None) -> None:
        """The session is over, None where it was closed. May come twice."""


class Observers(Observer):
    """Tells each of them."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def connecting(self) -> None:
        for one in self._observers:
            one.connecting()

    def connected(self, session_id: str | None) -> None:
        for one in self._observers:
            one.connected(session_id)

    def response_begun(self, response_id: str | None) -> None:
        for one in self._observers:
            one.response_begun(response_id)

    def emitted(self, event: str, payload: Any) -> None:
        for one in self._observers:
            one.emitted(event, payload)

    def measured(self, latency: str, duration_s: float) -> None:
        for one in self._observers:
            one.measured(latency, duration_s)

    @contextmanager
    def calling(self, call: CallFunction) -> Iterator[OnCallEnded]:
        with ExitStack() as stack:
            each = [stack.enter_context(one.calling(call)) for one in self._observers]

            def ended(is_error: bool) -> None:
                for one in each:
                    one(is_error)

            yield ended

    def ended(self, error: BaseException | None) -> None:
        for one in self._observers:
            one.ended(error)
