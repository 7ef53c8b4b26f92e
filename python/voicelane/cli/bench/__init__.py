"""`voicelane bench`: what the audio path costs on this machine, beside what else is installed."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..arguments import number
from ..exit_codes import CommandError, ExitCode

DESCRIPTION = """\
Measures the audio path on this machine: microphone samples to base64, event texts, and audio events to
what is heard. Beside voicelane stands whatever of the other libraries is installed. Each answer is
checked first: one that is wrong or late is named with its reason, not ranked.
"""

EXAMPLES = """\
examples:
  voicelane bench
  voicelane bench --seconds 0.1 --json result.json --plot result.svg
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `voicelane bench`."""
    parser.add_argument(
        "--seconds",
        type=_at_most_60_s,
        default=0.3,
        metavar="S",
        help="how long each library is timed at each job (default: 0.3)",
    )
    parser.add_argument(
        "--library",
        action="append",
        metavar="NAME",
        help="measure this one, as it stands in the table; may be said again (default: all)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw them: .svg or .png (needs matplotlib)"
    )


def run(args: argparse.Namespace) -> int:
    """Measures, prints a table, and writes what was asked for."""
    from .results import new_results, save
    from .table import tables

    if args.plot:
        _check_plot(args.plot)
    results = new_results()
    _measure_all(results, args.seconds, args.library)
    machine, known = results["machine"], results["versions"].items()
    print(f"{machine['cpu']}, {machine['cpus']} CPUs, {results['python']}, {results['date']}")
    print(", ".join(f"{name} {version}" for name, version in known), end="\n\n")
    print(tables(results))
    try:
        if args.json:
            save(results, args.json)
        if args.plot:
            from .pictures import draw

            draw(results, args.plot)
    except OSError as error:
        text = f"cannot write {error.filename}: {error.strerror}"
        raise CommandError(ExitCode.OUTPUT, text) from error
    return ExitCode.OK


def _measure_all(results: dict[str, Any], seconds: float, names: list[str] | None) -> None:
    from .conversions import CONVERSIONS
    from .encoders import ENCODERS
    from .libraries import Library, NotThere
    from .measure import APPEND_CASE, ENCODE, EVENT_TEXT, PLAYBACK, PLAYBACK_CASE, measure
    from .players import APPENDS, PLAYERS

    jobs: list[tuple[str, str, Library[Any]]] = [
        (ENCODE, one.name, library) for one in CONVERSIONS for library in ENCODERS.values()
    ]
    jobs += [(EVENT_TEXT, APPEND_CASE, library) for library in APPENDS.values()]
    jobs += [(PLAYBACK, PLAYBACK_CASE, library) for library in PLAYERS.values()]
    known = dict.fromkeys(library.name for _, _, library in jobs)
    if unknown := [name for name in names or () if name not in known]:
        text = f"--library {unknown[0]}: expected one of {', '.join(known)}"
        raise CommandError(ExitCode.USAGE, text)
    jobs = [job for job in jobs if not names or job[2].name in names]
    for count, (group, case, library) in enumerate(jobs, 1):
        if sys.stderr.isatty():
            print(f"\r\x1b[2K[{count}/{len(jobs)}] {case}: {library.name}", end="", file=sys.stderr)
        try:
            results["rows"].append(measure(group, case, library, seconds=seconds))
        except NotThere:
            continue
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def _at_most_60_s(text: str) -> float:
    return number(text, float, lambda seconds: 0 < seconds <= 60, "more than 0 and at most 60")


def _check_plot(path: Path) -> None:
    if path.suffix.lower() not in (".svg", ".png"):
        raise CommandError(ExitCode.USAGE, f"--plot {path}: expected .svg or .png")
    if find_spec("matplotlib") is None:
        text = "--plot needs matplotlib, which is not installed: pip install matplotlib"
        raise CommandError(ExitCode.USAGE, text)
