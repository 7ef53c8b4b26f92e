"""A recorded conversation served again: the service's part, as soon as the client has done its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from .events import Event
from .expectations import differences
from .record import APPEND, Record
from .recording import NOT_RECORDED, Frame


class Replay:
    """Stands where a `Conversation` stands, and says what was recorded, to the letter.

    A server event waits for what the client said before it in the recording; of audio, for as many
    bytes. What belongs to a response that has begun does not wait: the service pushes it.

    Args:
        frames: The recording.
        record: Where client events are noted.
        keeps_time: Send each server event as long after the one before as in the recording.

    Attributes:
        deviations: Where the client did otherwise than the recorded one, a line each.
        session: The session's options, as last told.
    """

    def __init__(self, frames: Sequence[Frame], record: Record, *, keeps_time: bool) -> None:
        if keeps_time and any(frame.at_ms is None for frame in frames):
            raise ValueError("timing: expected a recording with at_ms, but got one without")
        self.deviations: list[str] = []
        self.session: Event = {}
        self._record = record
        self._keeps_time = keeps_time
        self._frames = frames
        self._next = 0
        self._awaited: list[tuple[int, Event]] = []  # client events that were passed, not yet seen
        self._early: list[Event] = []  # client events that were not yet awaited
        self._owed_audio_bytes = 0
        self._begun: set[str] = set()
        self._ids: dict[str, str] = {}  # of items: the recorded client's, and this one's
        self._last: tuple[float, float] | None = None  # the time, and at_ms, of the last event

    def open(self) -> list[Event]:
        """Return nothing: the greeting is recorded, and due at once."""
        return []

    def receive(self, text: str, now_s: float) -> list[Event]:
        """Take one client message."""
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            self.deviations.append(f"expected a JSON object, but got {text[:100]!r}")
            return []
        if event.get("type") == APPEND:
            audio = _audio_of(event)
            self._record.take_audio(audio)
            self._owed_audio_bytes -= len(audio)
        else:
            self._record.take_event(event)
            self._early.append(event)
        self._move(now_s)
        return []

    @property
    def due_s(self) -> float | None:
        """When `advance` is to be called; None until the client has done its part."""
        if self._next == len(self._frames):
            return None
        frame = self._frames[self._next]
        if frame.direction == "sent" or (self._is_waiting and not self._is_pushed(frame.data)):
            return None
        if self._last is None or not self._keeps_time:
            return 0.0
        last_s, last_ms = self._last
        return last_s + ((frame.at_ms or 0) - last_ms) / 1000

    def advance(self, now_s: float) -> list[Event]:
        """Return the next server event."""
        if self.due_s is None:
            return []
        frame = self._frames[self._next]
        self._next += 1
        self._last = (now_s, frame.at_ms or 0)
        if frame.data["type"] in ("session.created", "session.updated"):
            self.session = frame.data["session"]
        if frame.data["type"] == "response.created":
            self._begun.add(frame.data["response"]["id"])
        self._move(now_s)
        return [_renamed(frame.data, self._ids)]

    def missing(self) -> list[str]:
        """What the client would still have had to do, a line each."""
        rest = [frame.data for frame in self._frames[self._next :] if frame.direction == "sent"]
        awaited = [event for _, event in self._awaited]
        lines = [f"expected {_short(event)}, which did not come" for event in awaited]
        lines += [
            f"expected {_short(event)}, which did not come"
            for event in rest
            if event["type"] != APPEND
        ]
        if self._owed_audio_bytes > 0:
            lines.append(f"expected {self._owed_audio_bytes} more bytes of audio")
        return lines + [f"expected nothing more, but got {_short(event)}" for event in self._early]

    @property
    def _is_waiting(self) -> bool:
        return bool(self._awaited) or self._owed_audio_bytes > 0

    def _is_pushed(self, event: Event) -> bool:
        response = event.get("response", {})
        return event.get("response_id", response.get("id")) in self._begun

    def _move(self, now_s: float) -> None:
        """Pass the client's frames up to the next server event, and tick off what has come."""
        while self._next < len(self._frames) and self._frames[self._next].direction == "sent":
            frame = self._frames[self._next]
            self._next += 1
            self._last = (now_s, frame.at_ms or 0)
            if frame.data["type"] == APPEND:
                self._owed_audio_bytes += len(_audio_of(frame.data))
            else:
                self._awaited.append((self._next, frame.data))
        while self._early and self._awaited:
            self._tick_off(self._early.pop(0))
            # The time that a wait took is not the recording's.
            self._last = (now_s, self._last[1]) if self._last else None

    def _tick_off(self, event: Event) -> None:
        kinds = [awaited["type"] for _, awaited in self._awaited]
        if event.get("type") not in kinds:
            self.deviations.append(f"expected {kinds[0]}, but got {_short(event)}")
            return
        place = kinds.index(event["type"])
        if place:
            self.deviations.append(f"expected {kinds[0]} first, but got {_short(event)}")
        number, awaited = self._awaited.pop(place)
        recorded_id, own_id = (one.get("item", {}).get("id") for one in (awaited, event))
        if isinstance(recorded_id, str) and isinstance(own_id, str):
            self._ids[recorded_id] = own_id
        awaited = _renamed(awaited, self._ids)
        self.deviations += [
            f"event {number}, {event['type']}, {line.removeprefix('.')}"
            for line in differences(_comparable(awaited), event)
        ]


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """`value` with every text that is a key of `names` replaced."""
    match value:
        case dict():
            return {key: _renamed(inner, names) for key, inner in value.items()}
        case list():
            return [_renamed(inner, names) for inner in value]
        case str():
            return names.get(value, value)
    return value


def _comparable(value: Any) -> Any:
    """A recorded event without what another run cannot repeat: its id, and secrets."""
    if isinstance(value, dict):
        return {
            key: _comparable(inner)
            for key, inner in value.items()
            if key != "event_id" and inner != NOT_RECORDED
        }
    return [_comparable(inner) for inner in value] if isinstance(value, list) else value


def _audio_of(event: Event) -> bytes:
    audio = event.get("audio")
    try:
        return base64.b64decode(audio) if isinstance(audio, str) else b""
    except ValueError:
        return b""


def _short(event: Event) -> str:
    text = json.dumps(event, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."
