"""The soak with its chaos, in short: sessions whose server is killed come back, and nothing is left of it."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


class GoneServer:
    """In the place of a load server of which nothing is asked but its account."""

    def __init__(self, folder: Path) -> None:
        self.reply = folder / "reply"
        self.reply.write_bytes(bytes(960))

    def url(self, *, tls: bool) -> str:
        return "ws://127.0.0.1:1"

    def count(self) -> dict[str, Any]:
        return {"audio_bytes": {}}


@pytest.mark.parametrize(
    ("num_ended", "verdict"),
    [
        (0, "nothing was lost, nothing grew"),
        (1, "nothing was lost by the others: 1 of 2 sessions gave up, nothing grew"),
        (2, "none of 2 sessions was open at the end"),
    ],
)
def test_sessions_that_ended_are_told_of_in_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_ended: int, verdict: str
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benches/sessions")
    soak = importlib.import_module("soak")
    options = argparse.Namespace(sessions=2, chunk_ms=20, chaos=1)
    run = soak.Soak(options, GoneServer(tmp_path))
    run.steady = []  # who hears nothing is another fault
    for index in range(num_ended):
        run.ends[index] = 1
    run._judge([{}, {}], [n >= num_ended for n in range(2)], {})
    assert (run.faults or [run.all_is_well()]) == [verdict]
    assert soak.report(run).endswith(f"\n- {verdict}")
