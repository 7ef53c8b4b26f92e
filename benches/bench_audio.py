"""Every library beside its peers: `make bench`, `make bench-quick`.

Each library runs in a process of its own, on one CPU where it needs no second. A round of pytest-benchmark is
one such measurement, so its own statistics are the spread between rounds; the figures of a call, and
what was right or wrong, go into target/bench.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import end_to_end
import pytest
import situations
import starting
from growth import AXES, PLAYBACKS
from peers import PLUGIN, PLUGINS, Peer

from voicelane.cli.bench.conversions import CHUNKS_MS, CONVERSIONS
from voicelane.cli.bench.encoders import ENCODERS
from voicelane.cli.bench.libraries import NotThere
from voicelane.cli.bench.measure import APPEND_CASE, ENCODE, EVENT_TEXT, PLAYBACK, PLAYBACK_CASE
from voicelane.cli.bench.players import APPENDS

ROUNDS = 3


@dataclass(frozen=True)
class Job:
    """One case of one library.

    Attributes:
        library: under which it stands in the tables.
        rounds: of a whole run.
        is_quick: whether `--quick` has it too.
        options: what the group needs beside.
    """

    group: str
    case: str
    library: str
    rounds: int = ROUNDS
    is_quick: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.group, self.case, *map(str, self.options.values())])


def _with_versions(libraries: Any) -> list[str]:
    """The plugin is there twice."""
    return [
        *(name for name in libraries if name != PLUGIN),
        *(PLUGINS if PLUGIN in libraries else ()),
    ]


def _jobs() -> Iterator[Job]:
    for library in _with_versions(ENCODERS):
        for conversion in CONVERSIONS:
            for chunk_ms in CHUNKS_MS:
                options = {"chunk_ms": chunk_ms}
                yield Job(
                    ENCODE, conversion.name, library, is_quick=chunk_ms == 20, options=options
                )
        yield from (Job(situations.GROUP, case, library) for case in situations.SITUATIONS)
    yield from (Job(EVENT_TEXT, APPEND_CASE, library) for library in APPENDS)
    yield from (Job(PLAYBACK, PLAYBACK_CASE, library) for library in PLAYBACKS)
    for case, libraries in starting.CASES.items():
        yield from (Job(starting.GROUP, case, name, 1) for name in _with_versions(libraries))
    for case in end_to_end.CASES:
        for library in end_to_end.IMPLEMENTATIONS:
            named = f"{PLUGIN} 1.0.30" if library == PLUGIN else library
            yield Job(end_to_end.GROUP, case, named, 1)
    for name, axis in AXES.items():
        quick = {axis.points[0], axis.points[len(axis.points) // 2], axis.points[-1]}
        for library in _with_versions(axis.libraries):
            yield from (Job(name, str(at), library, 1, at in quick) for at in axis.points)


JOBS = list(_jobs())
# A process has all the jobs of its library, one after the other.
BY_LIBRARY = [
    pytest.param(library, job, id=f"{library}-{job}")
    for library in dict.fromkeys(job.library for job in JOBS)
    for job in JOBS
    if job.library == library
]


@pytest.fixture(scope="module")
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    try:
        running = Peer(request.param)
    except NotThere as missing:
        pytest.skip(str(missing))
    with running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("peer", "job"), BY_LIBRARY, indirect=["peer"], scope="module")
def bench_audio(benchmark: Any, record: Any, peer: Peer, job: Job, is_quick: bool) -> None:
    if is_quick and not job.is_quick:
        pytest.skip("--quick")
    answers: list[dict[str, Any]] = []

    def measure() -> None:
        seconds = 0.04 if is_quick else 0.2
        answers.append(peer.measure(job.group, job.case, seconds=seconds, **job.options))

    benchmark.group = f"{job.group}: {job.case}"
    try:
        benchmark.pedantic(measure, rounds=1 if is_quick else job.rounds, iterations=1)
    except NotThere as missing:
        pytest.skip(str(missing))
    record(answers)
