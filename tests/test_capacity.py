"""The plan for many calls: its sums, and what its simulation must hold."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHES = Path(__file__).parent.parent / "benches"


@pytest.fixture
def capacity(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHES)
    return importlib.import_module("capacity")


def outcome(capacity: Any, *arguments: str) -> Any:
    options = capacity.parser().parse_args(["--calls", "500", "--call-s", "60", *arguments])
    return capacity.Simulation(options, capacity.fleet(options)).run()


def test_the_sum(capacity: Any) -> None:
    options = capacity.parser().parse_args(["--cpu-ms", "6", "--max-calls", "130"])
    size = capacity.fleet(options)
    assert round(size.arrivals_per_s, 1) == 333.3
    assert size.replicas == 1_099  # of 91 calls each
    assert size.machines == 69  # by 16 replicas each, as 63 would do by their cores
    assert size.resources_for_connects == 667  # at 30 a minute
    assert size.resources_for_tokens == 750  # at 120,000 a minute
    # 96 kB of the page and half of 64 kB of the service; 64 kB to the service and half of 48 kB to the page.
    assert size.machine_in_gbit_s == pytest.approx(size.calls_per_machine * 128_000 * 8e-9)
    assert size.machine_out_gbit_s == pytest.approx(size.calls_per_machine * 88_000 * 8e-9)


def test_with_reserve_everybody_is_back(capacity: Any) -> None:
    seen = outcome(capacity, "--resources", "100", "--lose", "2", "--fill", "0.4")
    assert seen.cut_off > 50
    assert len(seen.back_after_s) == seen.cut_off
    # The page's first delay is 0.25 to 0.5 s; nothing made it wait longer.
    assert 0.25 <= min(seen.back_after_s) <= max(seen.back_after_s) <= 0.5
    assert (seen.refused_at_first, seen.given_up, seen.cut_off_given_up) == (0, 0, 0)


def test_without_reserve_the_service_refuses(capacity: Any) -> None:
    seen = outcome(capacity, "--resources", "17", "--lose", "3")
    assert seen.refused_at_first > 0
    assert max(seen.back_after_s) > 0.5
    assert len(seen.back_after_s) + seen.cut_off_given_up <= seen.cut_off


def test_a_fleet_without_room_fills_no_replica_beyond_its_limit(capacity: Any) -> None:
    seen = outcome(capacity, "--fill", "1.0", "--max-calls", "50", "--resources", "200")
    assert seen.busiest_replica == 50


def test_the_same_seed_tells_the_same(capacity: Any) -> None:
    assert outcome(capacity, "--lose", "2") == outcome(capacity, "--lose", "2")
    assert outcome(capacity, "--lose", "2") != outcome(capacity, "--lose", "2", "--seed", "2")


def test_the_command() -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, BENCHES / "capacity.py", *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    assert "--calls" in run("--help")
    told = run("--calls", "300", "--seconds", "10")
    assert told.startswith("300 calls of 300 s: 1 new a second\n")
    assert "fullest replica" in told
