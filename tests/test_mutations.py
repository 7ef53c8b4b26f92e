"""`make mutate` takes minutes and is not run here: but its faults must fit the code."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts" / "mutate-protocol"


def test_each_fault_can_be_planted_and_each_test_is_there() -> None:
    mutate = runpy.run_path(str(SCRIPT))
    assert mutate["misplaced"]() == []
    named = [name for names in mutate["TESTS"] for name in names]
    assert [name for name in named if not (mutate["ROOT"] / name).exists()] == []
