"""The two programs of a run: the load server, which stays, and a client, which is started anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from client import NOT_THERE, ROOT
from verdict import Case

from voicelane.cli.bench.libraries import NotThere

HERE = Path(__file__).parent
_TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
_PLUGIN_PYTHON = os.environ.get(
    "VIDEOSDK_PYTHON", str(ROOT / ".venv-videosdk-1-original/bin/python")
)
# "debug" is what `cargo test` builds, for the benchmark's own test.
_PROFILE = os.environ.get("BENCH_SESSIONS_PROFILE", "release")
_SPARE_S = 60.0  # beyond warm-up and window: imports, connects, closing
_END_S = 5.0


class RunFailed(Exception):
    """A program ended without its figures."""


def program(name: str) -> Path:
    """A program of the benchmark, as cargo has built it."""
    path = _TARGET / _PROFILE / "examples" / name
    if not path.exists():
        raise RunFailed(f"{path} is missing: cargo build --release --examples")
    return path


class LoadServer:
    """The server of every run, in a process of its own; a context manager."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-sessions-")
        self._start()
        return self

    def _start(self, *ports: int) -> None:
        self._process = subprocess.Popen(
            [program("load_server"), self._folder.name, *map(str, ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C at the terminal is for this program, which ends the server when it is done.
            start_new_session=True,
        )
        self._ports = self._answer()

    def restart(self, how: signal.Signals, pause_s: float) -> None:
        """Ends it by that signal; after the pause another one, that knows nothing, takes its place."""
        self._process.send_signal(how)
        self._process.communicate()
        time.sleep(pause_s)
        self._start(self._ports["ws"], self._ports["wss"])

    def __exit__(self, *_exc: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def url(self, *, tls: bool) -> str:
        """Where it listens."""
        scheme = "wss" if tls else "ws"
        return f"{scheme}://127.0.0.1:{self._ports[scheme]}"

    @property
    def reply(self) -> str:
        """The file with what the agent says."""
        return f"{self._folder.name}/reply.pcm"

    @property
    def ca_file(self) -> str:
        """The authority behind its certificate."""
        return f"{self._folder.name}/ca.pem"

    def report(
        self, client: dict[str, Any], chunk_ms: int, warmup_s: float, window_s: float
    ) -> dict[str, Any]:
        """What it saw of the run that has just ended."""
        window_ms = f"{round(warmup_s * 1000)} {round((warmup_s + window_s) * 1000)}"
        return self._ask(f"report {client['start_ns']} {window_ms} {client['phases']} {chunk_ms}")

    def count(self) -> dict[str, Any]:
        """The bytes of audio that each session has brought, over all its connections."""
        return self._ask("count")

    def cut(self, each: int, remainder: int) -> None:
        """Breaks off every `each`-th session, from that one on: half of them without a word."""
        self._ask(f"cut {each} {remainder}")

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RunFailed(f"the load server ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RunFailed(f"the load server is another version's: {answer['error']}")
        return answer


def run_client(case: Case, server: LoadServer, warmup_s: float, window_s: float) -> dict[str, Any]:
    """Runs one client to its end; what it printed.

    Raises:
        NotThere: this environment does not have the implementation.
        RunFailed: it ended badly, or not at all.
    """
    command = _command(case, server, warmup_s, window_s)
    environment = {**os.environ, "SSL_CERT_FILE": server.ca_file, "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        try:
            out, _ = process.communicate(timeout=warmup_s + window_s + _SPARE_S)
        except BaseException as error:
            process.kill()
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise RunFailed(f"{case}: no end within {error.timeout:.0f} s") from None
            raise
        errors.seek(0)
        last = errors.read().strip().rpartition("\n")[2]
    if process.returncode == NOT_THERE:
        raise NotThere(last)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise RunFailed(f"{case}: {_end_of(process.returncode)}: {last}")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _command(case: Case, server: LoadServer, warmup_s: float, window_s: float) -> list[str]:
    url = server.url(tls=case.tls)
    if case.implementation == "floor":
        times_ms = [str(round(seconds * 1000)) for seconds in (warmup_s, window_s)]
        numbers = [str(case.sessions), str(case.chunk_ms), *times_ms]
        return [str(program("floor_client")), url, *numbers, *[server.ca_file] * case.tls]
    python = _PLUGIN_PYTHON if case.implementation == "plugin" else sys.executable
    if not Path(python).exists():
        raise NotThere(f"{python} is missing: make bench-sessions makes it")
    options = {
        "--url": url,
        "--reply": server.reply,
        "--sessions": case.sessions,
        "--chunk-ms": case.chunk_ms,
        "--warmup-s": warmup_s,
        "--window-s": window_s,
        "--loop": case.loop,
    }
    words = [str(word) for option in options.items() for word in option]
    return [python, str(HERE / "client.py"), case.implementation, *words]


def _end_of(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
