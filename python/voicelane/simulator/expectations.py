"""What a client must do: patterns that its events, or its session, are held against."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .events import Event

Pattern = Mapping[str, Any]
"""An object is met by one that has its keys, whatever else that has; `{"between": [0, 500]}` by a
number in those bounds; `{"matches": "fog|rain"}` by a text in which the expression is found, in any
case; everything else by its equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a client must do on a connection.

    Attributes:
        events: Patterns of client events that must come, in this order; others may come between.
        never: Patterns of client events that must not come.
        session: Pattern of the session's options as they are at the end.
    """

    events: tuple[Pattern, ...] = ()
    never: tuple[Pattern, ...] = ()
    session: Pattern = field(default_factory=dict)

    def unmet(self, received: Iterable[Event], session: Event) -> list[str]:
        """Return what is not met, a line each.

        Args:
            received: The client's events, in order.
            session: The session's options.
        """
        events = list(received)
        lines = [
            f"expected never {_text(pattern)}, but got {_text(event)}"
            for pattern in self.never
            for event in events
            if not differences(pattern, event)
        ]
        rest = iter(events)
        for number, pattern in enumerate(self.events, 1):
            if not any(not differences(pattern, event) for event in rest):
                lines.append(
                    f"expected event {number}, {_text(pattern)}, but got {_nearest(pattern, events)}"
                )
                break
        lines += [f"session{difference}" for difference in differences(self.session, session)]
        return lines


NO_EXPECTATIONS = Expect()


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return where `actual` does not meet the pattern `expected`, as ".path: expected ..., but got ..."."""
    match expected:
        case {"between": [low, high], **rest} if not rest:
            is_number = isinstance(actual, int | float) and not isinstance(actual, bool)
            met = is_number and low <= actual <= high
        case {"matches": str(expression), **rest} if not rest:
            met = isinstance(actual, str) and bool(re.search(expression, actual, re.IGNORECASE))
        case Mapping() if isinstance(actual, Mapping):
            return [
                line
                for key, value in expected.items()
                for line in differences(value, actual.get(key), f"{path}.{key}")
            ]
        case list() if isinstance(actual, list) and len(actual) == len(expected):
            pairs = enumerate(zip(expected, actual, strict=True))
            return [line for i, pair in pairs for line in differences(*pair, f"{path}[{i}]")]
        case _:
            met = expected == actual
    return [] if met else [f"{path}: expected {_text(expected)}, but got {_text(actual)}"]


def _nearest(pattern: Pattern, events: list[Event]) -> str:
    """What of `events` to show to somebody who looks for `pattern`."""
    alike = [event for event in events if event.get("type") == pattern.get("type")]
    if alike:
        return "; ".join(_text(event) for event in alike[-3:])
    return ", ".join(str(event.get("type")) for event in events[-20:]) or "nothing"


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."
