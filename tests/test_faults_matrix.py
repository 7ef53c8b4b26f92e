"""Every fault in every phase of a call: the session recovers, or ends with one typed error."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest

from fault_calls import CLOSES, PHASES, RECOVERS, WAITS, Call, Fault, quick_times
from neighbour import nothing_left
from support import until
from voicelane.simulator import Faults

_NOT_NEEDED = (
    "response.audio_transcript.delta",
    "response.content_part.added",
    "conversation.item.input_audio_transcription.delta",
    "input_audio_buffer.committed",
    "warning",
)
_REPEATED = (
    *_NOT_NEEDED,
    "session.updated",
    "conversation.item.created",
    "response.created",
    "response.output_item.done",
    "response.audio.done",
    "response.done",
)
_CUT = Faults(close_after_bytes=0, close_code=None)


def closed(code: int) -> Faults:
    return Faults(close_after_bytes=0, close_code=code, close_reason="because")


FAULTS = {
    "latency and jitter": Fault(Faults(latency_ms=5, jitter_ms=10)),
    "a narrow line": Fault(Faults(bytes_per_s=1_000_000)),
    "events dropped": Fault(Faults(drop_events=_NOT_NEEDED)),
    "events malformed": Fault(
        Faults(malformed_events=_NOT_NEEDED), errors=frozenset({"ValueError", "JSONDecodeError"})
    ),
    "events duplicated": Fault(Faults(duplicate_events=_REPEATED)),
    "deltas after a cancel": Fault(Faults(late_deltas=5), is_cut_off=True),
    "error events": Fault(Faults(error_every_events=5), errors=frozenset({"ServiceError"})),
    "mute: accepts, never answers": Fault(
        Faults(accept_silently=True), open=WAITS, connecting="SessionNotReadyError"
    ),
    "TCP silent": Fault(
        Faults(silent_after_bytes=0),
        open=RECOVERS,
        connecting="ConnectTimeoutError",
        is_silent=True,
    ),
    "server stops reading": Fault(
        Faults(stop_reading_after_bytes=0),
        open=RECOVERS,
        connecting="ConnectTimeoutError",
        is_silent=True,
    ),
    "cut": Fault(_CUT, open=RECOVERS, connecting="ConnectError"),
    "cut within a frame": Fault(
        Faults(close_after_bytes=37, close_code=None), open=RECOVERS, connecting="ConnectError"
    ),
    "a byte corrupted": Fault(
        Faults(corrupt_byte=0), open="ConnectionLostError 1002", connecting="ConnectError"
    ),
    **{
        f"closed {code}": Fault(
            closed(code), open=RECOVERS, connecting=f"ConnectionLostError {code}"
        )
        for code in (1000, 1001, 1011, 1012, 1013, 4000)
    },
    **{
        f"closed {code}": Fault(
            closed(code),
            open=f"ConnectionLostError {code}",
            connecting=f"ConnectionLostError {code}",
        )
        for code in (1002, 1003, 1007, 1008, 1009)
    },
    "expired in mid-sentence": Fault(
        Faults(expire_after_deltas=3),
        open=RECOVERS,
        connecting=None,
        errors=frozenset({"ServiceError session_expired"}),
    ),
    "server restarts": Fault(
        restarts=lambda sim: sim.restart(), open=RECOVERS, connecting="ConnectionLostError 1012"
    ),
    "server crashes": Fault(
        restarts=lambda sim: sim.restart(code=None, down_s=0.02),
        open=RECOVERS,
        connecting="ConnectionLostError 1006",
    ),
    "cut, then 401": Fault(
        _CUT,
        later=Faults(refuse_with_status=401),
        open="ConnectionLostError 1006",
        connecting=None,
    ),
    "cut, then 429 once": Fault(
        _CUT,
        later=Faults(refuse_with_status=429, retry_after_s=0, first_connections=2),
        open=RECOVERS,
        connecting=None,
    ),
    "cut, then 503 for good": Fault(
        _CUT,
        later=Faults(refuse_with_status=503),
        open="ConnectionLostError 1006",
        connecting=None,
    ),
    **{
        f"refused {status}": Fault(Faults(refuse_with_status=status), connecting=error)
        for status, error in {
            401: "AuthenticationError 401",
            429: "ConnectError 429",
            503: "ConnectError 503",
        }.items()
    },
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_in_each_phase(
    name: str, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    fault = FAULTS[name]
    if fault.is_silent:
        quick_times(monkeypatch)
    phases = [phase for phase in PHASES if phase != "connecting" or fault.connecting is not None]
    if name.startswith("refused"):  # which an open connection is not
        phases = ["connecting"]
    calls = [Call(fault, phase) for phase in phases]
    async with nothing_left():
        outcomes = await asyncio.gather(*(call.hold() for call in calls), return_exceptions=True)
    raise_failures(phases, outcomes)
    expected = dict.fromkeys(phases, fault.open)
    expected |= {"connecting": fault.connecting, "closing": CLOSES}
    assert outcomes == [expected[phase] for phase in phases]
    record_property("fault", name)
    record_property("outcomes", dict(zip(phases, outcomes, strict=True)))
    models = [weakref.ref(call.model) for call in calls]
    calls.clear()

    def left() -> list[object]:
        gc.collect()
        return [one for model in models if (one := model()) is not None]

    await until(lambda: not left())


def raise_failures(phases: list[str], outcomes: list[str | BaseException]) -> None:
    failures = []
    for phase, outcome in zip(phases, outcomes, strict=True):
        if isinstance(outcome, Exception):
            outcome.add_note(f"phase: {phase}")
            failures.append(outcome)
    if failures:
        raise ExceptionGroup("in some phases", failures)
