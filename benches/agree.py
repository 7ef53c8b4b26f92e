"""Whether two runs of `make bench` agree: `python benches/agree.py ONE.json OTHER.json`.

Compares how many times voicelane's time each library takes, case by case. The noise that a run
states is that of nine in ten ratios between it and the run before it: two runs agree where at least four
in five differ by no more than that.

Exit code: 0 where they agree, 1 where they do not, 2 for bad arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from voicelane.cli.bench.results import load
from voicelane.cli.bench.table import cases, markdown_table, ranked_rows

_ENOUGH = 0.8
_SHOWN = 15

Ratios = dict[tuple[str, str, str], float]


def ratios(results: dict[str, Any]) -> Ratios:
    """Times of voicelane's p50, by group, case and library."""
    found: Ratios = {}
    for (group, case), rows in cases(results["rows"]):
        ranked = {row["library"]: float(row["p50_us"]) for row in ranked_rows(rows)}
        if ours_us := ranked.pop("voicelane", None):
            found |= {(group, case, name): us / ours_us for name, us in ranked.items()}
    return found


def apart(one: dict[str, Any], other: dict[str, Any]) -> Ratios:
    """By what share each ratio of two runs differs, the furthest first."""
    first, second = ratios(one), ratios(other)
    shares = {
        key: max(first[key], second[key]) / min(first[key], second[key]) - 1
        for key in first.keys() & second.keys()
    }
    return dict(sorted(shares.items(), key=lambda found: (-found[1], found[0])))


def agreement(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """How far a run is from the one before it: what the page tells of it."""
    shares = apart(before, now)
    ordered = sorted(shares.values())
    return {
        "date": before["date"],
        "ratios": len(ordered),
        "middle": ordered[len(ordered) // 2],
        "nine_in_ten": ordered[len(ordered) * 9 // 10],
        "furthest": [[*key, share] for key, share in list(shares.items())[:_SHOWN]],
    }


def rounds_apart(results: dict[str, Any]) -> tuple[float, float]:
    """How far a case's rounds lie apart: in the middle case, in nine of ten. 0 where it had one round."""
    spreads = sorted(row["spread"] for row in results["rows"] if "spread" in row)
    if not spreads:
        return 0.0, 0.0
    return spreads[len(spreads) // 2], spreads[len(spreads) * 9 // 10]


def stated_noise(results: dict[str, Any]) -> float:
    """What the page says that a ratio may differ by in the next run; 0 where it says nothing."""
    return float(max(rounds_apart(results)[1], results.get("before", {}).get("nine_in_ten", 0.0)))


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        one, other = (load(Path(name)) for name in sys.argv[1:])
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    allowed, shares = stated_noise(one), apart(one, other)
    if not shares or not allowed:
        print("expected two whole runs with three rounds each", file=sys.stderr)
        return 2
    first, second = ratios(one), ratios(other)
    lines = [
        [" ".join(key), f"{first[key]:.1f}", f"{second[key]:.1f}", f"{share:.0%}"]
        for key, share in list(shares.items())[:_SHOWN]
    ]
    print(markdown_table(["furthest apart", "one", "other", "by"], lines))
    within = sum(share <= allowed for share in shares.values())
    print(f"\n{within} of {len(shares)} ratios within the stated noise of {allowed:.0%}", end="; ")
    print(f"{len(first.keys() ^ second.keys())} in one run only")
    return 0 if within >= _ENOUGH * len(shares) else 1


if __name__ == "__main__":
    sys.exit(main())
