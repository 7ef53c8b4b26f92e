"""The benchmark of many sessions runs, and what it checks is right: two sessions, for a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAMS = ("load_server", "floor_client")
PROFILES = ("debug", "release")  # `cargo test` makes the former

built = [
    profile
    for profile in PROFILES
    if all((TARGET / profile / "examples" / name).exists() for name in PROGRAMS)
]


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
        env={**os.environ, "BENCH_SESSIONS_PROFILE": built[0]},
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
