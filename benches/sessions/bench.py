"""What one client process pays for each session, beside VideoSDK's plugin and a bare client in Rust.

Every implementation runs in a process of its own against the same load server: 50 frames of 20 ms a
second and session, 48 kHz stereo, in real time; an agent that speaks half of the time; its speech drained
at 50 frames a second. What arrives and what is heard is checked: a wrong answer has no time.
docs/sessions-benchmark.md says how to read the result.

Exit code: 0; 1 where a run failed or voicelane was wrong; 2 for bad options; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from client import ROOT
from programs import LoadServer, RunFailed, run_client
from table import markdown
from verdict import Case, Row, is_hopeless, row

from voicelane.cli.bench.libraries import NotThere
from voicelane.cli.bench.results import machine

SIZES = (1, 10, 50, 100, 200, 500, 1000)
QUICK_SIZES = (10, 100)
# 1000 sessions send 60 ms in a message: who has so many wants it so.
CHUNK_MS = {1000: 60}
IMPLEMENTATIONS = ("plugin", "sdk", "native", "native-batch", "floor", "harness")
ON_REQUEST = ("sdk-av", "native-av")
# As far as it can follow, and one step beyond.
MOST = {"plugin": 200, "sdk": 500, "sdk-av": 500}
# The default is done in less than 25 minutes: the two that only compare leave these out.
SPARED = {"floor": (1, 50, 200), "harness": (1, 10, 50, 200)}
TLS_SESSIONS = 100
_AROUND_S = 2.5  # start, connects and closing of a run, about


def cases(options: argparse.Namespace) -> list[Case]:
    """One repetition: implementations interleaved, from few sessions to many."""
    spared = SPARED if options.sessions == SIZES else {}
    plain = [
        Case(name, size, CHUNK_MS.get(size, 20), loop=options.loop)
        for size in options.sessions
        for name in options.implementations
        if size <= MOST.get(name, size) and size not in spared.get(name, ())
    ]
    secure = [
        Case(name, TLS_SESSIONS, 20, tls=True, loop=options.loop)
        for name in options.implementations
        if name != "harness"
    ]
    return plain + secure * options.tls


class Bench:
    """The runs, and what they came to so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rows: dict[Case, list[Row]] = {}
        self.failures: list[str] = []
        self.missing: dict[str, str] = {}
        self._lost_at: dict[tuple[str, bool], int] = {}

    def run(self) -> None:
        plan = [(n, case) for n in range(self.options.repetitions) for case in cases(self.options)]
        run_s = self.options.warmup_s + self.options.window_s + _AROUND_S
        with LoadServer() as server:
            for index, (_, case) in enumerate(plan):
                if not self._is_wanted(case):
                    continue
                left_s = run_s * sum(self._is_wanted(later) for _, later in plan[index:])
                left = f"about {left_s / 60:.0f} min" if left_s > 90 else f"{left_s:.0f} s"
                _say(f"[{index + 1}/{len(plan)}] {case}; {left} left")
                self._measure(case, server)

    def _is_wanted(self, case: Case) -> bool:
        lost_at = self._lost_at.get((case.implementation, case.tls), sys.maxsize)
        return case.implementation not in self.missing and case.sessions < lost_at

    def _measure(self, case: Case, server: LoadServer) -> None:
        warmup_s, window_s = self.options.warmup_s, self.options.window_s
        try:
            client = run_client(case, server, warmup_s, window_s)
        except NotThere as error:
            self.missing[case.implementation] = str(error)
            return
        except RunFailed as error:
            self.failures.append(str(error))
            server.report(
                {"start_ns": 0, "phases": 1}, case.chunk_ms, warmup_s, window_s
            )  # forgets it
            return
        seen = server.report(client, case.chunk_ms, warmup_s, window_s)
        found = row(case, client, seen, warmup_s, window_s)
        self.rows.setdefault(case, []).append(found)
        if is_hopeless(found):
            self._lost_at[case.implementation, case.tls] = case.sessions

    def result(self) -> dict[str, Any]:
        """All of it, for the file."""
        return {
            "machine": f"{_machine()}; {self.options.loop}",
            "warmup_s": self.options.warmup_s,
            "window_s": self.options.window_s,
            "runs": [{**vars(case), "repetitions": rows} for case, rows in self.rows.items()],
            "missing": self.missing,
            "failures": self.failures,
        }

    def exit_code(self) -> int:
        """1 where something is not as it must be."""
        ours = (rows for case, rows in self.rows.items() if case.implementation != "plugin")
        wrong = any(one["wrong"] for rows in ours for one in rows)
        return 1 if wrong or self.failures or not self.rows else 0


def _machine() -> str:
    here, day = machine(), time.strftime("%Y-%m-%d")
    python = f"CPython {platform.python_version()}"
    return f"{here['cpu']}, {here['cpus']} CPUs, {python}, load {here['load']:.1f}, {day}"


def _say(text: str) -> None:
    """One line of progress: rewritten at a terminal, appended elsewhere."""
    begin, end = ("\r\x1b[2K", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{begin}{text}", end=end, file=sys.stderr, flush=True)


def _names(text: str) -> Sequence[str]:
    names, known = text.split(","), (*IMPLEMENTATIONS, *ON_REQUEST)
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(known)}, got {unknown[0]!r}")
    return names


def _sizes(text: str) -> Sequence[int]:
    sizes = [int(word) for word in text.split(",")]
    if not all(1 <= size <= max(SIZES) for size in sizes):
        raise argparse.ArgumentTypeError(f"expected 1 to {max(SIZES)}, got {text!r}")
    return sizes


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--implementations",
        type=_names,
        default=IMPLEMENTATIONS,
        metavar="A,B",
        help="default: all but -av",
    )
    add("--sessions", type=_sizes, metavar="N,M", help=f"default: {','.join(map(str, SIZES))}")
    add("--repetitions", type=int, help="of each run; default 3")
    add("--warmup-s", type=float, help="before the window; default 3")
    add("--window-s", type=float, help="measured; default 8, one cycle of the server")
    add("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="of what is in Python")
    add("--no-tls", dest="tls", action="store_false", help="without the runs over wss")
    add("--quick", action="store_true", help="3 minutes: 10 and 100 sessions, once, 4 s each")
    add(
        "--output",
        type=Path,
        default=ROOT / "target/bench-sessions.json",
        help="and .md, .svg beside it",
    )
    options = parser.parse_args(arguments)
    defaults = {"sessions": SIZES, "repetitions": 3, "warmup_s": 3.0, "window_s": 8.0}
    if options.quick:
        defaults = {"sessions": QUICK_SIZES, "repetitions": 1, "warmup_s": 2.0, "window_s": 4.0}
    for name, default in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    return options


def main() -> int:
    options = parse(sys.argv[1:])
    bench = Bench(options)
    interrupted = False
    try:
        bench.run()
    except RunFailed as error:
        bench.failures.append(str(error))
    except KeyboardInterrupt:
        interrupted = True
    _say("\n" if sys.stderr.isatty() else "")
    for text in _remarks(bench):
        print(text, file=sys.stderr)
    if bench.rows:
        result = bench.result()
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n")
        table = markdown(result)
        options.output.with_suffix(".md").write_text(table)
        print(table)
        _plot(options.output)
    return 130 if interrupted else bench.exit_code()


def _plot(result: Path) -> None:
    if find_spec("matplotlib"):  # of the group bench
        plot = Path(__file__).with_name("plot.py")
        subprocess.run([sys.executable, str(plot), str(result)], check=True)


def _remarks(bench: Bench) -> Iterator[str]:
    for name, why in bench.missing.items():
        yield f"{name}: not measured, {why}"
    yield from (f"failed: {failure}" for failure in bench.failures)


if __name__ == "__main__":
    sys.exit(main())
