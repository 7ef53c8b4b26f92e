"""What a run came to: what its client measured and its server saw, in one row, and whether it was right."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FRAME_BYTES, FRAMES_PER_DELTA = 960, 5
LATE_MS = 20.0
# Of what the server has sent, so much may still wait to be heard: it is two deltas ahead of the speaker.
_AHEAD_FRAMES = 15
# A server that is later than the lead it gives can make an underrun by itself.
_SERVER_LATE_MS = 50.0
# A client that waits for a CPU this much shares the machine with more than the server.
_WAITED_SHARE = 0.06

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What one run measures."""

    implementation: str
    sessions: int
    chunk_ms: int
    tls: bool = False
    loop: str = field(default="asyncio", compare=False)
    """The event loop of what is in Python: the same for all of a benchmark."""

    def __str__(self) -> str:
        return f"{self.implementation}, {self.sessions} sessions{', wss' * self.tls}"


def row(
    case: Case,
    client: Mapping[str, Any],
    server: Mapping[str, Any],
    warmup_s: float,
    window_s: float,
) -> Row:
    """The figures of one run."""
    offered_frames = (warmup_s + window_s) * 50 * case.sessions
    cpu = {name: client.get(name, 0.0) / client["window_s"] / case.sessions * 1000 for name in _CPU}
    late_ms = server["send_lateness_ms"] or {}
    found: Row = {
        "cpu_ms": cpu["user_s"] + cpu["system_s"],
        "system_ms": cpu["system_s"],
        "loop_ms": cpu["loop_s"],
        "late_p50_ms": late_ms.get("p50"),
        "late_p99_ms": late_ms.get("p99"),
        "late_max_ms": late_ms.get("max"),
        "over_20_ms": _over_20_ms(case, late_ms, window_s),
        "fed_share": sum(client["fed_frames"]) / offered_frames,
        "lost_appends": _lost_appends(case, client["fed_frames"], server),
        "underrun_frames": client.get("gap_frames"),
        "cut_replies": client.get("cut_replies"),
        "behind_frames": _behind_frames(client, server),
        "lag_p50_ms": client.get("lag_ms", {}).get("p50"),
        "lag_p99_ms": client.get("lag_ms", {}).get("p99"),
        "waited_share": client["waited_s"] / client["window_s"],
        "connect_s": client["connect_s"],
        "close_s": client["close_s"],
        "threads_left": client.get("threads_left"),
        "descriptors_left": client.get("descriptors_left"),
        "left_when_dropped": sum(client.get("left_when_dropped", {}).values()),
        "server_cores": server["server_cores"],
        "server_late_p99_ms": (server["server_lateness_ms"] or {}).get("p99"),
        "server_late_max_ms": (server["server_lateness_ms"] or {}).get("max"),
        "server_faults": server["faults"][:5],
        "wrong": list(_wrong(case, client, server)),
    } | _memory(case, client)
    return found | {"verdict": _verdict(case, found)}


_CPU = ("user_s", "system_s", "loop_s")


def _memory(case: Case, client: Mapping[str, Any]) -> Row:
    """What each further session takes, once the first is there."""
    further = case.sessions - 1
    if not further or "first_kib" not in client:
        return {"idle_kib": None, "talking_kib": None}
    return {
        name: (client[name] - client["first_kib"]) / further for name in ("idle_kib", "talking_kib")
    }


def _over_20_ms(case: Case, late_ms: Mapping[str, float], window_s: float) -> float | None:
    """The share of the appends due in the window that came later than that, or not at all."""
    if case.implementation == "harness":
        return None
    due = case.sessions * int(window_s * 1000 / case.chunk_ms)
    count = late_ms.get("count", 0)
    in_time = count * (1 - late_ms.get("over_20_ms", 0))
    return 1 - in_time / max(count, due)


def _lost_appends(case: Case, fed_frames: Sequence[int], server: Mapping[str, Any]) -> int:
    """Appends that were due and never came. A resampler may hold back less than one."""
    if case.implementation == "harness":
        return 0
    per_append = case.chunk_ms // 20
    lost = 0
    for index, fed in enumerate(fed_frames):
        due_bytes = fed // per_append * per_append * FRAME_BYTES
        missing_bytes = due_bytes - server["audio_bytes"].get(str(index), 0)
        lost += max(0, missing_bytes // (per_append * FRAME_BYTES))
    return lost


def _behind_frames(client: Mapping[str, Any], server: Mapping[str, Any]) -> int | None:
    """How much more than was heard the server had sent at the end of the window, in the worst session."""
    if "heard_frames" not in client:
        return None
    return max(
        server["deltas"].get(str(index), 0) * FRAMES_PER_DELTA - heard
        for index, heard in enumerate(client["heard_frames"])
    )


def _wrong(case: Case, client: Mapping[str, Any], server: Mapping[str, Any]) -> Iterable[str]:
    """What was not what it had to be: then the time that it took is of no interest."""
    if server["bad"]:
        yield f"{server['bad']} bad appends"
    if client.get("wrong_frames"):
        yield f"{client['wrong_frames']} frames heard that were not sent"
    for index, adler in client["adler"].items():
        fed = client["fed_frames"][int(index)] // (case.chunk_ms // 20) * (case.chunk_ms // 20)
        is_whole = server["audio_bytes"].get(index, 0) >= (fed - 1) * FRAME_BYTES
        if is_whole and server["adler"].get(index) != adler:
            yield f"session {index}: other audio arrived than was fed"
    if server["still_open"]:
        yield f"{server['still_open']} connections were left open"


def _verdict(case: Case, found: Row) -> str:
    """``ok``; ``late``: some of it too late; ``lost``: it cannot follow; ``wrong``."""
    if found["wrong"]:
        return "wrong"
    if case.implementation == "harness":
        return "ok" if found["fed_share"] > 0.99 else "lost"
    behind = found["behind_frames"] or 0
    if found["fed_share"] < 0.99 or found["lost_appends"] or found["over_20_ms"] > 0.5:
        return "lost"
    if found["over_20_ms"] > 0.01 or found["underrun_frames"] or found["cut_replies"]:
        return "late"
    return "late" if behind > _AHEAD_FRAMES else "ok"


def is_hopeless(found: Row) -> bool:
    """Whether no repetition and no larger number of sessions can be better than this."""
    return found["fed_share"] < 0.95 or (found["over_20_ms"] or 0) > 0.9


def server_was_slow(found: Row) -> bool:
    """Whether the server's own lateness may show in the figures."""
    return (found["server_late_p99_ms"] or 0) > LATE_MS or (
        found["server_late_max_ms"] or 0
    ) > _SERVER_LATE_MS


def summary(rows: Sequence[Row]) -> Row:
    """Several runs of one case: medians, and the range of what it costs."""
    found: Row = {"runs": len(rows)}
    for name in rows[0]:
        values = [one[name] for one in rows if isinstance(one[name], int | float)]
        found[name] = statistics.median(values) if values else None
    costs = [one["cpu_ms"] for one in rows]
    worst = max(rows, key=lambda one: _ORDER.index(one["verdict"]))
    return found | {
        "cpu_min_ms": min(costs),
        "cpu_max_ms": max(costs),
        "late_max_ms": max((one["late_max_ms"] or 0.0) for one in rows),
        "lost_appends": max(one["lost_appends"] for one in rows),
        "underrun_frames": max((one["underrun_frames"] or 0) for one in rows),
        "threads_left": max((one["threads_left"] or 0) for one in rows),
        "descriptors_left": max((one["descriptors_left"] or 0) for one in rows),
        "server_was_slow": sum(map(server_was_slow, rows)),
        "disturbed": sum(one["waited_share"] > _WAITED_SHARE for one in rows),
        "wrong": [what for one in rows for what in one["wrong"]],
        # One bad run may be another program's; most of them are not.
        "verdict": "wrong" if worst["verdict"] == "wrong" else _middle(rows),
    }


_ORDER = ("ok", "late", "lost", "wrong")


def _middle(rows: Sequence[Row]) -> str:
    verdicts = sorted((one["verdict"] for one in rows), key=_ORDER.index)
    return str(verdicts[len(verdicts) // 2])
