"""Between the conversation and the socket: sends events as they are, or as faults say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

from .events import Base64, Event
from .faults import NO_FAULTS, Faults

_encode = json.JSONEncoder(separators=(",", ":")).encode
_DELTA = "response.audio.delta"
_EXPIRED = "Your session hit the maximum duration of 60 minutes."
_NOBODYS_FAULT = "The server had an error while processing your request (simulated)."


class EventFaults:
    """What becomes of each event of one connection.

    Args:
        faults: What goes wrong.

    Attributes:
        close: How the connection is to end now, by code and reason: (None, "") by a cut; None while it
            is not to end.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._num_of_type: Counter[str] = Counter()
        self._num_events = 0
        self._num_broken = 0
        self._last_delta: Event | None = None
        self.close: tuple[int | None, str] | None = None

    def said_for(self, event: Event) -> list[tuple[str, bool]]:
        """Return what is sent in place of an event, and of each text whether it is the event, whole."""
        faults = self._faults
        if faults is NO_FAULTS:
            return [(_as_text(event), True)]
        if faults.accept_silently:
            return []
        kind = event["type"]
        self._num_of_type[kind] += 1
        self._num_events += 1
        said = self._copies(event)
        if kind == _DELTA:
            self._last_delta = event
        if kind == _DELTA or faults.close_after_deltas == 0:
            said += self._end()
        if faults.late_deltas and _is_cancelled(event) and self._last_delta is not None:
            late = [(_as_text(self._last_delta), False)] * faults.late_deltas
            said = [*late, *said, *late]
        if faults.error_every_events and self._num_events % faults.error_every_events == 0:
            error = error_event("server_error", None, _NOBODYS_FAULT)
            said.append((_as_text(error), False))
        return said

    def _copies(self, event: Event) -> list[tuple[str, bool]]:
        faults, kind = self._faults, event["type"]
        if self._num_of_type[kind] % faults.every_nth_event:
            return [(_as_text(event), True)]
        if kind in faults.drop_events:
            return []
        num_copies = 2 if kind in faults.duplicate_events else 1
        if kind in faults.malformed_events:
            return [(self._broken(event), False) for _ in range(num_copies)]
        return [(_as_text(event), True)] * num_copies

    def _broken(self, event: Event) -> str:
        way = _WAYS_TO_BREAK[self._num_broken % len(_WAYS_TO_BREAK)]
        self._num_broken += 1
        return way(event)

    def _end(self) -> list[tuple[str, bool]]:
        """What goes before the close that is due after a delta."""
        num_deltas = self._num_of_type[_DELTA]
        if num_deltas == self._faults.expire_after_deltas:
            self.close = (1001, "session expired")
            return [(_as_text(session_expired()), False)]
        if num_deltas == self._faults.close_after_deltas:
            self.close = (self._faults.close_code, self._faults.close_reason)
        return []


def _as_text(event: Event) -> str:
    delta = event.get("delta")
    if not isinstance(delta, Base64):
        return _encode(event)
    # To look for what must be escaped took most of the time.
    rest = {key: value for key, value in event.items() if key != "delta"}
    return f'{_encode(rest)[:-1]},"delta":"{delta}"}}'


def error_event(kind: str, code: str | None, message: str) -> Event:
    """Return an error that no event of the client's is named in."""
    error = {"type": kind, "code": code, "message": message, "param": None, "event_id": None}
    return {"type": "error", "event_id": f"event_{kind}", "error": error}


def session_expired() -> Event:
    """Return the error of a session that lasted too long."""
    return error_event("invalid_request_error", "session_expired", _EXPIRED)


def _is_cancelled(event: Event) -> bool:
    return bool(event["type"] == "response.done" and event["response"]["status"] == "cancelled")


def _of_wrong_types(event: Event) -> str:
    return _as_text({key: value if key == "type" else [0] for key, value in event.items()})


_WAYS_TO_BREAK: tuple[Callable[[Event], str], ...] = (
    lambda event: _as_text(event)[: len(_as_text(event)) // 2],
    lambda event: f"[{_as_text(event)}]",
    _of_wrong_types,
    lambda event: "[" * 100_000,
)
