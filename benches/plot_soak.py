"""Memory, descriptors and threads over time: `python benches/plot_soak.py [RESULT.json [PICTURE.svg]]`.

Draws what `make soak` wrote (target/reliability/soak.json; the picture goes beside it).
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
ROWS = (
    ("memory, MiB", "rss_kib", "#0072b2", 1024),
    ("descriptors", "descriptors", "#d55e00", 1),
    ("threads", "threads", "#009e73", 1),
    ("reconnects so far", "reconnects", "#666666", 1),
)


def draw(result: dict[str, Any], path: Path) -> None:
    plt.rcParams.update(
        {"svg.hashsalt": "voicelane", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
    )
    figure, axes = plt.subplots(len(ROWS), sharex=True, figsize=(7, 6.4), layout="constrained")
    looks = result["looks"]
    minutes = [look["at_s"] / 60 for look in looks]
    for one, (label, name, colour, unit) in zip(axes, ROWS, strict=True):
        values = [look[name] / unit for look in looks]
        one.plot(minutes, values, "-", color=colour, lw=1.5)
        one.set(ylabel=label, ylim=(0, 1.2 * max(values) or 1))
    axes[-1].set_xlabel("minutes")
    figure.suptitle(f"{result['sessions']} sessions, {result['kills']} servers killed meanwhile")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    given = [Path(word) for word in sys.argv[1:]]
    source = given[0] if given else ROOT / "target/reliability/soak.json"
    picture = given[1] if len(given) > 1 else source.with_suffix(".svg")
    draw(json.loads(source.read_text()), picture)
    print(picture)


if __name__ == "__main__":
    main()
