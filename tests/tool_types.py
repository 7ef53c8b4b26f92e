"""Types that the tools of the tests take, and JSON that a model may send."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import (
    NewType,
    NotRequired,
    Required,
    TypedDict,
)

from hypothesis import strategies as st


class Unit(enum.Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Address(TypedDict):
    """Where somebody lives.

    Attributes:
        street: with the number.
    """

    street: str
    floor: NotRequired[int]


class Options(TypedDict, total=False):
    size: int
    color: Required[str]


@dataclass
class Guest:
    name: str
    age: int = 0
    tags: list[str] = field(default_factory=list)
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.age < 0:
            raise ValueError("age: expected 0 or more")


@dataclass
class Chain:
    next: Chain | None = None


Code = NewType("Code", str)

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


# --- arguments, at random --------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
