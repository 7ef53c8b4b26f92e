"""The result as Markdown: `python benches/sessions/table.py [target/bench-sessions.json]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from targets import targets
from verdict import Case, Row, summary

Summaries = Mapping[Case, Row]

_COSTS = (
    "sessions | | CPU, ms per session and second | in the kernel / the loop's thread "
    "| of the plugin | of sdk | of the floor "
    "| sent late, ms: p50 / p99 / max | over 20 ms | lost | underruns | loop lag, ms: p50 / p99 |"
)
_HOLDINGS = (
    "sessions | | KiB per further session: idle / talking | connect, s | close, s "
    "| threads / descriptors left | server: cores, late p99 ms | runs |"
)


def markdown(result: Mapping[str, Any]) -> str:
    """Everything, as the benchmark prints it."""
    found = summaries(result)
    window_s, warmup_s = result["window_s"], result["warmup_s"]
    parts = [
        f"{result['machine']}; {window_s:g} s after {warmup_s:g} s of warm-up; medians (and ranges).",
        _table(_COSTS, (_cost(case, one, found) for case, one in found.items())),
        _table(_HOLDINGS, (_holding(case, one) for case, one in found.items())),
    ]
    if disturbances := _disturbances(found):
        parts.append(disturbances)
    judged = list(targets(found))
    if measured := [target for target in judged if target[2]]:
        parts.append(_table("target | measured | met |", measured))
    wrong = [f"{case}: {what}" for case, one in found.items() for what in one["wrong"]]
    missing = [f"{name}: not measured, {why}" for name, why in result["missing"].items()]
    unknown = len(judged) - len(measured)
    open_targets = [f"{unknown} of {len(judged)} targets were not measured"] * bool(unknown)
    remarks = [f"- {text}" for text in (*wrong, *missing, *result["failures"], *open_targets)]
    return "\n\n".join([*parts, *(["\n".join(remarks)] if remarks else [])]) + "\n"


def _disturbances(found: Summaries) -> str:
    """Where the figures may be those of other programs, too."""
    marks = (
        ("disturbed", "The client waited for a CPU for more than 6 % of the time"),
        ("server_was_slow", "The server was late itself"),
    )
    counts = (
        (text, [f"{case} ({one[key]} of {one['runs']})" for case, one in found.items() if one[key]])
        for key, text in marks
    )
    return "\n".join(f"{text}: {'; '.join(cases)}." for text, cases in counts if cases)


def summaries(result: Mapping[str, Any]) -> dict[Case, Row]:
    """One row for each case, in the order of a table."""
    names = ("implementation", "sessions", "chunk_ms", "tls")
    runs = {
        Case(*(run[name] for name in names)): summary(run["repetitions"]) for run in result["runs"]
    }
    return dict(sorted(runs.items(), key=lambda run: (run[0].tls, run[0].sessions)))


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {head}", "| ---: | --- " + "| ---: " * (head.count("|") - 2) + "|"]
    if head.startswith("target"):
        lines[1] = "| --- | --- | --- |"
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _cost(case: Case, one: Row, found: Summaries) -> list[str]:
    label, size = _label(case, one), str(case.sessions)
    if one["verdict"] == "wrong":
        return [size, label, "wrong", *[""] * 9]
    # A process that cannot follow has no cost of its own, only a full core.
    if one["verdict"] == "lost":
        cost = f"({one['cpu_ms']:.2f})"
        ratios = [""] * 3
    else:
        cost = f"{one['cpu_ms']:.2f} ({one['cpu_min_ms']:.2f} to {one['cpu_max_ms']:.2f})"
        ratios = [_ratio(case, one, found, peer) for peer in ("plugin", "sdk", "floor")]
    late = (
        ""
        if one["late_p50_ms"] is None
        else _numbers(one, "late_p50_ms", "late_p99_ms", "late_max_ms")
    )
    over = "" if one["over_20_ms"] is None else f"{one['over_20_ms']:.2%}"
    lag = "" if one["lag_p50_ms"] is None else _numbers(one, "lag_p50_ms", "lag_p99_ms")
    lost, gaps = f"{one['lost_appends']}", f"{one['underrun_frames']}"
    return [
        size,
        label,
        cost,
        _numbers(one, "system_ms", "loop_ms", digits=2),
        *ratios,
        late,
        over,
        lost,
        gaps,
        lag,
    ]


def _label(case: Case, one: Row) -> str:
    marks = [f"{case.chunk_ms} ms a message"] * (case.chunk_ms != 20) + ["wss"] * case.tls
    marks += [one["verdict"]] * (one["verdict"] != "ok")
    return case.implementation + (f" ({', '.join(marks)})" if marks else "")


def _ratio(case: Case, one: Row, found: Summaries, peer: str) -> str:
    """1/5.2 of the peer, or 1.7 times."""
    other = found.get(Case(peer, case.sessions, case.chunk_ms, case.tls))
    if case.implementation == peer or other is None or other["verdict"] in ("wrong", "lost"):
        return ""
    ratio = float(one["cpu_ms"] / other["cpu_ms"])
    return f"{ratio:.1f}" if ratio >= 1 else f"1/{1 / ratio:.1f}"


def _numbers(one: Row, *names: str, digits: int = 1) -> str:
    return " / ".join(f"{one[name]:.{digits}f}" for name in names)


def _holding(case: Case, one: Row) -> list[str]:
    memory = "" if one["idle_kib"] is None else f"{one['idle_kib']:.0f} / {one['talking_kib']:.0f}"
    left = f"{one['threads_left']} / {one['descriptors_left']}"
    if one["threads_left"] or one["descriptors_left"]:
        left += f" ({one['left_when_dropped']:.0f} once dropped)"
    cores = one["server_cores"]
    server = "" if cores is None else f"{cores:.2f}, {one['server_late_p99_ms'] or 0:.1f}"
    times = [f"{one[name]:.3f}" for name in ("connect_s", "close_s")]
    return [str(case.sessions), _label(case, one), memory, *times, left, server, str(one["runs"])]


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "target/bench-sessions.json"
    print(markdown(json.loads(Path(path).read_text())))
