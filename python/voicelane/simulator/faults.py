"""What a test can break on purpose: one vocabulary for the handshake, the bytes and the events."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any, Self

# A client can do without these, or knows them from another event too.
_DISPENSABLE = (
    "response.audio_transcript.delta",
    "response.content_part.added",
    "response.content_part.done",
    "conversation.item.input_audio_transcription.delta",
    "input_audio_buffer.committed",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Faults:
    """What the simulator does wrong; by default nothing.

    Bytes, deltas and events are counted from the beginning of the connection, or from when its
    `Connection.faults` were set.

    Attributes:
        refuse_with_status: Answer the websocket handshake with an HTTP status such as 401 or 503.
        retry_after_s: How long that answer asks to be left alone (`Retry-After`, whole seconds).
        accept_silently: Accept the websocket and read it, but never send an event.

        latency_ms: How much later everything arrives, in both directions.
        jitter_ms: How much later still, drawn anew for each piece; the order is kept.
        bytes_per_s: No more goes through in either direction.
        corrupt_byte: The byte that the client gets with all its bits turned, counted from 0.
        close_after_bytes: End the connection after the client got so many bytes: with the code
            None right there, else by a close frame at the next boundary between two frames.
        silent_after_bytes: After the client got so many bytes, nothing goes through any more, in
            either direction, and the TCP connection stays open.
        stop_reading_after_bytes: Read nothing more after the client sent so many bytes, so that
            TCP fills up. What was said is still answered.

        close_after_deltas: Close in mid-turn, after this many `response.audio.delta` events; with 0
            after the first event.
        close_code: The websocket code of a close; None cuts the TCP connection without one.
        close_reason: The reason that goes with `close_code`.
        expire_after_deltas: The session has lasted too long, in mid-turn after this many deltas: an
            error `session_expired`, and a close with 1001.
        drop_events: Types of events that are not sent.
        malformed_events: Types of events that are sent broken: cut off, no object, of wrong types.
        duplicate_events: Types of events that are sent twice.
        every_nth_event: Drop, break and duplicate only each n-th event of its type.
        late_deltas: So many deltas of a cancelled response are sent all the same, before its end
            and again after it.
        error_every_events: After each so many events, an `error` that the client did nothing for.

        first_connections: Only that many connections are faulty, later ones are served well
            (to test reconnection); None means all.
        seed: Where the jitter comes from.

    Raises:
        ValueError: A value is out of range.
    """

    refuse_with_status: int | None = None
    retry_after_s: int | None = None
    accept_silently: bool = False

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bytes_per_s: int | None = None
    corrupt_byte: int | None = None
    close_after_bytes: int | None = None
    silent_after_bytes: int | None = None
    stop_reading_after_bytes: int | None = None

    close_after_deltas: int | None = None
    close_code: int | None = 1011
    close_reason: str = "simulated fault"
    expire_after_deltas: int | None = None
    drop_events: Collection[str] = ()
    malformed_events: Collection[str] = ()
    duplicate_events: Collection[str] = ()
    every_nth_event: int = 1
    late_deltas: int = 0
    error_every_events: int | None = None

    first_connections: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name}: expected {least} or above, but got {value}")
        for name in ("drop_events", "malformed_events", "duplicate_events"):
            if isinstance(value := getattr(self, name), str):
                raise ValueError(f"{name}: expected a list of event types, but got {value!r}")

    @classmethod
    def random(cls, seed: int) -> Self:
        """Return the mixture of this seed: one to three nuisances, and mostly an end of the connection.

        The first connection or the first two have it. Nothing is in it that a client must not survive
        or cannot tell from a service that is busy.
        """
        draw = random.Random(seed)
        chosen = draw.sample(_NUISANCES, draw.randint(1, 3)) + draw.sample(_ENDS, 1)
        values = {name: value for one in chosen for name, value in one(draw).items()}
        return cls(**values, first_connections=draw.randint(1, 2), seed=seed)

    def for_connection(self, index: int) -> Faults:
        """Return the faults of the connection with this index, counted from 0."""
        spared = self.first_connections is not None and index >= self.first_connections
        return NO_FAULTS if spared else self

    def __repr__(self) -> str:
        values = ((field.name, field.default, getattr(self, field.name)) for field in fields(self))
        told = (f"{name}={value!r}" for name, default, value in values if value != default)
        return f"Faults({', '.join(told)})"


_LEAST = {
    "refuse_with_status": 400,
    "retry_after_s": 0,
    "latency_ms": 0,
    "jitter_ms": 0,
    "bytes_per_s": 1,
    "corrupt_byte": 0,
    "close_after_bytes": 0,
    "silent_after_bytes": 0,
    "stop_reading_after_bytes": 0,
    "close_after_deltas": 0,
    "close_code": 1000,
    "expire_after_deltas": 1,
    "every_nth_event": 1,
    "late_deltas": 0,
    "error_every_events": 1,
    "first_connections": 0,
}

_Draw = Callable[[random.Random], dict[str, Any]]

_NUISANCES: tuple[_Draw, ...] = (
    lambda draw: {"latency_ms": draw.randint(0, 20), "jitter_ms": draw.randint(1, 20)},
    lambda draw: {"bytes_per_s": draw.randint(1_000_000, 10_000_000)},
    lambda draw: {"drop_events": draw.sample(_DISPENSABLE, 2)},
    lambda draw: {"malformed_events": draw.sample(_DISPENSABLE, 2)},
    lambda draw: {"duplicate_events": draw.sample(_DISPENSABLE, 2)},
    lambda draw: {"late_deltas": draw.randint(1, 5)},
    lambda draw: {"error_every_events": draw.randint(5, 40)},
)
_MANY_BYTES = 300_000  # as a conversation of a few turns has
_ENDS: tuple[_Draw, ...] = (
    lambda draw: {},
    lambda draw: {"refuse_with_status": draw.choice((401, 429, 500, 503)), "retry_after_s": 0},
    lambda draw: {"accept_silently": True},
    lambda draw: {"close_after_bytes": draw.randrange(_MANY_BYTES), "close_code": None},
    lambda draw: {
        "close_after_bytes": draw.randrange(_MANY_BYTES),
        "close_code": draw.choice((1000, 1001, 1008, 1011, 1012, 1013, 4000)),
    },
    lambda draw: {"corrupt_byte": draw.randrange(_MANY_BYTES)},
    lambda draw: {"silent_after_bytes": draw.randrange(_MANY_BYTES)},
    lambda draw: {"stop_reading_after_bytes": draw.randrange(_MANY_BYTES)},
    lambda draw: {"expire_after_deltas": draw.randint(1, 30)},
)

NO_FAULTS = Faults()
