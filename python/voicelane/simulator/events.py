"""The shape of events: ids, requests that are refused, and reading a client event's fields."""

from __future__ import annotations

import base64
import binascii
import json
import random
import re
from collections.abc import Collection
from typing import Any

Event = dict[str, Any]
"""One JSON object as it goes over the wire, in either direction."""

_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s]+)|\s+")


class Base64(str):
    """A text that needs no escapes in JSON."""

    __slots__ = ()


class RequestError(Exception):
    """A client event that is refused; it becomes an `error` event and the session stays open.

    Args:
        message: What is wrong, for a person.
        code: What is wrong, for a program.
        param: The path of the field at fault, such as "session.voice".
    """

    def __init__(self, message: str, *, code: str = "invalid_value", param: str | None = None):
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class Ids:
    """Ids such as "item_04b1a5f00e55a6e08ab2c", the same ones for the same seed.

    Each prefix has a sequence of its own: the third response has the same id whatever else was
    said before it.
    """

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self._sequences: dict[str, random.Random] = {}

    def new(self, prefix: str) -> str:
        """Return a new id: `prefix`, an underscore and 21 hexadecimal digits."""
        if prefix not in self._sequences:
            self._sequences[prefix] = random.Random(f"{self._seed}/{prefix}")
        return f"{prefix}_{self._sequences[prefix].getrandbits(84):021x}"


def tokens_of(text: str) -> list[str]:
    """Cut `text` into words and punctuation as a model's deltas would; joined, they are `text`."""
    return _TOKEN.findall(text)


def json_name(value: object) -> str:
    """Name the JSON type of `value` with its article, for an error message."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"


def wrong_type(param: str, expected: str, value: object) -> RequestError:
    """The refusal of a field whose JSON type is wrong."""
    message = (
        f"Invalid type for '{param}': expected {expected}, but got {json_name(value)} instead."
    )
    return RequestError(message, code="invalid_type", param=param)


def not_one_of(param: str, value: object, supported: Collection[object]) -> RequestError:
    """The refusal of a field whose value is none of those that are supported."""
    names = ", ".join(f"'{name}'" for name in supported)
    return RequestError(f"Invalid value: '{value}'. Supported values are: {names}.", param=param)


def _required(event: Event, key: str, path: str) -> Any:
    if key not in event:
        message = f"Missing required parameter: '{path}{key}'."
        raise RequestError(message, code="missing_required_parameter", param=path + key)
    return event[key]


def required_str(event: Event, key: str, *, path: str = "") -> str:
    """Return the string `event[key]`; `path` is what leads to `event`, such as "item."."""
    value = _required(event, key, path)
    if not isinstance(value, str):
        raise wrong_type(path + key, "a string", value)
    return value


def required_int(event: Event, key: str, *, path: str = "") -> int:
    """Return the integer `event[key]`, zero or above."""
    value = _required(event, key, path)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(path + key, "an integer", value)
    if value < 0:
        message = f"Invalid '{path}{key}': expected zero or above, but got {value}."
        raise RequestError(message, param=path + key)
    return value


def required_object(event: Event, key: str, *, path: str = "") -> Event:
    """Return the object `event[key]`."""
    value = _required(event, key, path)
    if not isinstance(value, dict):
        raise wrong_type(path + key, "an object", value)
    return value


def required_array(event: Event, key: str, *, path: str = "") -> list[Any]:
    """Return the array `event[key]`."""
    value = _required(event, key, path)
    if not isinstance(value, list):
        raise wrong_type(path + key, "an array", value)
    return value


def required_base64(event: Event, key: str, *, path: str = "") -> bytes:
    """Return the bytes behind the base64 text `event[key]`."""
    text = required_str(event, key, path=path)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: text that is not ASCII
        message = f"Invalid '{path}{key}': expected base64-encoded bytes ({error})."
        raise RequestError(message, code="invalid_base64", param=path + key) from error


def parsed(text: str) -> Event:
    """Return the JSON object that `text` is; RequestError if it is something else."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"Could not parse the message as JSON: {error}."
        raise RequestError(message, code="invalid_json") from error
    if not isinstance(event, dict):
        message = f"Invalid message: expected a JSON object, but got {json_name(event)} instead."
        raise RequestError(message, code="invalid_json")
    return event


def error_event(refusal: RequestError, event: Any) -> Event:
    """Return the `error` event that answers `event`, whatever that was."""
    return {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "code": refusal.code,
            "message": refusal.message,
            "param": refusal.param,
            "event_id": event.get("event_id") if isinstance(event, dict) else None,
        },
    }
