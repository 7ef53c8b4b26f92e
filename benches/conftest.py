"""Collects what the benches measured into one file, target/bench.json."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from peers import ROOT

from voicelane.cli.bench.results import new_results, save

OUTPUT = ROOT / "target" / "bench.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="fewer cases and calls")


@pytest.fixture(scope="session")
def is_quick(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--quick"))


@pytest.fixture(scope="session")
def results(is_quick: bool) -> Iterator[dict[str, Any]]:
    found = new_results() | {"command": "make bench-quick" if is_quick else "make bench"}
    yield found
    OUTPUT.parent.mkdir(exist_ok=True)
    save(found, OUTPUT)


@pytest.fixture
def record(results: dict[str, Any]) -> Callable[[list[dict[str, Any]]], None]:
    """Takes the rounds of one case: the row of the median one, and how far they lie apart."""

    def take(answers: list[dict[str, Any]]) -> None:
        for name, version in answers[0]["versions"].items():
            known = results["versions"].get(name, version)
            # The same name in several environments: all that were compared.
            parts = dict.fromkeys([*known.split(" and "), version])
            results["versions"][name] = " and ".join(parts)
        rows = [answer["row"] for answer in answers]
        if "p50_us" not in rows[0]:
            results["rows"].append(rows[0])
            return
        rows.sort(key=lambda row: float(row["p50_us"]))
        times = [row["p50_us"] for row in rows]
        spread = (times[-1] - times[0]) / statistics.median(times)
        results["rows"].append({**rows[len(rows) // 2], "spread": spread})

    return take
