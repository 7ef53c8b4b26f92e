"""What the model is told of a type, and how the JSON that it answers with is read."""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import (
    Annotated,
    Any,
    Literal,
    Optional,
    Union,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_types import INTEGER, JSON, STRING, Address, Chain, Code, Guest, Level, Options, Unit
from voicelane.tool_schema import ArgumentError, shape_of

# A hint, its schema, a JSON value, and what that is read as.
SHAPES: list[tuple[Any, dict[str, Any], Any, Any]] = [
    (str, STRING, "a", "a"),
    (int, INTEGER, 3, 3),
    (int, INTEGER, "3", 3),
    (int, INTEGER, 3.0, 3),
    (float, {"type": "number"}, 3, 3.0),
    (float, {"type": "number"}, "2.5", 2.5),
    (bool, {"type": "boolean"}, True, True),
    (bool, {"type": "boolean"}, "False", False),
    (None, {"type": "null"}, None, None),
    (Any, {}, [1], [1]),
    (Code, STRING, "x", "x"),
    (Optional[int], {"anyOf": [INTEGER, {"type": "null"}]}, None, None),  # noqa: UP045
    (Union[int, str], {"anyOf": [INTEGER, STRING]}, "3", "3"),  # noqa: UP007
    (int | None, {"anyOf": [INTEGER, {"type": "null"}]}, "3", 3),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, "b", "b"),
    (Literal["a", 1], {"enum": ["a", 1]}, 1, 1),
    (Unit, {"type": "string", "enum": ["celsius", "fahrenheit"]}, "celsius", Unit.CELSIUS),
    (Level, {"type": "integer", "enum": [1, 2]}, 2, Level.HIGH),
    (list, {"type": "array", "items": {}}, [1, "a"], [1, "a"]),
    (list[int], {"type": "array", "items": INTEGER}, ["1", 2], [1, 2]),
    (Sequence[str], {"type": "array", "items": STRING}, ["a"], ["a"]),
    (set[int], {"type": "array", "items": INTEGER}, [1, 1], {1}),
    (tuple[int, ...], {"type": "array", "items": INTEGER}, [1, 2], (1, 2)),
    (
        tuple[float, float],
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        [1, 2.5],
        (1.0, 2.5),
    ),
    (
        tuple[str, int],
        {
            "type": "array",
            "prefixItems": [STRING, INTEGER],
            "items": {"anyOf": [STRING, INTEGER]},
            "minItems": 2,
            "maxItems": 2,
        },
        ["a", 1],
        ("a", 1),
    ),
    (dict, {"type": "object"}, {"a": [1]}, {"a": [1]}),
    (dict[str, int], {"type": "object", "additionalProperties": INTEGER}, {"a": "1"}, {"a": 1}),
    (Annotated[str, "a text"], {**STRING, "description": "a text"}, "a", "a"),
    (
        Annotated[int, SimpleNamespace(description="a number")],
        {**INTEGER, "description": "a number"},
        1,
        1,
    ),
    (
        Address,
        {
            "type": "object",
            "properties": {
                "street": {**STRING, "description": "with the number."},
                "floor": INTEGER,
            },
            "required": ["street"],
            "additionalProperties": False,
        },
        {"street": "Elm St 1"},
        {"street": "Elm St 1"},
    ),
    (
        Options,
        {
            "type": "object",
            "properties": {"size": INTEGER, "color": STRING},
            "required": ["color"],
            "additionalProperties": False,
        },
        {"color": "red"},
        {"color": "red"},
    ),
    (
        Guest,
        {
            "type": "object",
            "properties": {
                "name": STRING,
                "age": INTEGER,
                "tags": {"type": "array", "items": STRING},
            },
            "required": ["name"],
            "additionalProperties": False,
        },
        {"name": "Ann", "age": "3"},
        Guest("Ann", 3),
    ),
    (
        datetime.datetime,
        {"type": "string", "format": "date-time"},
        "2026-01-31T18:30:00",
        datetime.datetime(2026, 1, 31, 18, 30),
    ),
    (
        datetime.date,
        {"type": "string", "format": "date"},
        "2026-01-31",
        datetime.date(2026, 1, 31),
    ),
    (datetime.time, {"type": "string", "format": "time"}, "18:30:00", datetime.time(18, 30)),
]


@pytest.mark.parametrize(("hint", "schema", "value", "read"), SHAPES)
def test_a_hint_has_a_schema_and_reads_json(
    hint: Any, schema: dict[str, Any], value: Any, read: Any
) -> None:
    shape = shape_of(hint, "tool.parameter")
    assert shape.schema == schema
    found = shape.read(value, "parameter", True)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (str, 3, "p: expected a string, got 3"),
        (int, True, "p: expected an integer, got true"),
        (int, 3.5, "p: expected an integer, got 3.5"),
        (int, "three", 'p: expected an integer, got "three"'),
        (float, "nan", 'p: expected a number, got "nan"'),
        (float, 10**400, "p: expected a number"),
        (float, False, "p: expected a number, got false"),
        (bool, 1, "p: expected true or false, got 1"),
        (bool, "yes", 'p: expected true or false, got "yes"'),
        (None, 0, "p: expected null, got 0"),
        (Literal["a", 1], True, 'p: expected one of "a", 1, got true'),
        (Literal["a"], ["a"], 'p: expected one of "a", got ["a"]'),
        (Unit, "kelvin", 'p: expected one of "celsius", "fahrenheit", got "kelvin"'),
        (int | None, "x", 'p: expected an integer, got "x"; or p: expected null, got "x"'),
        (list[int], {"a": 1}, 'p: expected an array, got {"a": 1}'),
        (list[int], [1, None], "p[1]: expected an integer, got null"),
        (set[Any], [{}], "p: expected an array of plain values"),
        (tuple[int, int], [1], "p: expected an array of 2, got [1]"),
        (dict[str, int], {"a": None}, "p.a: expected an integer, got null"),
        (Guest, {"age": 1}, "missing: p.name"),
        (Guest, {"name": "Ann", "seen": 1}, "unknown: p.seen (known: name, age, tags)"),
        (Guest, {"name": "Ann", "age": -1}, "p: age: expected 0 or more"),
        (list[Guest], [{"name": 1}], "p[0].name: expected a string, got 1"),
        (Address, "Elm St", 'p: expected an object, got "Elm St"'),
        (datetime.date, "tomorrow", 'p: expected a date such as 2026-01-31, got "tomorrow"'),
        (datetime.time, 5, "p: expected a time such as 18:30:00, got 5"),
        (str, ["x" * 200], f'p: expected a string, got ["{"x" * 78}...'),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(hint: Any, value: Any, said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        shape_of(hint, "tool.p").read(value, "p", True)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (bytes, "tool.p: there is no JSON schema for the type <class 'bytes'>"),
        (complex, "tool.p: there is no JSON schema"),
        (dict[int, str], "tool.p: expected string keys"),
        (list[bytes], "tool.p: there is no JSON schema"),
        (Chain, "tool.p.next: Chain contains itself"),
        ([], "tool.p: expected a type, got []"),
        (enum.Enum("Odd", {"A": (1, 2)}), "tool.p: expected strings, numbers"),
    ],
)
def test_a_hint_without_json_is_refused_by_name(hint: Any, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        shape_of(hint, "tool.p")
    assert str(caught.value).startswith(said)


HINTS = st.recursive(
    st.sampled_from(
        [
            str,
            int,
            float,
            bool,
            None,
            Any,
            Unit,
            Guest,
            Address,
            datetime.date,
            Literal["a", 1, None],
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: list[one]),
        inner.map(lambda one: dict[str, one]),
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),
        st.tuples(inner, inner).map(lambda pair: Union[pair]),  # noqa: UP007
    ),
    max_leaves=4,
)


@given(HINTS, JSON)
def test_any_json_is_read_or_refused_as_an_argument_error(hint: Any, value: Any) -> None:
    shape = shape_of(hint, "tool.p")
    assert json.loads(json.dumps(shape.schema)) == shape.schema
    with suppress(ArgumentError):
        shape.read(value, "p", True)


@given(JSON)
def test_what_is_read_strictly_is_read_loosely_as_the_same(value: Any) -> None:
    for hint in (str, int, float, bool, list[int], Unit, int | str):
        shape = shape_of(hint, "tool.p")
        try:
            strict = shape.read(value, "p", False)
        except ArgumentError:
            continue
        assert shape.read(value, "p", True) == strict
