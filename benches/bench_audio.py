"""The audio path beside its peers: `make bench`, `make bench-quick`.

Groups *encode*, *latency of a call*, *event text*, *decode and playback*. Each library runs in a process of
its own on one CPU. A round of pytest-benchmark is one such measurement, so its own statistics are the spread
between rounds; the figures of a call, and what was right or wrong, go into target/bench.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from peers import PLUGIN, PLUGINS, Peer
from situations import GROUP, SITUATIONS

from voicelane.cli.bench.conversions import CHUNKS_MS, CONVERSIONS
from voicelane.cli.bench.encoders import ENCODERS
from voicelane.cli.bench.libraries import NotThere
from voicelane.cli.bench.measure import APPEND_CASE, ENCODE, EVENT_TEXT, PLAYBACK, PLAYBACK_CASE
from voicelane.cli.bench.players import APPENDS, PLAYERS

LIBRARIES = [*(name for name in ENCODERS if name != PLUGIN), *PLUGINS]
JOBS = [(ENCODE, one.name, chunk_ms) for one in CONVERSIONS for chunk_ms in CHUNKS_MS]
ROUNDS = 3


@pytest.fixture(scope="module", params=LIBRARIES)
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    try:
        running = Peer(request.param)
    except NotThere as missing:
        pytest.skip(str(missing))
    with running:
        yield running


@pytest.fixture(scope="module", params=sorted({*APPENDS, *PLAYERS}))
def event_peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with Peer(request.param) as running:
        yield running


@pytest.mark.parametrize(("group", "case", "chunk_ms"), JOBS)
def bench_encode(
    benchmark: Any, record: Any, peer: Peer, group: str, case: str, chunk_ms: int, is_quick: bool
) -> None:
    if is_quick and chunk_ms != 20:
        pytest.skip("--quick")
    _measure(benchmark, record, peer, group, case, chunk_ms=chunk_ms, is_quick=is_quick)


@pytest.mark.parametrize("situation", SITUATIONS)
def bench_latency(benchmark: Any, record: Any, peer: Peer, situation: str, is_quick: bool) -> None:
    _measure(benchmark, record, peer, GROUP, situation, is_quick=is_quick)


@pytest.mark.parametrize(
    ("group", "case", "libraries"),
    [(EVENT_TEXT, APPEND_CASE, APPENDS), (PLAYBACK, PLAYBACK_CASE, PLAYERS)],
    ids=[EVENT_TEXT, PLAYBACK],
)
def bench_events(
    benchmark: Any,
    record: Any,
    event_peer: Peer,
    group: str,
    case: str,
    libraries: Any,
    is_quick: bool,
) -> None:
    if event_peer.library not in libraries:
        pytest.skip("has another name in this group")
    _measure(benchmark, record, event_peer, group, case, is_quick=is_quick)


def _measure(
    benchmark: Any,
    record: Any,
    peer: Peer,
    group: str,
    case: str,
    *,
    is_quick: bool,
    **options: Any,
) -> None:
    answers: list[dict[str, Any]] = []

    def measure() -> None:
        seconds = 0.05 if is_quick else 0.2
        answers.append(peer.measure(group, case, seconds=seconds, **options))

    benchmark.group = f"{group}: {case}"
    try:
        benchmark.pedantic(measure, rounds=1 if is_quick else ROUNDS, iterations=1)
    except NotThere as missing:
        pytest.skip(str(missing))
    record(answers)
