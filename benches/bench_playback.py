"""100 ms of speech as a raw server event in, 5 x 20 ms out: voicelane beside what people use today.

    pytest benches/bench_playback.py --benchmark-json=playback.json

A round is 1000 such turns. Each library runs in a process of its own on one CPU; what it plays is
checked first, and a wrong answer is recorded, not ranked. The median and the 99th percentile of a turn
are in ``extra_info``.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playback_peers import LIBRARIES, Peer

TURNS = 1_000
_seen: dict[str, dict[str, Any]] = {}


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    slowest = _seen.get("videosdk-agents", {}).get("p50_us")
    print(f"\n\nmicroseconds for 100 ms of speech{'p50':>12}{'p99':>9}   of videosdk-agents")
    for library, seen in _seen.items():
        ratio = f"1/{slowest / seen['p50_us']:.1f}" if slowest else ""
        times = f"{seen['p50_us']:9.2f}{seen['p99_us']:9.2f}" if seen["correct"] else "wrong"
        print(f"{library:36}{times:>18}   {ratio}")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.benchmark(group="100 ms of speech, 1000 times")
def bench_push_an_event_and_read_it(benchmark: Any, library: str) -> None:
    try:
        peer = Peer(library)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    with peer:
        checked = peer.ask("check")
        benchmark.pedantic(peer.ask, (f"turns {TURNS}",), rounds=20, warmup_rounds=3)
        measured = _seen[library] = {**checked, **peer.ask(f"turns {10 * TURNS}")}
    benchmark.extra_info.update(library=library, turn=measured, correct=checked["correct"])
    assert checked["correct"], "what it played is not what was pushed"
