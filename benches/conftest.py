"""Collects what the benches measured into one file, target/bench.json."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest
from agree import agreement
from peers import ROOT

from voicelane.cli.bench.results import load, new_results, save

OUTPUT = ROOT / "target" / "bench.json"
_RESULTS = pytest.StashKey[dict[str, Any]]()
_IS_WHOLE = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="fewer cases and calls")


def pytest_configure(config: pytest.Config) -> None:
    command = "make bench-quick" if config.getoption("--quick") else "make bench"
    config.stash[_RESULTS] = new_results() | {"command": command, "growth": []}
    config.stash[_IS_WHOLE] = config.args == ["benches"] and not config.option.collectonly


@pytest.fixture(scope="session")
def is_quick(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--quick"))


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> dict[str, Any]:
    return pytestconfig.stash[_RESULTS]


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
        kept = results["growth" if "axis" in rows[0] else "rows"]
        if "p50_us" not in rows[0]:
            kept.append(rows[0])
            return
        rows.sort(key=lambda row: float(row["p50_us"]))
        times = [row["p50_us"] for row in rows]
        median = rows[len(rows) // 2]
        if len(rows) > 1:
            median["spread"] = (times[-1] - times[0]) / statistics.median(times)
        kept.append(median)

    return take


def pytest_deselected(items: list[pytest.Item]) -> None:
    items[0].config.stash[_IS_WHOLE] = False


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A part of the cases, or a run that failed, is nothing to make the page of."""
    if session.config.stash[_IS_WHOLE] and exitstatus == pytest.ExitCode.OK:
        OUTPUT.parent.mkdir(exist_ok=True)
        results = session.config.stash[_RESULTS]
        if before := _run_before(results["command"]):
            results["before"] = agreement(before, results)
        save(results, OUTPUT)


def _run_before(command: str) -> dict[str, Any] | None:
    """The result that is about to be replaced, where it is of the same cases."""
    try:
        before = load(OUTPUT)
    except (OSError, ValueError):  # none, or another version's
        return None
    return before if before["command"] == command else None


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    if not config.stash[_IS_WHOLE] or exitstatus != pytest.ExitCode.OK:
        terminalreporter.line(f"not a whole run: {OUTPUT} is left as it is")
