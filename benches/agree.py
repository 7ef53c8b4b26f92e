"""Whether two runs of `make bench` agree: `python benches/agree.py ONE.json OTHER.json`.

Compares how many times voicelane's time each library takes, case by case. Two runs agree where at least
nine in ten of these ratios differ by no more than the noise that the first one states.

Exit code: 0 where they agree, 1 where they do not, 2 for bad arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from report import noise_of

from voicelane.cli.bench.results import load
from voicelane.cli.bench.table import cases, markdown_table, ranked_rows

_ENOUGH = 0.9
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


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        one, other = (load(Path(name)) for name in sys.argv[1:])
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    _, allowed = noise_of(one)
    first, second = ratios(one), ratios(other)
    apart = {
        key: max(first[key], second[key]) / min(first[key], second[key]) - 1
        for key in first.keys() & second.keys()
    }
    if not apart or not allowed:
        print("expected two whole runs with three rounds each", file=sys.stderr)
        return 2
    within = sum(one <= allowed for one in apart.values())
    worst = sorted(apart, key=lambda key: -apart[key])[:_SHOWN]
    lines = [
        [" ".join(key), f"{first[key]:.1f}", f"{second[key]:.1f}", f"{apart[key]:.0%}"]
        for key in worst
    ]
    print(markdown_table(["furthest apart", "one", "other", "by"], lines))
    print(f"\n{within} of {len(apart)} ratios within the stated noise of {allowed:.0%}", end="; ")
    print(f"{len(first.keys() ^ second.keys())} in one run only")
    return 0 if within >= _ENOUGH * len(apart) else 1


if __name__ == "__main__":
    sys.exit(main())
