"""What was measured: one JSON file, from which every table and picture is made."""

from __future__ import annotations

import gc
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from .libraries import versions

SCHEMA = 1

Row = dict[str, Any]
"""``group``, ``case``, ``library``; ``fault`` (why it is not ranked, or None); ``answer`` (figures beside
the time); ``calls`` and microseconds of a call: ``p50_us``, ``p99_us``, ``p999_us``, ``max_us``.
"""


def new_results() -> dict[str, Any]:
    """A result without rows: machine, versions, command and date."""
    return {
        "schema": SCHEMA,
        "machine": machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": versions(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "rows": [],
    }


def load(path: Path) -> dict[str, Any]:
    """Reads a result.

    Raises:
        ValueError: the file is none, or another version's.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"{path}: expected a result of schema {SCHEMA}, got {schema!r}")
    return dict(found)


def save(results: dict[str, Any], path: Path) -> None:
    """Writes a result."""
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def distribution(times_ns: list[int]) -> dict[str, float]:
    """The figures of a row; of a quantile the next larger time."""
    ordered = sorted(times_ns)
    shares = {"p50_us": 0.5, "p99_us": 0.99, "p999_us": 0.999, "max_us": 1.0}
    last = len(ordered) - 1
    figures = {
        name: ordered[min(last, int(share * (last + 1)))] / 1000 for name, share in shares.items()
    }
    return {"calls": float(len(ordered)), **figures}


def time_calls(call: Callable[[], object], seconds: float, most: int = 200_000) -> list[int]:
    """Nanoseconds of each call, after a tenth as many to warm up; the clock's own 0.05 us are in them."""
    end_ns = perf_counter_ns() + int(seconds * 1e8)
    while perf_counter_ns() < end_ns:
        call()
    times_ns: list[int] = []
    with _no_garbage():
        end_ns = perf_counter_ns() + int(seconds * 1e9)
        while len(times_ns) < most:
            start_ns = perf_counter_ns()
            call()
            now_ns = perf_counter_ns()
            times_ns.append(now_ns - start_ns)
            if now_ns > end_ns:
                break
    return times_ns


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Without the collector, whose pauses are nobody's in particular."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def machine() -> dict[str, Any]:
    """The processor, how many, the system, and its load now."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "load": load,
    }
