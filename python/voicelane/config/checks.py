"""Checks that stand in a dataclass field's annotation and run at construction.

    threshold: Annotated[float | None, number(0, 1)] = None

Every refusal reads "name: expected ..., got ...".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

Check = Callable[[str, Any], object]


class Checked:
    """A dataclass whose fields are checked as their annotations say. None passes where it may stand."""

    def __post_init__(self) -> None:
        for name, check, optional in type(self)._checks():
            value = getattr(self, name)
            if value is not None or not optional:
                check(name, value)

    @classmethod
    @cache
    def _checks(cls) -> list[tuple[str, Check, bool]]:
        found: list[tuple[str, Check, bool]] = []
        for name, hint in get_type_hints(cls, include_extras=True).items():
            if get_origin(hint) is Annotated:
                kind, *checks = get_args(hint)
                found += [(name, check, type(None) in get_args(kind)) for check in checks]
        return found


def plain(value: object) -> str:
    """The wire text of an enumeration member or a string."""
    return str(getattr(value, "value", value))


def number(least: float, most: float) -> Check:
    """A number within these bounds."""
    return _within(least, most, int | float, "a number")


def integer(least: int, most: int) -> Check:
    """A whole number within these bounds."""
    return _within(least, most, int, "an integer")


def _within(least: float, most: float, kind: Any, what: str) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, kind):
            raise TypeError(f"{name}: expected {what} from {least} to {most}, got {value!r}")
        if not least <= value <= most:
            raise ValueError(f"{name}: expected {least} to {most}, got {value!r}")

    return check


def flag(name: str, value: Any) -> None:
    """True or False, and nothing that is like them."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: expected True or False, got {value!r}")


def text(name: str, value: Any) -> None:
    """Text, not empty."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected text, got {value!r}")
    if not value.strip():
        raise ValueError(f"{name}: expected text, got {value!r}")


def one_of(*choices: object) -> Check:
    """One of these; an enumeration member counts as its value."""
    said = ", ".join(str(choice) for choice in choices)

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, type(choices[0])):
            raise TypeError(f"{name}: expected one of {said}, got {value!r}")
        if value not in choices:
            shown = plain(value) if isinstance(value, str) else value
            raise ValueError(f"{name}: expected one of {said}, got {shown!r}")

    return check


def list_of(*choices: str, least: int = 1, most: int | None = None) -> Check:
    """A list of texts, of these where there are any."""
    what = f"a list of {', '.join(choices)}" if choices else "a list of texts"
    limit = f"{least} or more" if most is None else f"{least} to {most}"

    def check(name: str, value: Any) -> None:
        is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        if not is_list or not all(isinstance(item, str) for item in value):
            raise TypeError(f"{name}: expected {what}, got {value!r}")
        shown = [plain(item) for item in value]
        if not all(item in choices if choices else item.strip() for item in shown):
            raise ValueError(f"{name}: expected {what}, got {shown!r}")
        if len(value) < least or (most is not None and len(value) > most):
            raise ValueError(f"{name}: expected {limit} of them, got {len(value)}")

    return check


def text_map(*, most: int | None = None, key_length: int = 0, value_length: int = 0) -> Check:
    """A mapping from text to text. Its values are not shown: they may be secrets. 0: no limit."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise TypeError(f"{name}: expected a mapping of texts, got {type(value).__name__}")
        if most is not None and len(value) > most:
            raise ValueError(f"{name}: expected {most} entries at most, got {len(value)}")
        for key, content in value.items():
            if not isinstance(key, str) or not isinstance(content, str):
                kinds = f"{type(key).__name__} to {type(content).__name__}"
                raise TypeError(f"{name}: expected a mapping of texts, got {kinds} at {key!r}")
            if not key:
                raise ValueError(f"{name}: expected keys that are not empty, got ''")
            if key_length and len(key) > key_length:
                raise ValueError(
                    f"{name}: expected keys of {key_length} characters at most, got {len(key)}"
                )
            if value_length and len(content) > value_length:
                raise ValueError(
                    f"{name}: expected values of {value_length} characters at most, "
                    f"got {len(content)} at {key!r}"
                )

    return check


# What most fields are. None leaves the choice to the service.
Flag = Annotated[bool | None, flag]
Text = Annotated[str | None, text]
Texts = Annotated[Sequence[str] | None, list_of()]
Fraction = Annotated[float | None, number(0, 1)]
Milliseconds = Annotated[int | None, integer(0, 60_000)]
