"""Instructions of the hot paths against benches/instructions.json: `make bench-check`.

Counted by callgrind as the difference of two runs of different length, which no other load disturbs.
Each instruction set has a baseline of its own; valgrind knows AVX2, not AVX-512. Exit code 1 where
a path takes 5 % more than its baseline, 2 where nothing could be compared. `--store` writes the baseline.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BASELINE = Path(__file__).with_name("instructions.json")
PATHS = (
    "48k-stereo-24k",
    "48k-mono-16k",
    "48k-stereo-8k-ulaw",
    "44.1k-mono-24k",
    "16k-mono-24k",
    "playback-100ms",
)
FEW, MANY = 100, 600
MOST_GROWTH = 0.05


def main() -> int:
    if shutil.which("valgrind") is None:
        print("bench-check needs valgrind: apt-get install valgrind", file=sys.stderr)
        return 2
    program = build()
    level = under_valgrind(program, "level")[0].strip().removeprefix("Isa(").removesuffix(")")
    counts = {path: count(program, path) for path in PATHS}
    baselines = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    compiler = run("rustc", "--version").stdout.strip()
    if "--store" in sys.argv[1:]:
        baselines[level] = {"compiler": compiler, "instructions": counts}
        BASELINE.write_text(json.dumps(baselines, indent=1) + "\n")
        print(f"stored as the baseline of {level}")
        return 0
    if level not in baselines:
        print(f"no baseline for {level}: benches/check_instructions.py --store", file=sys.stderr)
        return 2
    return compare(level, counts, baselines[level], compiler)


def build() -> Path:
    """The program that is counted."""
    told = run("cargo", "bench", "--bench", "instructions", "--no-run").stderr
    found = re.search(r"Executable .*\((.*)\)", told)
    if found is None:
        raise SystemExit(f"cargo built no benchmark:\n{told}")
    return ROOT / found[1]


def count(program: Path, path: str) -> int:
    """Instructions of one call."""
    totals = []
    for calls in (FEW, MANY):
        told = under_valgrind(program, path, str(calls))[1]
        found = re.search(r"Collected : (\d+)", told)
        if found is None:
            raise SystemExit(f"callgrind counted nothing:\n{told}")
        totals.append(int(found[1]))
    return (totals[1] - totals[0]) // (MANY - FEW)


def under_valgrind(program: Path, *arguments: str) -> tuple[str, str]:
    """What it printed, and what callgrind told."""
    command = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program))
    done = run(*command, *arguments)
    return done.stdout, done.stderr


def compare(level: str, counts: dict[str, int], baseline: dict[str, object], compiler: str) -> int:
    """Prints each path beside its baseline."""
    if baseline["compiler"] != compiler:
        print(f"note: the baseline is of {baseline['compiler']}, this is {compiler}")
    stored = baseline["instructions"]
    assert isinstance(stored, dict)
    grown = 0
    print(f"instructions a call, {level} kernels")
    for path, counted in counts.items():
        growth = counted / stored[path] - 1
        is_too_much = growth > MOST_GROWTH
        grown += is_too_much
        verdict = f"TOO MANY: at most {MOST_GROWTH:+.0%}" if is_too_much else ""
        print(f"  {path:20}{counted:9,}{stored[path]:9,}{growth:+8.1%}  {verdict}".rstrip())
    return 1 if grown else 0


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of the toolchain; ends this one where it failed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stderr}")
    return done


if __name__ == "__main__":
    sys.exit(main())
