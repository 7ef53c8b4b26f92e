"""Scenarios as YAML files."""

from __future__ import annotations

import json
import wave
from collections.abc import Collection
from dataclasses import fields
from os import PathLike
from typing import Any, get_args, get_origin, get_type_hints

from .expectations import NO_EXPECTATIONS, Expect
from .faults import NO_FAULTS, Faults
from .replies import McpCall, Reply, ToolCall
from .scenario import Answer, Part, Scenario, Turn
from .yaml_nodes import Node, ScenarioError, read_yaml

_PLAIN_TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "null",
}
_PART_KEYS = {"say", "wav", "call", "arguments", "server", "output", "error", "delay_ms"}
_TURN_KEYS = _PART_KEYS | {"user", "when", "parts", "then"}
# What makes sense beside another key alone.
_NEEDED_BY = {
    "wav": "say",
    "arguments": "call",
    "server": "call",
    "output": "server",
    "error": "server",
}


def read_scenario(path: str | PathLike[str]) -> Scenario:
    """Read a scenario (docs/testing-with-the-simulator.md has the keys).

    Raises:
        ScenarioError: The file is not one; names file, line, what was expected and what came.
        ImportError: pyyaml is not installed.
        OSError: The file, or a WAV file that it names, cannot be read.
    """
    keys = read_yaml(path).mapping({"turns", "repeat", "faults", "expect"})
    transcripts: list[str | None] = []
    turns = tuple(_turn(node, transcripts) for node in _nodes(keys, "turns"))
    return Scenario(
        turns=turns,
        user_transcripts=tuple(transcripts),
        repeat=keys["repeat"].of_type(bool, "true or false") if "repeat" in keys else False,
        faults=_faults(keys["faults"]) if "faults" in keys else NO_FAULTS,
        expect=_expect(keys["expect"]) if "expect" in keys else NO_EXPECTATIONS,
    )


def _nodes(keys: dict[str, Node], key: str) -> list[Node]:
    return list(keys[key].sequence()) if key in keys else []


def _turn(node: Node, transcripts: list[str | None]) -> Turn:
    keys = node.mapping(_TURN_KEYS)
    if "user" in keys:
        transcripts.append(keys["user"].of_type((str, type(None)), "a text or null"))
    try:
        return Turn(
            answer=_answer(node, keys),
            when=keys["when"].of_type(str, "a regular expression") if "when" in keys else None,
            then=tuple(_turn(one, transcripts) for one in _nodes(keys, "then")),
        )
    except ScenarioError:
        raise
    except ValueError as error:
        raise node.error("a turn", str(error)) from error


def _answer(node: Node, keys: dict[str, Node]) -> Answer:
    if "parts" not in keys:
        return _part(node, keys)
    own = sorted(keys.keys() & _PART_KEYS)
    if own:
        raise keys[own[0]].error("it within 'parts'", "it beside them")
    return tuple(_part(one, one.mapping(_PART_KEYS)) for one in keys["parts"].sequence())


def _part(node: Node, keys: dict[str, Node]) -> Part:
    delay_ms = keys["delay_ms"].of_type(int, "milliseconds") if "delay_ms" in keys else 0
    if delay_ms < 0:
        raise keys["delay_ms"].error("zero or above", str(delay_ms))
    if ("say" in keys) == ("call" in keys):
        raise node.error("either 'say' or 'call'", "both" if "say" in keys else "neither")
    for key, owner in _NEEDED_BY.items():
        if key in keys and owner not in keys:
            raise keys[key].error(f"{owner!r} beside it", "none")
    if "call" in keys:
        return _call(keys, delay_ms)
    text = keys["say"].of_type(str, "a text")
    if "wav" not in keys:
        return Reply(text, delay_ms=delay_ms)
    wav = node.path.parent / keys["wav"].of_type(str, "a path")
    try:
        return Reply.from_wav(wav, text, delay_ms)
    except (OSError, ValueError, EOFError, wave.Error) as error:
        raise keys["wav"].error("a WAV file of 24000 Hz, mono, 16 bits", str(error)) from error


def _call(keys: dict[str, Node], delay_ms: int) -> ToolCall | McpCall:
    name = keys["call"].of_type(str, "a function's name")
    values = keys["arguments"].of_type(dict, "a mapping") if "arguments" in keys else {}
    arguments = json.dumps(values, ensure_ascii=False)
    if "server" not in keys:
        return ToolCall(name, arguments, delay_ms)
    return McpCall(
        keys["server"].of_type(str, "the label of an MCP server"),
        name,
        arguments,
        output=keys["output"].of_type(str, "a text") if "output" in keys else "",
        error=keys["error"].of_type(str, "a text") if "error" in keys else None,
        delay_ms=delay_ms,
    )


def _faults(node: Node) -> Faults:
    keys = node.mapping({field.name for field in fields(Faults)})
    hints = get_type_hints(Faults)
    values = {key: _fault(value, hints[key]) for key, value in keys.items()}
    try:
        return Faults(**values)
    except ValueError as error:
        raise node.error("the fields of Faults", str(error)) from error


def _fault(node: Node, hint: Any) -> Any:
    if get_origin(hint) is Collection:
        return tuple(one.of_type(str, "an event's type") for one in node.sequence())
    kinds = get_args(hint) or (hint,)
    expected = " or ".join(_PLAIN_TYPES[kind] for kind in kinds)
    return node.of_type((*kinds, int) if float in kinds else kinds, expected)


def _expect(node: Node) -> Expect:
    keys = node.mapping({"events", "never", "session"})
    return Expect(
        events=tuple(map(_event_pattern, _nodes(keys, "events"))),
        never=tuple(map(_event_pattern, _nodes(keys, "never"))),
        session=keys["session"].of_type(dict, "a mapping") if "session" in keys else {},
    )


def _event_pattern(node: Node) -> dict[str, Any]:
    """`response.create`, or `conversation.item.truncate: {audio_end_ms: ...}`."""
    value = node.of_type((str, dict), "an event's type, alone or with its fields")
    if isinstance(value, str):
        return {"type": value}
    if len(value) != 1:
        raise node.error("one event", f"{len(value)} keys")
    ((kind, event_fields),) = value.items()
    if not isinstance(event_fields, dict):
        raise node.error("the event's fields as a mapping", repr(event_fields))
    return {"type": kind, **event_fields}
