"""Reading YAML with the line of each value, for errors that name it."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any


class ScenarioError(ValueError):
    """A scenario or a recording that cannot be read: file, line, what was expected and what came."""


class Node:
    """One value of a YAML file.

    Args:
        path: The file.
        node: What pyyaml composed.
        name: What leads to the value, such as "turns[2].say".
    """

    def __init__(self, path: Path, node: Any, name: str = "") -> None:
        self.path = path
        self.name = name
        self._node = node

    def error(self, expected: str, got: str) -> ScenarioError:
        """The error of a value that is not as expected."""
        what = f"{self.name}: " if self.name else ""
        line = self._node.start_mark.line + 1
        return ScenarioError(f"{self.path}:{line}: {what}expected {expected}, but got {got}")

    def value(self) -> Any:
        """Return it as Python's objects."""
        yaml = _yaml()
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_document(self._node)
        except (yaml.constructor.ConstructorError, ValueError) as error:
            raise self.error("a plain value", str(error)) from error

    def of_type(self, kind: type | tuple[type, ...], expected: str) -> Any:
        """Return it where it is of that type; True is no number."""
        value = self.value()
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kinds):
            raise self.error(expected, repr(value))
        return value

    def mapping(self, keys: set[str] | None = None) -> dict[str, Node]:
        """Return its values by key; `keys` are those that may be there."""
        if type(self._node).__name__ != "MappingNode":
            raise self.error("a mapping", repr(self.value()))
        values: dict[str, Node] = {}
        for key_node, value_node in self._node.value:
            key = str(key_node.value)
            value = Node(self.path, value_node, f"{self.name}.{key}" if self.name else key)
            at_key = Node(self.path, key_node, self.name)
            if keys is not None and key not in keys:
                raise at_key.error(f"one of {', '.join(sorted(keys))}", f"{key!r}")
            if key in values:
                raise at_key.error("each key once", f"{key!r} again")
            values[key] = value
        return values

    def sequence(self) -> Iterator[Node]:
        """Return its values in order."""
        if type(self._node).__name__ != "SequenceNode":
            raise self.error("a list", repr(self.value()))
        for index, node in enumerate(self._node.value):
            yield Node(self.path, node, f"{self.name}[{index}]")


def read_yaml(path: str | PathLike[str]) -> Node:
    """Read a file.

    Raises:
        ScenarioError: It is no YAML, or empty.
        ImportError: pyyaml is not installed.
        OSError: It cannot be read.
    """
    yaml = _yaml()
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ScenarioError(f"{path}:{line}: expected YAML, but got {error}") from error
    if node is None:
        raise ScenarioError(f"{path}:1: expected a mapping, but got an empty file")
    return Node(path, node)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        message = "scenario files and recordings need pyyaml: pip install 'voicelane[simulator]'"
        raise ImportError(message) from error
    return yaml
