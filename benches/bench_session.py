"""A session's cost, at few sessions: what `make bench-sessions` measures, in the result of `make bench`."""

from __future__ import annotations

from typing import Any

import pytest
from bench import Bench, parse

_OPTIONS = "--implementations plugin,sdk,native,native-batch --no-tls --repetitions 1"
_WHOLE = "--sessions 1,10,50,100,200,500,1000 --warmup-s 2 --window-s 5"
_QUICK = "--sessions 10 --warmup-s 1 --window-s 2"


@pytest.mark.timeout(600)
def bench_sessions(benchmark: Any, results: dict[str, Any], is_quick: bool) -> None:
    sessions = Bench(parse(f"{_OPTIONS} {_QUICK if is_quick else _WHOLE}".split()))
    benchmark.group = "session"
    benchmark.pedantic(sessions.run, rounds=1, iterations=1)
    results["sessions"] = sessions.result()
    assert not sessions.failures
