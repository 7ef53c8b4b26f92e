"""Bars from a result, by matplotlib. On paper of its own, so that it reads on light and dark pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .libraries import module
from .table import cases, ranked_rows

OURS, OTHERS = "#0072b2", "#9aa5b1"


def draw(results: dict[str, Any], path: Path, *, group: str | None = None) -> None:
    """Draws each case's ranking; `path` says by its ending in what format.

    Raises:
        ImportError: matplotlib is not installed.
    """
    matplotlib = module("matplotlib")
    figure_type = module("matplotlib.figure").Figure
    shown = [
        (name, ranked)
        for (of_group, name), rows in cases(results["rows"])
        if group in (None, of_group) and (ranked := ranked_rows(rows))
    ]
    settings = {"svg.hashsalt": "voicelane", "font.size": 9}
    with matplotlib.rc_context(settings):
        heights = [len(ranked) + 1.6 for _, ranked in shown]
        figure = figure_type(figsize=(8, 0.24 * sum(heights) + 0.5), layout="constrained")
        axes = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
        for ax, (name, ranked) in zip(axes, shown, strict=True):
            _bars(ax, name, ranked)
        figure.supxlabel(
            "microseconds, less is better: bar p50, whisker p99 (logarithmic)", fontsize=9
        )
        kind = path.suffix.lower()
        metadata = {".svg": {"Date": None}, ".png": {"Software": None}}.get(kind)
        figure.savefig(path, dpi=110, facecolor="white", metadata=metadata)


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.3g} us"


def _bars(ax: Any, name: str, ranked: list[dict[str, Any]]) -> None:
    places = range(len(ranked))
    p50 = [row["p50_us"] for row in ranked]
    beyond = [max(0.0, row["p99_us"] - row["p50_us"]) for row in ranked]
    colours = [OURS if row["library"].startswith("voicelane") else OTHERS for row in ranked]
    ax.barh(
        places, p50, color=colours, xerr=[[0.0] * len(p50), beyond], ecolor="#555555", height=0.7
    )
    ax.set_yticks(places, labels=[row["library"] for row in ranked])
    ax.invert_yaxis()
    ax.set_xscale("log")
    ends = [one + more for one, more in zip(p50, beyond, strict=True)]
    ax.set_xlim(min(p50) / 2, max(ends) * 3)
    for place, time_us, end in zip(places, p50, ends, strict=True):
        ax.text(end * 1.08, place, _time(time_us), va="center", fontsize=8)
    ax.set_title(name, fontsize=9, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
