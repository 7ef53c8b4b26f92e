"""Type hints as JSON schema, and JSON read as what the hints ask for.

`shape_of` turns a hint into a `Shape`: its schema, and how a JSON value is read as it.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import inspect
import json
import math
import types
import typing
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from .docstrings import parse_docstring

_MAX_SHOWN = 80
_NOTHING = inspect.Parameter.empty


class ArgumentError(ValueError):
    """The arguments of a call are not what the function takes; the text is for the model."""


# `loosely` lets "5" pass as 5: models write it. Unions try without it first.
Read = Callable[[Any, str, bool], Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value must be.

    Attributes:
        schema: said as JSON schema.
        read: takes a JSON value, its path for error texts, and whether to read loosely; gives what
            the hint asks for.
    """

    schema: dict[str, Any]
    read: Read


def shape_of(hint: Any, where: str) -> Shape:
    """The shape of a type hint.

    Raises:
        TypeError: there is no JSON for it; the text begins with `where`.
    """
    return _shape_of(hint, where, ())


def _shape_of(hint: Any, where: str, outer: tuple[Any, ...]) -> Shape:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:  # first: its metadata may have no hash
        return _described(_shape_of(arguments[0], where, outer), _description_in(arguments[1:]))
    if not isinstance(hint, Hashable):
        raise TypeError(f"{where}: expected a type, got {hint!r}")
    if hint in _SCALARS:
        return _SCALARS[hint]
    named = getattr(hint, "__supertype__", None) or getattr(hint, "__value__", None)
    if named is not None:  # a NewType, a `type` statement
        return _shape_of(named, where, _deeper(hint, where, outer))
    if origin in (Required, NotRequired):
        return _shape_of(arguments[0], where, outer)
    if origin in (Union, types.UnionType):
        return _union([_shape_of(one, where, outer) for one in arguments])
    if origin is Literal:
        return _choice({_key(value): value for value in arguments}, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enumeration(hint, where)
    container = origin or hint
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        return _tuple([_shape_of(one, where, outer) for one in arguments])
    if container in _ARRAYS:
        items = _shape_of(arguments[0], where, outer) if arguments else _ANYTHING
        return _array(items, _ARRAYS[container])
    if container in (dict, Mapping, typing.Mapping):
        return _mapping(arguments, where, outer)
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or typing.is_typeddict(hint)):
        return _record(hint, where, outer)
    raise TypeError(f"{where}: there is no JSON schema for the type {hint!r}")


def _deeper(hint: Any, where: str, outer: tuple[Any, ...]) -> tuple[Any, ...]:
    if hint in outer:
        raise TypeError(f"{where}: {hint.__name__} contains itself, which no inline schema can say")
    return (*outer, hint)


# --- scalars ---------------------------------------------------------------------------------


def _bad(path: str, expected: str, value: Any) -> ArgumentError:
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "..."
    return ArgumentError(f"{path}: expected {expected}, got {shown}")


def _read_str(value: Any, path: str, _loosely: bool) -> str:
    if not isinstance(value, str):
        raise _bad(path, "a string", value)
    return value


def _read_int(value: Any, path: str, loosely: bool) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and loosely and value.is_integer():
        return int(value)
    if isinstance(value, str) and loosely:
        with suppress(ValueError):
            return int(value)
    raise _bad(path, "an integer", value)


def _read_float(value: Any, path: str, loosely: bool) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and loosely):
        # An OverflowError is an integer beyond every float.
        with suppress(ValueError, OverflowError):
            number = float(value)
            if math.isfinite(number):
                return number
    raise _bad(path, "a number", value)


def _read_bool(value: Any, path: str, loosely: bool) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and loosely and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _bad(path, "true or false", value)


def _read_none(value: Any, path: str, _loosely: bool) -> None:
    if value is not None:
        raise _bad(path, "null", value)


def _read_moment(kind: Any, expected: str) -> Read:
    def read(value: Any, path: str, _loosely: bool) -> Any:
        try:
            return kind.fromisoformat(value)
        except (TypeError, ValueError):
            raise _bad(path, expected, value) from None

    return read


_ANYTHING = Shape({}, lambda value, _path, _loosely: value)
_SCALARS: dict[Any, Shape] = {
    Any: _ANYTHING,
    object: _ANYTHING,
    _NOTHING: _ANYTHING,
    str: Shape({"type": "string"}, _read_str),
    int: Shape({"type": "integer"}, _read_int),
    float: Shape({"type": "number"}, _read_float),
    bool: Shape({"type": "boolean"}, _read_bool),
    None: Shape({"type": "null"}, _read_none),
    types.NoneType: Shape({"type": "null"}, _read_none),
    datetime.datetime: Shape(
        {"type": "string", "format": "date-time"},
        _read_moment(datetime.datetime, "a date and time such as 2026-01-31T18:30:00"),
    ),
    datetime.date: Shape(
        {"type": "string", "format": "date"},
        _read_moment(datetime.date, "a date such as 2026-01-31"),
    ),
    datetime.time: Shape(
        {"type": "string", "format": "time"}, _read_moment(datetime.time, "a time such as 18:30:00")
    ),
}


# --- choices ---------------------------------------------------------------------------------


def _key(value: Any) -> tuple[type, Any]:
    # True == 1 and 1 == 1.0, but they are different JSON.
    return type(value), value


def _choice(choices: Mapping[tuple[type, Any], Any], where: str) -> Shape:
    values = [value for _, value in choices]
    kinds = {type(value) for value in values}
    if not kinds <= {str, int, float, bool, types.NoneType}:
        raise TypeError(f"{where}: expected strings, numbers, booleans or None, got {values!r}")
    schema: dict[str, Any] = {"enum": values}
    if len(kinds) == 1:
        schema = {**_SCALARS[kinds.pop()].schema, **schema}
    expected = "one of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in values)

    def read(value: Any, path: str, _loosely: bool) -> Any:
        if isinstance(value, Collection) and not isinstance(value, str):
            raise _bad(path, expected, value)
        try:
            return choices[_key(value)]
        except KeyError:
            raise _bad(path, expected, value) from None

    return Shape(schema, read)


def _enumeration(kind: type[Enum], where: str) -> Shape:
    return _choice({_key(member.value): member for member in kind}, where)


def _union(shapes: Sequence[Shape]) -> Shape:
    def read(value: Any, path: str, loosely: bool) -> Any:
        errors: list[ArgumentError] = []
        for is_loose in (False, True) if loosely else (False,):
            errors.clear()
            for shape in shapes:
                try:
                    return shape.read(value, path, is_loose)
                except ArgumentError as error:
                    errors.append(error)
        raise ArgumentError("; or ".join(map(str, errors)))

    return Shape({"anyOf": _distinct(shapes)}, read)


def _distinct(shapes: Iterable[Shape]) -> list[dict[str, Any]]:
    schemas: list[dict[str, Any]] = []
    for shape in shapes:
        if shape.schema not in schemas:
            schemas.append(shape.schema)
    return schemas


# --- containers ------------------------------------------------------------------------------

_ARRAYS: dict[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Sequence: list,
    Iterable: list,
    Collection: list,
}


def _array(items: Shape, collect: Callable[[Iterable[Any]], Any]) -> Shape:
    def read(value: Any, path: str, loosely: bool) -> Any:
        if not isinstance(value, list):
            raise _bad(path, "an array", value)
        try:
            return collect(
                [items.read(one, f"{path}[{index}]", loosely) for index, one in enumerate(value)]
            )
        except TypeError:  # of a set: an object or an array in it
            raise _bad(path, "an array of plain values", value) from None

    # The services refuse an array without items.
    return Shape({"type": "array", "items": items.schema}, read)


def _tuple(items: Sequence[Shape]) -> Shape:
    def read(value: Any, path: str, loosely: bool) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(items):
            raise _bad(path, f"an array of {len(items)}", value)
        pairs = zip(items, value, strict=True)
        return tuple(
            shape.read(one, f"{path}[{index}]", loosely) for index, (shape, one) in enumerate(pairs)
        )

    schemas = _distinct(items)
    length = {"minItems": len(items), "maxItems": len(items)}
    if len(schemas) == 1:
        return Shape({"type": "array", "items": schemas[0], **length}, read)
    in_order = [shape.schema for shape in items]
    any_of = {"anyOf": schemas}
    return Shape({"type": "array", "prefixItems": in_order, "items": any_of, **length}, read)


def _mapping(arguments: tuple[Any, ...], where: str, outer: tuple[Any, ...]) -> Shape:
    if arguments and arguments[0] is not str:
        raise TypeError(f"{where}: expected string keys, got a dict with keys {arguments[0]!r}")
    values = _shape_of(arguments[1], where, outer) if arguments else _ANYTHING

    def read(value: Any, path: str, loosely: bool) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _bad(path, "an object", value)
        return {key: values.read(one, f"{path}.{key}", loosely) for key, one in value.items()}

    schema: dict[str, Any] = {"type": "object"}
    return Shape(
        {**schema, "additionalProperties": values.schema} if values.schema else schema, read
    )


def _record(kind: type, where: str, outer: tuple[Any, ...]) -> Shape:
    """A dataclass or a TypedDict."""
    inner = _deeper(kind, where, outer)
    hints = _hints(kind, where)
    if dataclasses.is_dataclass(kind):
        fields = [one for one in dataclasses.fields(kind) if one.init]
        names = [one.name for one in fields]
        required = [
            one.name
            for one in fields
            if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        ]
        build: Callable[..., Any] = kind
    else:
        names = list(hints)
        required = [name for name in names if _is_required(kind, name, hints[name])]
        build = dict
    said = parse_docstring(inspect.cleandoc(kind.__doc__ or "")).parameters
    members = {
        name: _described(
            _shape_of(hints[name], f"{where}.{name}", inner), said.get(name), weakly=True
        )
        for name in names
    }
    taken = _object(members, required)

    def read(value: Any, path: str, loosely: bool) -> Any:
        values = taken.read(value, path, loosely)
        try:
            return build(**values)
        except (TypeError, ValueError) as error:  # a __post_init__ that refuses
            raise ArgumentError(f"{path}: {error}") from None

    return Shape(taken.schema, read)


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    # __required_keys__ knows no NotRequired where annotations are postponed.
    if get_origin(hint) in (Required, NotRequired):
        return get_origin(hint) is Required
    return name in kind.__required_keys__


def _object(members: Mapping[str, Shape], required: Sequence[str]) -> Shape:
    """An object with these properties and no other."""

    def read(value: Any, path: str, loosely: bool) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _bad(path or "the arguments", "an object", value)
        prefix = path and path + "."
        missing = [name for name in required if name not in value]
        unknown = [name for name in value if name not in members]
        if missing:
            raise ArgumentError(f"missing: {', '.join(prefix + name for name in missing)}")
        if unknown:
            known = ", ".join(members) or "none"
            named = ", ".join(prefix + name for name in unknown)
            raise ArgumentError(f"unknown: {named[:_MAX_SHOWN]} (known: {known})")
        return {key: members[key].read(one, prefix + key, loosely) for key, one in value.items()}

    schema = {
        "type": "object",
        "properties": {name: shape.schema for name, shape in members.items()},
        "required": list(required),
        "additionalProperties": False,
    }
    return Shape(schema, read)


# --- functions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FunctionShape:
    """What a function says of itself: its description, and its parameters as an object."""

    description: str
    parameters: Shape


def function_shape(function: Callable[..., Any], where: str) -> FunctionShape:
    """Reads a function's signature, type hints and docstring.

    A function without hints for a parameter takes anything there. What a partial has bound is no
    parameter.

    Raises:
        TypeError: a parameter that cannot be given by name, or a hint without a JSON schema.
    """
    plain = plain_function(function)
    try:
        signature = inspect.signature(function)
    except ValueError as error:  # of some builtins
        raise TypeError(f"{where}: it does not tell its parameters ({error})") from None
    bound = bound_names(function)
    parameters = [one for name, one in signature.parameters.items() if name not in bound]
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            # Without its default, which may be a secret.
            bare = str(parameter.replace(annotation=_NOTHING, default=_NOTHING))
            raise TypeError(
                f"{where}: the parameter {bare!r} is "
                f"{parameter.kind.description}; a model gives every argument by its name"
            )
    hints = _hints(plain, where)
    said = parse_docstring(docstring_of(function))
    members = {
        one.name: _described(
            shape_of(hints.get(one.name, _NOTHING), f"{where}.{one.name}"),
            said.parameters.get(one.name),
            weakly=True,
        )
        for one in parameters
    }
    required = [one.name for one in parameters if one.default is _NOTHING]
    return FunctionShape(said.description, _object(members, required))


def plain_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function below partials and callable objects: it has the hints and the docstring."""
    function = _unbound(function)
    return function if inspect.isroutine(function) else type(function).__call__


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called; of a callable object its class."""
    function = _unbound(function)
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


def docstring_of(function: Callable[..., Any]) -> str:
    """What it says of itself; of a callable object its class may tell."""
    text = plain_function(function).__doc__
    function = _unbound(function)
    if not inspect.isroutine(function) and text is None:
        text = type(function).__doc__
    return inspect.cleandoc(text or "")


def _unbound(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def bound_names(function: Callable[..., Any]) -> frozenset[str]:
    """What a partial has bound by name: it may be a secret, and the model is not asked for it."""
    return frozenset(function.keywords if isinstance(function, functools.partial) else ())


def _hints(owner: Any, where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except (NameError, AttributeError, SyntaxError) as error:
        raise TypeError(f"{where}: a type hint cannot be resolved: {error}") from None


def _description_in(metadata: Iterable[Any]) -> str | None:
    """The first text in an Annotated, or the `description` of the first object that has one."""
    for one in metadata:
        text = one if isinstance(one, str) else getattr(one, "description", None)
        if isinstance(text, str):
            return text
    return None


def _described(shape: Shape, description: str | None, *, weakly: bool = False) -> Shape:
    """The shape with a description; `weakly` leaves the one that it has."""
    if not description or (weakly and "description" in shape.schema):
        return shape
    return Shape({**shape.schema, "description": description}, shape.read)
