"""The benchmark of many sessions runs, and what it checks is right: two sessions, for a second."""

from __future__ import annotations

import importlib
import json
import os
import random
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAMS = ("load_server", "floor_client")
PROFILES = ("debug", "release")  # `cargo test` makes the former

REPLY = [random.Random(frame).randbytes(960) for frame in range(10)]
SILENCE = bytes(960)
QUIETER = array("h", [int(sample / 2) for sample in array("h", REPLY[2])]).tobytes()

built = {
    profile: (TARGET / profile / "examples" / PROGRAMS[0]).stat().st_mtime
    for profile in PROFILES
    if all((TARGET / profile / "examples" / name).exists() for name in PROGRAMS)
}


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What holds the frames heard against the reply."""
    monkeypatch.syspath_prepend(ROOT / "benches/sessions")
    return importlib.import_module("meters").Ear(REPLY, first=0)


@pytest.mark.parametrize(
    ("heard", "gap", "cut", "wrong"),
    [
        ([SILENCE, *REPLY, SILENCE, *REPLY], 0, 0, 0),
        ([*REPLY[:3], SILENCE, SILENCE, *REPLY[3:]], 2, 0, 0),
        ([*REPLY[:3], SILENCE, SILENCE], 2, 0, 0),
        ([*REPLY[:3], *REPLY], 0, 1, 0),
        ([*REPLY[:2], QUIETER, *REPLY], 0, 1, 0),
        ([*REPLY[:3], *REPLY[4:5]], 0, 0, 1),
        ([*REPLY[:3], *REPLY[2:3]], 0, 0, 1),
    ],
    ids=["whole", "underrun", "fell silent", "cut off", "faded out", "left out", "twice"],
)
def test_what_is_heard_is_held_against_what_was_said(
    ear: Any, heard: list[bytes], gap: int, cut: int, wrong: int
) -> None:
    for pcm in heard:
        ear.hear(pcm)
    assert (ear.gap_frames, ear.cut_replies, ear.wrong_frames) == (gap, cut, wrong)


@pytest.mark.parametrize(
    ("before", "after", "gaps"),
    [
        ([], [REPLY[5], SILENCE, REPLY[6]], (0, 1, 0)),
        ([SILENCE, SILENCE], REPLY[5:], (0, 0, 2)),
        ([REPLY[3], SILENCE, REPLY[4]], REPLY[5:], (1, 0, 0)),
        ([], [*REPLY[5:], *REPLY * 10, REPLY[0], SILENCE, REPLY[1]], (1, 0, 0)),
    ],
    ids=["after the return", "before the loss was found", "long before", "long after"],
)
def test_silence_around_a_lost_connection_is_told_apart(
    ear: Any, before: list[bytes], after: list[bytes], gaps: tuple[int, int, int]
) -> None:
    for pcm in (*REPLY[:3], *before):
        ear.hear(pcm)
    ear.may_jump()
    for pcm in (SILENCE, *after):
        ear.hear(pcm)
    assert (ear.gap_frames, ear.return_frames, ear.outage_frames) == gaps
    assert ear.wrong_frames == 0


@pytest.mark.skipif(not built, reason="its programs are not built: cargo build --examples")
def test_two_sessions_are_measured_and_nothing_is_wrong(tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    options = [
        "--implementations",
        "native,floor",
        "--sessions",
        "2",
        "--repetitions",
        "1",
        "--no-tls",
    ]
    times = ["--warmup-s", "0.3", "--window-s", "0.7"]
    done = subprocess.run(
        [sys.executable, "benches/sessions/bench.py", *options, *times, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "BENCH_SESSIONS_PROFILE": max(built, key=built.__getitem__)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    runs = json.loads(output.read_text())["runs"]
    assert [run["implementation"] for run in runs] == ["native", "floor"]
    for run in runs:
        [found] = run["repetitions"]
        assert found["wrong"] == []
        assert found["lost_appends"] == 0
        assert found["late_p50_ms"] > 0
