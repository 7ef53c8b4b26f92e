"""The soak with its chaos, in short: sessions whose server is killed come back, and nothing is left of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from test_bench_sessions import ROOT, built


@pytest.mark.skipif(not built, reason="its server is not built: cargo build --examples")
def test_sessions_outlive_their_server(tmp_path: Path) -> None:
    output = tmp_path / "soak.json"
    options = ["--sessions", "10", "--minutes", "0.2", "--hurry", "0.1", "--chaos", "1"]
    done = subprocess.run(
        [sys.executable, "benches/sessions/soak.py", *options, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "BENCH_SESSIONS_PROFILE": max(built, key=built.__getitem__)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(output.read_text())
    assert found["kills"] > 0
    assert found["reconnects"] >= found["sessions"]
    assert (found["lost"], found["wrong"], found["ended"]) == (0, 0, 0)
    assert found["heard"] > 0
