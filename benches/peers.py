"""Starts the libraries that are compared, each in a process and, where need be, an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tracks import VIDEOSDK_TRACK

from voicelane.cli.bench.libraries import NotThere

ROOT = Path(__file__).parent.parent
SESSIONS = ROOT / "benches" / "sessions"
# Its programs know each other by their names alone.
sys.path.append(str(SESSIONS))


def environment(name: str) -> str:
    """The interpreter of an environment of scripts/videosdk-environments."""
    return str(ROOT / f".venv-videosdk-{name}" / "bin" / "python")


PLUGIN = "videosdk-plugins-azure"
PLUGINS = {
    f"{PLUGIN} 0.0.60": environment("0-original"),
    f"{PLUGIN} 1.0.30": environment("1-original"),
}
# The others are at home in ours.
ENVIRONMENTS = {**PLUGINS, VIDEOSDK_TRACK: environment("1-original")}


class Peer:
    """A running `peer.py`; a context manager.

    Raises:
        NotThere: its environment is not made.
    """

    def __init__(self, library: str) -> None:
        self.library = library
        python = ENVIRONMENTS.get(library, sys.executable)
        if not Path(python).exists():
            raise NotThere(f"{library} needs `make test-videosdk` before")
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(Path(__file__).with_name("peer.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Those environments have voicelane's source tree, but perhaps another checkout's.
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(SESSIONS)]),
            },
        )

    def measure(self, group: str, case: str, **options: Any) -> dict[str, Any]:
        """A row of the result, and the versions that it was measured with.

        Raises:
            NotThere: the library is not installed.
        """
        assert self._process.stdin
        assert self._process.stdout
        name = PLUGIN if self.library in PLUGINS else self.library
        job = {"group": group, "case": case, "library": name, **options}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        # What a library prints by itself is no answer.
        while not (line := self._process.stdout.readline()).startswith("{"):
            if not line:
                raise RuntimeError(f"{self.library}, {case}: the process ended")
        answer: dict[str, Any] = json.loads(line)
        if "missing" in answer:
            raise NotThere(answer["missing"])
        answer["row"]["library"] = self.library
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
