"""Starts the peers of playback, each in a process and, where it must be, an environment of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from peers import VIDEOSDK_PYTHON

LIBRARIES = (
    "voicelane",
    "voicelane track, bytes",
    "voicelane track, av",
    "orjson + pybase64 + bytearray",
    "videosdk-agents",
)
NEEDS = "needs `make test-videosdk` before, or the variable VIDEOSDK_PYTHON"


class Peer:
    """A running `playback_peer.py`."""

    def __init__(self, library: str) -> None:
        self.python = VIDEOSDK_PYTHON if library == "videosdk-agents" else sys.executable
        if not Path(self.python).exists():
            raise FileNotFoundError(f"{library} {NEEDS}")
        command = [self.python, str(Path(__file__).with_name("playback_peer.py")), library]
        if hasattr(os, "sched_setaffinity"):
            command = ["taskset", "-c", "0", *command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to a command."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        # What a library prints by itself is no answer.
        while not (line := self._process.stdout.readline()).startswith("{"):
            if not line:
                raise RuntimeError(f"{command!r}: the peer ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
