"""From settings to what the service reads: plain JSON values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

from .checks import Checked, one_of, plain


class SupportsAsDict(Protocol):
    """An `Option`, or a model of ``azure.ai.voicelive.models``."""

    def as_dict(self) -> dict[str, Any]:
        """The wire form."""
        ...


@dataclass(frozen=True)
class Option(Checked):
    """An object of the session. What is None is not sent: the service takes its own default."""

    type: ClassVar[str] = ""

    def as_dict(self) -> dict[str, Any]:
        """The wire form: the type and what was set."""
        kind = {"type": self.type} if self.type else {}
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in values.items() if value is not None}
        made: dict[str, Any] = wire(type(self).__name__, kind | given)
        return made


def wire(name: str, value: object) -> Any:
    """A copy of `value` in plain JSON types: options, models and enumerations become what they send.

    Raises:
        TypeError, ValueError: JSON has no form for it. The text shows no values: they may be secrets.
    """
    try:
        return json.loads(json.dumps(value, default=_unwrapped, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: expected what JSON can hold, got {error}") from None


def _unwrapped(value: Any) -> Any:
    if isinstance(value, type):
        raise TypeError(f"the class {value.__name__}")
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__}")


def wire_object(
    name: str, value: Any, *, key: str = "type", choices: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The wire form of an object that is told apart by `key`; a text alone stands for that key.

    A mapping or model may have a key that is none of `choices`: what the service gets tomorrow.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, str):
        if choices:
            one_of(*choices)(name, value)
        elif not value.strip():
            raise ValueError(f"{name}: expected text, got {value!r}")
        return {key: plain(value)}
    is_object = isinstance(value, Mapping) or hasattr(value, "as_dict")
    if isinstance(value, type) or not is_object:
        raise TypeError(f"{name}: expected text, a mapping or an option, got {value!r}")
    made: dict[str, Any] = wire(name, value)
    if key and not (isinstance(made.get(key), str) and made[key]):
        raise ValueError(f"{name}: expected a mapping with {key!r}, got one with {sorted(made)}")
    return made


def object_of(key: str = "type", choices: tuple[str, ...] = ()) -> Callable[[str, Any], object]:
    """The check that `wire_object` takes it."""
    return lambda name, value: wire_object(name, value, key=key, choices=choices)


def mapping(name: str, value: Any) -> object:
    """The check that it is a mapping or a model, whatever is in it."""
    if isinstance(value, str):
        raise TypeError(f"{name}: expected a mapping or an option, got {value!r}")
    return wire_object(name, value, key="")
