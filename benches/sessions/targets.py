"""What voicelane has set itself for many sessions in a process, held against what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from verdict import Case, Row

_NOT_MEASURED = "not measured"


def targets(found: Mapping[Case, Row]) -> Iterator[tuple[str, str, str]]:
    """Each target: what it is, what was measured, and whether that meets it."""
    for name, peer, least in (
        ("native", "plugin", 5.0),
        ("native-batch", "plugin", 8.0),
        ("native", "sdk", 3.0),
    ):
        yield _share(found, name, peer, least)
    for name in ("native", "native-batch"):
        yield _floor(found, name)
    for name in ("native", "native-batch"):
        for sessions, chunk_ms in ((500, 20), (1000, 60)):
            yield _follows(found, Case(name, sessions, chunk_ms))
    thousand = Case("native", 1000, 60)
    for text, key, most, unit in (
        ("memory of a further session, idle", "idle_kib", 150, "KiB"),
        ("memory of a further session, talking", "talking_kib", 400, "KiB"),
        ("1000 connects", "connect_s", 10, "s"),
        ("1000 sessions closed", "close_s", 2, "s"),
        ("descriptors left after that", "descriptors_left", 0, ""),
    ):
        yield _at_most(found.get(thousand), f"{text}: at most {most} {unit}".strip(), key, most)


def _share(found: Mapping[Case, Row], name: str, peer: str, least: float) -> tuple[str, str, str]:
    text = f"{name}, 100 sessions: at most 1/{least:g} of {peer}'s CPU"
    return _ratio(found, name, peer, text, lambda ratio: (f"1/{1 / ratio:.1f}", ratio <= 1 / least))


def _floor(found: Mapping[Case, Row], name: str) -> tuple[str, str, str]:
    text = f"{name}, 100 sessions: within 2 times a bare client"
    return _ratio(found, name, "floor", text, lambda ratio: (f"{ratio:.1f}", ratio <= 2))


def _ratio(
    found: Mapping[Case, Row],
    name: str,
    peer: str,
    text: str,
    judge: Callable[[float], tuple[str, bool]],
) -> tuple[str, str, str]:
    ours, theirs = (found.get(Case(one, 100, 20)) for one in (name, peer))
    # A peer that could not follow, on a machine that was busy, has no cost to be compared with.
    if (
        not ours
        or not theirs
        or ours["verdict"] == "wrong"
        or theirs["verdict"] in ("wrong", "lost")
    ):
        return text, _NOT_MEASURED, ""
    measured, is_met = judge(ours["cpu_ms"] / theirs["cpu_ms"])
    return text, measured, _yes(is_met and ours["verdict"] == "ok")


def _follows(found: Mapping[Case, Row], case: Case) -> tuple[str, str, str]:
    text = f"{case}, {case.chunk_ms} ms a message: 99 % of appends within 20 ms, none lost, no underrun"
    one = found.get(case)
    if one is None:
        return text, _NOT_MEASURED, ""
    in_time = 1 - one["over_20_ms"]
    measured = f"{in_time:.2%}, {one['lost_appends']} lost, {one['underrun_frames']} underruns"
    is_met = in_time >= 0.99 and not one["lost_appends"] and not one["underrun_frames"]
    return text, measured, _yes(is_met and not one["wrong"])


def _at_most(one: Row | None, text: str, key: str, most: float) -> tuple[str, str, str]:
    if one is None or one[key] is None:
        return text, _NOT_MEASURED, ""
    return text, f"{one[key]:.3g}", _yes(one[key] <= most)


def _yes(is_met: bool) -> str:
    return "yes" if is_met else "no"
