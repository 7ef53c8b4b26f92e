"""What a job costs as it grows: one point of an axis at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from time import perf_counter_ns
from typing import Any

from tracks import TRACKS

from voicelane.cli.bench.answers import answer_of
from voicelane.cli.bench.conversions import ROOM, Conversion, chunks, tone_pcm
from voicelane.cli.bench.encoders import ENCODERS
from voicelane.cli.bench.libraries import CannotDo, Library
from voicelane.cli.bench.players import EVENT_FRAMES, PLAYERS, READS, event_text, player_fault
from voicelane.cli.bench.results import Row, distribution, time_calls

PLAYBACKS = {**PLAYERS, **TRACKS}
_EVENTS_PER_S = 10
_AT_ONCE_NS = 500_000_000  # once is enough where it takes longer


@dataclass(frozen=True)
class Axis:
    """What grows.

    Attributes:
        unit: what the axis of the picture says.
        costs: the same of the times.
        libraries: who is measured.
        times_ns: of one library's `make` at a point, for about that many seconds.
        fault: why a library's answer is wrong or late there, or None.
    """

    unit: str
    costs: str
    points: tuple[int, ...]
    libraries: Mapping[str, Library[Any]]
    times_ns: Callable[[Any, int, float], list[int]]
    fault: Callable[[Any, int], str | None]


def grow(axis_name: str, library: Library[Any], at: int, seconds: float) -> Row:
    """The row of one point.

    Raises:
        NotThere: the library is not installed.
    """
    library.check()
    axis, make = AXES[axis_name], library.make
    row: Row = {"axis": axis_name, "library": library.name, "at": at}
    try:
        row["fault"] = axis.fault(make, at)
        return {**row, **distribution(axis.times_ns(make, at, seconds))}
    except CannotDo as error:
        return {**row, "fault": str(error)}


def _backlog(make: Any, backlog_s: int, seconds: float) -> list[int]:
    player, text = make(), event_text(bytes(2 * EVENT_FRAMES))
    for _ in range(backlog_s * _EVENTS_PER_S):
        player.push(text)

    def turn() -> None:
        player.push(text)
        for _ in range(READS):
            player.pull()

    return time_calls(turn, seconds)


def _one_event(make: Any, event_s: int, _seconds: float) -> list[int]:
    text = event_text(bytes(2 * EVENT_FRAMES * _EVENTS_PER_S * event_s))
    times_ns: list[int] = []
    while len(times_ns) < 5 and sum(times_ns) < _AT_ONCE_NS:
        player = make()
        start_ns = perf_counter_ns()
        player.push(text)
        times_ns.append(perf_counter_ns() - start_ns)
    return times_ns


def _playback_fault(make: Any, _at: int) -> str | None:
    return player_fault(make())


def _chunk(make: Any, chunk_frames: int, seconds: float) -> list[int]:
    return _encode(make, ROOM, chunk_frames, seconds)


def _chunk_fault(make: Any, _chunk_frames: int) -> str | None:
    """At 20 ms a call: a longer one is late by itself."""
    return _encode_fault(make, ROOM)


def _rate(make: Any, rate_hz: int, seconds: float) -> list[int]:
    conversion = _from_rate(rate_hz)
    return _encode(make, conversion, conversion.frames_of(20), seconds)


def _rate_fault(make: Any, rate_hz: int) -> str | None:
    return _encode_fault(make, _from_rate(rate_hz))


def _from_rate(rate_hz: int) -> Conversion:
    return Conversion(rate_hz, 1, ROOM.target_hz)


@cache
def _encode_fault(make: Any, conversion: Conversion) -> str | None:
    return answer_of(conversion, make).fault


def _encode(make: Any, conversion: Conversion, chunk_frames: int, seconds: float) -> list[int]:
    encode = make(conversion)
    pcm = tone_pcm(conversion, 997.0, 1.0, 6_000.0)
    calls = cycle(chunks(conversion, pcm, chunk_frames))
    return time_calls(lambda: encode(next(calls)), seconds)


AXES = {
    "backlog": Axis(
        "seconds that wait to be heard",
        "microseconds for 100 ms in and 5 x 20 ms out",
        (0, 1, 10, 60, 300, 600),
        PLAYBACKS,
        _backlog,
        _playback_fault,
    ),
    "one event": Axis(
        "seconds of audio in one event",
        "microseconds to take it",
        (1, 10, 30, 60, 120),
        PLAYBACKS,
        _one_event,
        _playback_fault,
    ),
    "chunk": Axis(
        "frames in a call, 48k stereo -> 24k",
        "microseconds a call",
        (1, 10, 100, 480, 960, 4_800, 48_000),
        ENCODERS,
        _chunk,
        _chunk_fault,
    ),
    "rate": Axis(
        "Hz of the microphone, mono -> 24k",
        "microseconds for 20 ms",
        (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000),
        ENCODERS,
        _rate,
        _rate_fault,
    ),
}
