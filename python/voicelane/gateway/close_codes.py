"""Why a call ended, as the client is told: docs/gateway-protocol.md."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """The websocket close codes of the gateway."""

    NORMAL = 1000
    GOING_AWAY = 1001
    INTERNAL = 1011
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    WRONG_ORIGIN = 4403
    TIMED_OUT = 4408
    NOT_READING = 4420
    TOO_FAST = 4429
    NO_SERVICE = 4502
    FULL = 4503


class CallEndedError(Exception):
    """Ends a call.

    Attributes:
        code: the close code.
        reason: the close reason, for people.
    """

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
