"""CPU of a session over their number: `python benches/sessions/plot.py [RESULT.json [PICTURE.svg]]`.

Draws what `make bench-sessions` wrote (target/bench-sessions.json; the picture goes beside it). Dashed: one
whole core. A cross: there the implementation could not follow. Hollow: it was late.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from client import ROOT
from table import summaries
from verdict import Case, Row

matplotlib.use("agg")
import matplotlib.pyplot as plt

COLOURS = {
    "plugin": "#d55e00",
    "sdk": "#e69f00",
    "native": "#0072b2",
    "native-batch": "#56b4e9",
    "floor": "#000000",
    "harness": "#999999",
}
LABELS = {
    "plugin": "videosdk-plugins-azure",
    "sdk": 'voicelane, transport="sdk"',
    "native": 'voicelane, transport="native"',
    "native-batch": "the same, fed and read in batches",
    "floor": "bare tokio-tungstenite",
    "harness": "the tasks that feed and drain",
}


def draw(found: Mapping[Case, Row], path: Path) -> None:
    """Draws it; `path` says by its ending in what format."""
    style = {"svg.hashsalt": "voicelane", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
    with plt.rc_context(style):
        _draw(found, path)


def _draw(found: Mapping[Case, Row], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, colour in COLOURS.items():
        runs = {
            case.sessions: one
            for case, one in found.items()
            if case.implementation == name and not case.tls and one["verdict"] != "wrong"
        }
        if not runs:
            continue
        followed = {size: one for size, one in runs.items() if one["verdict"] != "lost"}
        axes.plot(
            list(followed),
            [one["cpu_ms"] for one in followed.values()],
            "o-",
            ms=3.5,
            color=colour,
            label=LABELS[name],
        )
        axes.vlines(
            list(followed),
            [one["cpu_min_ms"] for one in followed.values()],
            [one["cpu_max_ms"] for one in followed.values()],
            color=colour,
            lw=1,
        )
        late = [size for size, one in followed.items() if one["verdict"] == "late"]
        axes.plot(
            late, [runs[size]["cpu_ms"] for size in late], "o", ms=3.5, color=colour, mfc="white"
        )
        lost = [size for size in runs if size not in followed]
        axes.plot(lost, [runs[size]["cpu_ms"] for size in lost], "x", ms=8, mew=2, color=colour)
    sizes = sorted({case.sessions for case in found})
    axes.plot(sizes, [1000 / size for size in sizes], "--", color="#666666", lw=1, label="one core")
    axes.set(
        title="What a session costs its process (hollow: late; cross: could not follow)",
        xlabel="sessions in the process",
        ylabel="CPU, ms per session and second",
        xscale="log",
        yscale="log",
        ylim=(0.1, 100),
    )
    axes.set_xticks(sizes, labels=[str(size) for size in sizes])
    axes.minorticks_off()
    axes.legend(fontsize=8)
    figure.savefig(
        path, dpi=110, metadata={".svg": {"Date": None}, ".png": {"Software": None}}[path.suffix]
    )
    plt.close(figure)


def main() -> None:
    given = [Path(word) for word in sys.argv[1:]]
    result = given[0] if given else ROOT / "target/bench-sessions.json"
    picture = given[1] if len(given) > 1 else result.with_suffix(".svg")
    draw(summaries(json.loads(result.read_text())), picture)
    print(picture)


if __name__ == "__main__":
    main()
