"""Which public names of a module are not explained."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from types import ModuleType
from typing import Any

_MADE_BY_US = "Made by the "  # nobody else calls the constructor


def unexplained(module: ModuleType) -> Iterator[str]:
    """The public names that have no docstring, and parameters that no docstring names."""
    if not inspect.getdoc(module):
        yield module.__name__
    for name in public_names(module):
        value = getattr(module, name)
        if inspect.isclass(value):
            yield from _of_class(f"{module.__name__}.{name}", value)
        elif inspect.isroutine(value):
            yield from _of_callable(f"{module.__name__}.{name}", value, inspect.getdoc(value))


def public_names(module: ModuleType) -> list[str]:
    """`__all__`, or else what the module itself defines."""
    names: list[str] | None = getattr(module, "__all__", None)
    if names is not None:
        return names
    own = (name for name in vars(module) if not name.startswith("_"))
    return [
        name for name in own if getattr(vars(module)[name], "__module__", "") == module.__name__
    ]


def _of_class(where: str, kind: type[Any]) -> Iterator[str]:
    ours = [base for base in kind.__mro__ if base.__module__.startswith("voicelane")]
    texts = [base.__doc__ or "" for base in ours]
    # What a dataclass writes where nobody else did.
    has_doc = texts[0] and not texts[0].startswith(f"{kind.__name__}(")
    yield from _of_callable(where, kind, "\n".join(texts) if has_doc else None)
    for name in sorted({name for base in ours for name in vars(base) if not name.startswith("_")}):
        member = getattr(kind, name)
        if inspect.isroutine(member):
            yield from _of_callable(f"{where}.{name}", member, inspect.getdoc(member))
        elif isinstance(member, property) and not (
            inspect.getdoc(member) or re.search(rf"\b{name}\b", texts[0])  # an argument, kept
        ):
            yield f"{where}.{name}"


def _of_callable(where: str, value: Any, doc: str | None) -> Iterator[str]:
    if not doc:
        yield where
        return
    try:
        parameters = inspect.signature(value).parameters
    except ValueError:  # a builtin class without one, such as those of an exception
        return
    if inspect.isclass(value) and not issubclass(value, Enum) and _MADE_BY_US not in doc:
        for name, parameter in parameters.items():
            is_named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if is_named and not re.search(rf"\b{name}\b", doc):
                yield f"{where}({name})"
