"""What a session logs: the logger tree ``voicelane``, with the fields of docs/observability.md.

No record holds audio, what was said, what a tool was given or gave back, a key or a token. The text
of an error is the exception: the service may have written it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .observer import Observer

__all__ = ["keep_frames_out"]

# What an event's payload has that may be logged: ids, states, counts and durations; never a text.
_LOGGED_KEYS = (
    "status",
    "usage",
    "role",
    "is_final",
    "name",
    "call_id",
    "is_error",
    "attempt",
    "delay_s",
    "item_id",
)
_LEVELS = {
    "error": logging.WARNING,
    "reconnecting": logging.INFO,
    "reconnected": logging.INFO,
    "closed": logging.INFO,
}
_TOLD_TWICE = frozenset({"closed"})  # `ended` logs it

# The client's logger that logs whole frames (audio and texts) and URLs, at DEBUG.
_FRAME_LOGGER = "azure.ai.voicelive.aio._patch"


class SessionLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the fields of the session in whose tasks it is called."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        session = _current.get()
        fields = {} if session is None else session.fields()
        return msg, {**kwargs, "extra": {**fields, **(kwargs.get("extra") or {})}}


def session_logger(name: str) -> SessionLogger:
    """The logger of a module."""
    return SessionLogger(logging.getLogger(name))


def keep_frames_out() -> None:
    """Keeps azure-ai-voicelive from logging frames and URLs, whatever the level of its parents.

    Raises the level of the one logger that does to INFO; its warnings and errors are logged as before.
    """
    logging.getLogger(_FRAME_LOGGER).setLevel(logging.INFO)


class SessionLog(Observer):
    """Logs the life of a session as ``voicelane.session``."""

    def __init__(self) -> None:
        self._log = logging.getLogger("voicelane.session")
        self._session_id: str | None = None
        self._response_id: str | None = None
        self._is_open = False

    def fields(self) -> dict[str, Any]:
        """Which session, and which response of it, a record is about."""
        return {"session_id": self._session_id, "response_id": self._response_id}

    @contextmanager
    def bound(self) -> Iterator[None]:
        """What is logged within, and in the tasks that are started within, has these fields."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def connecting(self) -> None:
        self._session_id = self._response_id = None
        self._is_open = True
        self._tell(logging.DEBUG, "connecting")

    def connected(self, session_id: str | None) -> None:
        self._session_id = session_id
        self._tell(logging.INFO, "connected")

    def response_begun(self, response_id: str | None) -> None:
        self._response_id = response_id
        self._tell(logging.DEBUG, "response_begun")

    def emitted(self, event: str, payload: Any) -> None:
        level = _LEVELS.get(event, logging.DEBUG)
        if event not in _TOLD_TWICE and self._log.isEnabledFor(level):
            if event == "error":
                self._tell(level, event, str(payload))
            else:
                self._tell(level, event, _loggable(payload))
        if event == "response_done":
            self._response_id = None

    def ended(self, error: BaseException | None) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._tell(logging.INFO, "closed", None if error is None else str(error))

    def _tell(self, level: int, event: str, details: Any = None) -> None:
        extra = {"event_name": event, **self.fields()}
        if details:
            self._log.log(level, "%s: %s", event, details, extra=extra)
        else:
            self._log.log(level, "%s", event, extra=extra)


_current: ContextVar[SessionLog | None] = ContextVar("voicelane_session", default=None)


def _loggable(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, Mapping):
        return {}
    return {key: payload[key] for key in _LOGGED_KEYS if key in payload}
