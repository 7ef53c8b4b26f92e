"""What went over one websocket, frame by frame, as a file: writing it, and reading it."""

from __future__ import annotations

import itertools
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from .events import Event
from .yaml_nodes import read_yaml

Direction = Literal["sent", "received"]
NOT_RECORDED = "[not recorded]"
_SECRET_KEYS = frozenset({"authorization", "headers", "api_key", "api-key", "credential"})
# What YAML does not take as it is. JSON's escapes are YAML's too, but for pairs of surrogates.
_UNPRINTABLE = re.compile("[\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event on its way.

    Attributes:
        direction: As the client sees it: what it "sent", or "received" from the service.
        data: The event.
        at_ms: When, from the begin of the connection; None where that is not known.
    """

    direction: Direction
    data: Event
    at_ms: float | None = None


def read_recording(path: str | PathLike[str]) -> tuple[Frame, ...]:
    """Read a recording.

    Raises:
        ScenarioError: The file is not one; names file, line, what was expected and what came.
        ImportError: pyyaml is not installed.
        OSError: The file cannot be read.
    """
    root = read_yaml(path)
    keys = root.mapping({"version", "interactions"})
    if "version" not in keys or "interactions" not in keys:
        raise root.error("version and interactions", ", ".join(keys))
    if (version := keys["version"].value()) != 1:
        raise keys["version"].error("1", repr(version))
    frames: list[Frame] = []
    for node in keys["interactions"].sequence():
        values = node.mapping({"kind", "direction", "data", "at_ms"})
        if "direction" not in values or "data" not in values:
            raise node.error("direction and data", ", ".join(values))
        direction = values["direction"].value()
        if direction not in ("sent", "received"):
            raise values["direction"].error("sent or received", repr(direction))
        data = values["data"].of_type(dict, "an event")
        if not isinstance(data.get("type"), str):
            raise values["data"].error("an event with its type", repr(data))
        at_ms = values["at_ms"].of_type((int, float), "a number") if "at_ms" in values else None
        frames.append(Frame(direction, data, at_ms))
    return tuple(frames)


class RecordingWriter:
    """Writes a connection's events to a file as they go; one line each, which is YAML too.

    Headers, URL and query are not written, nor what stands under a key such as "authorization".

    Args:
        folder: Where; it is made. The file takes the next free name `connection-N.yaml`.

    Attributes:
        path: The file.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            self.path = Path(folder) / f"connection-{number}.yaml"
            with suppress(FileExistsError):  # other processes may write there, too
                self._file = self.path.open("x", encoding="utf-8")
                break
        self._start_s = time.monotonic()
        self._file.write("version: 1\ninteractions:\n")

    def take(self, direction: Direction, event: Event) -> None:
        """Write one event."""
        frame = {
            "kind": "message",
            "direction": direction,
            "at_ms": round((time.monotonic() - self._start_s) * 1000, 1),
            "data": _without_secrets(event),
        }
        text = json.dumps(frame, ensure_ascii=False)
        self._file.write(f"- {_UNPRINTABLE.sub(_escaped, text)}\n")

    def take_message(self, message: str | bytes) -> None:
        """Write what the client sent, if it is a JSON object: nothing else can be told in the format."""
        try:
            event = json.loads(message)
        except (ValueError, RecursionError):
            return
        if isinstance(event, dict) and isinstance(event.get("type"), str):
            self.take("sent", event)

    def close(self) -> None:
        """End the file."""
        self._file.close()


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: NOT_RECORDED if key.lower() in _SECRET_KEYS and inner else _without_secrets(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return value
