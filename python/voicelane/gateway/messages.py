"""Reads a client's JSON messages. What is wrong with one ends the call, and the reason says it."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from .close_codes import CallEndedError, CloseCode

T = TypeVar("T")

_REQUIRED: Any = object()


def bad_message(expected: str, got: str) -> CallEndedError:
    """What a client is told that said something else than was expected."""
    # A close frame has room for 123 bytes.
    reason = f"expected {expected}, got {got}"
    return CallEndedError(CloseCode.BAD_MESSAGE, reason.encode("ascii", "replace")[:120].decode())


def parsed(text: str, name: str = "type") -> dict[str, Any]:
    """A message that has a type, in the field of that name.

    Raises:
        CallEndedError: it is none.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise bad_message("a JSON object", "no JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get(name), str):
        raise bad_message(f"a JSON object with a field {name}", "something else")
    return message


def field(message: dict[str, Any], name: str, kind: type[T], default: T = _REQUIRED) -> T:
    """A field of that kind; without a default it must be there.

    Raises:
        CallEndedError: it is of another kind, or missing.
    """
    value = message.get(name, default)
    # True is an int to Python, and not to anybody else.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise bad_message(f"{name} as {kind.__name__}", type(value).__name__)
    return value


def choice(message: dict[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    """A field that is one of these.

    Raises:
        CallEndedError: it is another.
    """
    value = field(message, name, str, default)
    if value not in choices:
        raise bad_message(f"{name} as /config lists it", "another")
    return value
