"""What a job costs as it grows: a line for each library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from growth import AXES

_OURS = ("#0072b2", "#56b4e9", "#003f66")
_OTHERS = (
    "#d55e00",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#999999",
    "#8c564b",
    "#bcbd22",
    "#000000",
    "#7b3294",
)


def draw(rows: list[dict[str, Any]], axis_name: str, path: Path) -> None:
    """Draws one axis; a point that the library cannot do is left out. `path` ends in the format."""
    axis = AXES[axis_name]
    lines: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["axis"] == axis_name and not row["fault"]:
            lines.setdefault(row["library"], {})[row["at"]] = row["p50_us"]
    ours, others = iter(_OURS), iter(_OTHERS)
    with plt.rc_context({"svg.hashsalt": "voicelane", "font.size": 9, "grid.alpha": 0.3}):
        figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
        for library, points in lines.items():
            is_ours = library.startswith("voicelane")
            colour = next(ours if is_ours else others)
            axes.plot(
                list(points), list(points.values()), "o-", ms=3.5, color=colour, label=library
            )
        axes.set(xlabel=axis.unit, ylabel=f"{axis.costs} (p50)", yscale="log")
        # A backlog begins with none.
        if axis.points[0] == 0:
            axes.set_xscale("symlog")
            axes.set_xlim(-0.2, 1.5 * axis.points[-1])
        else:
            axes.set_xscale("log")
        axes.set_xticks(axis.points, labels=[f"{at:,}" for at in axis.points], rotation=60, size=8)
        axes.minorticks_off()
        axes.grid(visible=True)
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        metadata = {".svg": {"Date": None}, ".png": {"Software": None}}[path.suffix]
        figure.savefig(path, dpi=110, facecolor="white", metadata=metadata)
        plt.close(figure)
