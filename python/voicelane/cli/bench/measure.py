"""One library at one job: its answer looked at, then its calls timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import cycle
from typing import Any

from .answers import answer_of
from .conversions import BY_NAME, Conversion, chunks, tone
from .libraries import CannotDo, Library
from .players import EVENT_FRAMES, READS, append_fault, event_text, player_fault
from .results import Row, distribution, time_calls

ENCODE, PLAYBACK, EVENT_TEXT = "encode", "decode and playback", "event text"
PLAYBACK_CASE = "100 ms in, 5 x 20 ms out"
APPEND_CASE = "20 ms of PCM -> append event"


def measure(
    group: str, case: str, library: Library[Any], *, chunk_ms: int = 20, seconds: float
) -> Row:
    """One row of the result.

    Raises:
        NotThere: what it needs is not installed.
    """
    library.check()
    row: Row = {"group": group, "case": case, "library": library.name, "answer": {}, "fault": None}
    try:
        call = _MAKERS[group](library.make, row, case, chunk_ms)
    except CannotDo as error:
        return {**row, "fault": str(error)}
    return {**row, **distribution(time_calls(call, seconds))}


def _encode(make: Any, row: Row, case: str, chunk_ms: int) -> Callable[[], object]:
    conversion = BY_NAME[case]
    row["chunk_ms"] = chunk_ms
    answer = answer_of(conversion, make)
    row["answer"], row["fault"] = asdict(answer), answer.fault
    encode = make(conversion)
    calls = cycle(speech_like(conversion, chunk_ms))
    return lambda: encode(next(calls))


def speech_like(conversion: Conversion, chunk_ms: int) -> list[bytes]:
    """Two voiced partials; no library's time depends on what it hears."""
    low = tone(180.0, conversion.source_hz, 1.0, 6_000.0)
    high = tone(1_430.0, conversion.source_hz, 1.0, 3_000.0)
    pcm = conversion.pcm_of([one + other for one, other in zip(low, high, strict=True)])
    return chunks(conversion, pcm, conversion.frames_of(chunk_ms))


def _playback(make: Any, row: Row, _case: str, _chunk_ms: int) -> Callable[[], object]:
    row["fault"] = player_fault(make())
    player, text = make(), event_text(bytes(2 * EVENT_FRAMES))

    def turn() -> None:
        player.push(text)
        for _ in range(READS):
            player.pull()

    return turn


def _event_text(make: Any, row: Row, _case: str, _chunk_ms: int) -> Callable[[], object]:
    append, pcm = make(), bytes(range(240)) * 4
    row["fault"] = append_fault(append)
    return lambda: append(pcm)


_MAKERS: dict[str, Callable[[Any, Row, str, int], Callable[[], object]]] = {
    ENCODE: _encode,
    PLAYBACK: _playback,
    EVENT_TEXT: _event_text,
}
