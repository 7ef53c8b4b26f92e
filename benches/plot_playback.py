"""What a backlog costs: `python benches/plot_playback.py` draws docs/img/playback-backlog.svg.

Left: 20 ms pushed and read with that much waiting, in 100 ms events. Right: that much pushed in one
event, which blocks the event loop while it lasts.
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from peers import ROOT
from playback_peers import Peer

SECONDS = (0, 1, 5, 10, 30, 60, 120, 300, 600)
# In one event, the backlog of videosdk-agents takes 15 s for 600.
AT_ONCE_SECONDS = {"videosdk-agents": SECONDS[1:-1]}
COLOURS = {
    "voicelane": "#0072b2",
    "orjson + pybase64 + bytearray": "#999999",
    "videosdk-agents": "#d55e00",
}


def measure() -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Seconds of backlog against microseconds, for each library and either way."""
    results = {}
    for library in COLOURS:
        with Peer(library) as peer:
            assert peer.ask("check")["correct"], library
            peer.ask("turns 1000")
            frame = [(s, peer.ask(f"backlog {s}")["p50_us"] / 5) for s in SECONDS]
            at_once = [
                (s, peer.ask(f"at_once {s}")["us"])
                for s in AT_ONCE_SECONDS.get(library, SECONDS[1:])
            ]
            results[library] = {"frame": frame, "at_once": at_once}
    return results


def draw(results: dict[str, dict[str, list[tuple[int, float]]]], path: Path) -> None:
    plt.rcParams.update(
        {"svg.hashsalt": "voicelane", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for library, colour in COLOURS.items():
        for axes, way in ((left, "frame"), (right, "at_once")):
            axes.plot(
                *zip(*results[library][way], strict=True), "o-", ms=3.5, color=colour, label=library
            )
    left.set(
        title="20 ms in and out, with a backlog",
        xlabel="backlog, s",
        ylabel="microseconds per 20 ms (median)",
        ylim=0,
    )
    right.set(
        title="the backlog in one event",
        xlabel="backlog, s",
        ylabel="microseconds",
        xscale="log",
        yscale="log",
    )
    left.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    results = measure()
    path = ROOT / "docs/img/playback-backlog.svg"
    draw(results, path)
    path.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
    for library, ways in results.items():
        print(library)
        for way, points in ways.items():
            print(f"  {way:8}", *(f"{s} s {us:.2f}" for s, us in points), sep="  ")


if __name__ == "__main__":
    main()
