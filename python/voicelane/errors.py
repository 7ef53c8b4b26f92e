"""What can go wrong with a session.

    VoiceLiveError
    ├── ConnectError              the connection could not be made
    │   ├── AuthenticationError   401 or 403: key, token or role
    │   └── ConnectTimeoutError   no answer in time (also a TimeoutError)
    ├── SessionNotReadyError      connected, but no session (also a RuntimeError)
    ├── ConnectionLostError       an open connection ended
    ├── PlaybackEndedError        recv of a playback track that was stopped
    ├── ServiceError              an error event of the service
    └── ToolError                 raised by a tool, to tell the model why it failed

``error`` handlers get an `ErrorText`: a str with the exception behind it.

Bad arguments are ``ValueError`` and ``TypeError``; two threads on one side of an audio object are
``ConcurrencyError``.
"""

from __future__ import annotations

from typing import Self

from ._core import ConcurrencyError

__all__ = [
    "AuthenticationError",
    "ConcurrencyError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "ErrorText",
    "PlaybackEndedError",
    "ServiceError",
    "SessionNotReadyError",
    "ToolError",
    "VoiceLiveError",
]


NO_CLOSE_CODE = 1006  # RFC 6455, 7.1.5: closed without a close frame


class VoiceLiveError(Exception):
    """The base of every error of a session."""

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without a change."""
        return False


class ErrorText(str):
    """What an ``error`` handler gets: the text, and behind it the fault.

    Attributes:
        error: the exception; None for what is none, such as audio that was dropped.
    """

    __slots__ = ("error",)
    error: Exception | None

    def __new__(cls, text: object, error: Exception | None = None) -> Self:
        message = super().__new__(cls, text)
        message.error = error
        return message

    @property
    def code(self) -> str | int | None:
        """The service's code, or the websocket's close code."""
        return getattr(self.error, "code", None)

    @property
    def param(self) -> str | None:
        """The parameter that the service blames."""
        return getattr(self.error, "param", None)

    @property
    def event_id(self) -> str | None:
        """The client event that the service blames."""
        return getattr(self.error, "event_id", None)

    @property
    def retryable(self) -> bool:
        """Whether the same may succeed later without a change."""
        return isinstance(self.error, VoiceLiveError) and self.error.retryable


class ConnectError(VoiceLiveError):
    """The connection could not be made.

    Args:
        message: what went wrong.
        status: the HTTP status where there was an answer.
        retry_after_s: how long the service asked to be left alone (``Retry-After``).
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def retryable(self) -> bool:
        return self.status is None or self.status in (408, 429) or self.status >= 500


class AuthenticationError(ConnectError):
    """The service does not accept the key, the token or its role (401, 403)."""


class ConnectTimeoutError(ConnectError, TimeoutError):
    """The endpoint did not answer in time."""


class SessionNotReadyError(VoiceLiveError, RuntimeError):
    """There is a connection but no session, or no connection at all."""

    @property
    def retryable(self) -> bool:
        return True


class ConnectionLostError(VoiceLiveError):
    """An open connection ended.

    Args:
        code: the websocket close code, 1006 where there was none (RFC 6455, 7.4.1).
        reason: the close reason.
        by_us: this side closed it, mostly for what the service sent.
    """

    def __init__(self, code: int, reason: str = "", by_us: bool = False) -> None:
        why = f"(code {code}{reason and ': ' + reason})"
        if by_us:
            text = f"The connection to Azure Voice Live was closed from this side {why}"
        elif code == NO_CLOSE_CODE:
            text = f"The connection to Azure Voice Live was lost {why}"
        else:
            text = f"Azure Voice Live closed the connection {why}"
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.by_us = by_us

    @property
    def retryable(self) -> bool:
        # 1002, 1003, 1007, 1008 and 1009 blame what this side sent (RFC 6455, 7.4.1).
        return self.code not in (1002, 1003, 1007, 1008, 1009)


class ServiceError(VoiceLiveError):
    """An ``error`` event of the service, as it gave it.

    Args:
        message: for people.
        code: such as "invalid_value".
        param: the parameter that it blames.
        event_id: the client event that it blames.
        kind: the event's ``error.type``, such as "server_error".
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        event_id: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(f"Azure Voice Live error: {message}")
        self.message = message
        self.code = code
        self.param = param
        self.event_id = event_id
        self.kind = kind

    @property
    def retryable(self) -> bool:
        return self.kind in ("server_error", "rate_limit_error")


class ToolError(VoiceLiveError):
    """Raised by a tool: its text is given to the model, which may say it aloud or try again.

    Of any other exception the model learns the type alone.
    """


class PlaybackEndedError(VoiceLiveError):
    """The playback track was stopped: no frame will come of it."""
