"""What a docstring says about a function and its parameters: Google, NumPy and reST style."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

_PARAMETERS = "Args|Arguments|Parameters|Other Parameters|Keyword Args|Keyword Arguments|Attributes"
_OTHERS = "Returns?|Yields?|Raises|Examples?|Notes?|Warnings?|Warns|References|See Also|Todo"
_GOOGLE_SECTION = re.compile(rf"({_PARAMETERS}|{_OTHERS}):\s*$")
_NUMPY_SECTION = re.compile(rf"({_PARAMETERS}|{_OTHERS})\s*$")
_UNDERLINE = re.compile(r"-{3,}\s*$")
_GOOGLE_ENTRY = re.compile(r"\s+\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:(?!:)\s*(.*)$")
_NUMPY_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_REST_FIELD = re.compile(r":(\w+)(?:\s+([^:]*?))?:(?:\s+(.*))?$")
_REST_PARAMETERS = frozenset({"param", "parameter", "arg", "argument", "key", "keyword"})
_NAME_SEPARATOR = re.compile(r"[\s,*]+")


@dataclass(slots=True)
class Docstring:
    """A docstring's text up to its first section, and what it says of each parameter."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Entry:
    """A parameter's text, as far as it was read."""

    names: list[str]
    indent: int
    lines: list[str]


def parse_docstring(text: str) -> Docstring:
    """Reads a docstring whose common indent was taken away (`inspect.getdoc`)."""
    description: list[str] = []
    entries: list[_Entry] = []
    style: Literal["", "google", "numpy", "rest", "other"] = ""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        indent = len(line) - len(line.lstrip())
        if (found := _GOOGLE_SECTION.match(line)) and indent == 0:
            style = "google" if re.fullmatch(_PARAMETERS, found[1]) else "other"
        elif (found := _NUMPY_SECTION.match(line)) and _UNDERLINE.match(following):
            style = "numpy" if re.fullmatch(_PARAMETERS, found[1]) else "other"
        elif found := _REST_FIELD.match(line):
            style = "rest" if found[1] in _REST_PARAMETERS and found[2] else "other"
            if style == "rest":
                # ":param str city: ..." has the type before the name.
                entries.append(_Entry([found[2].split()[-1]], indent, [found[3] or ""]))
        elif not style:
            description.append(line)
        elif style == "google" and (found := _begins_google_entry(line, indent, entries)):
            entries.append(_Entry([found[1]], indent, [found[2]]))
        elif style == "numpy" and indent == 0 and (found := _NUMPY_ENTRY.match(line)):
            names = [name for name in _NAME_SEPARATOR.split(found[1]) if name]
            entries.append(_Entry(names, indent, []))
        elif style != "other" and entries and indent > entries[-1].indent:
            entries[-1].lines.append(line)
    parameters = {name: " ".join(" ".join(e.lines).split()) for e in entries for name in e.names}
    return Docstring(
        "\n".join(description).strip(), {name: said for name, said in parameters.items() if said}
    )


def _begins_google_entry(line: str, indent: int, entries: list[_Entry]) -> re.Match[str] | None:
    # Deeper than the entry before, a colon belongs to that entry's text.
    continues = bool(entries) and indent > entries[-1].indent > 0
    return None if continues else _GOOGLE_ENTRY.match(line)
