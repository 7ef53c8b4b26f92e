"""A result as Markdown, which reads well at a terminal too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .results import Row


def tables(results: dict[str, Any]) -> str:
    """Each group and case: who is right in the order of time, then who is not, and why."""
    parts = []
    for (group, case), rows in cases(results["rows"]):
        head = ["library", "p50, us", "p99", "p99.9", "max", "times ours"]
        ranked = ranked_rows(rows)
        head += _answer(ranked[0]) if ranked else []
        ours_us = next((row["p50_us"] for row in ranked if row["library"] == "voicelane"), None)
        lines = [_ranked(row, ours_us) + list(_answer(row).values()) for row in ranked]
        lines += [_not_ranked(row, len(head)) for row in rows if row["fault"]]
        parts += [f"**{group}: {case}**", markdown_table(head, lines)]
    return "\n\n".join(parts) + "\n"


def cases(rows: Iterable[Row]) -> Iterator[tuple[tuple[str, str], list[Row]]]:
    """The rows that are compared with each other, under their group and case."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        chunk = f", {row['chunk_ms']} ms a call" if "chunk_ms" in row else ""
        found.setdefault((row["group"], row["case"] + chunk), []).append(row)
    yield from found.items()


def ranked_rows(rows: Iterable[Row]) -> list[Row]:
    """Those without a fault, the quickest first."""
    return sorted((row for row in rows if not row["fault"]), key=lambda row: float(row["p50_us"]))


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in which columns stand below each other."""
    rows = [list(head), *(list(line) for line in lines)]
    widths = [max(3, *(len(row[at]) for row in rows)) for at in range(len(head))]
    rows.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    texts = (
        " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )
    return "\n".join(f"| {text} |" for text in texts)


def _ranked(row: Row, ours_us: float | None) -> list[str]:
    ratio = f"{row['p50_us'] / ours_us:.1f}" if ours_us else ""
    times = [f"{row[name]:.2f}" for name in ("p50_us", "p99_us", "p999_us", "max_us")]
    return [row["library"], *times, ratio]


def _answer(row: Row) -> dict[str, str]:
    """What is told beside the time, under the heads of its columns."""
    answer = row["answer"]
    if "memory_kib" in answer:
        return {"memory, KiB": f"{answer['memory_kib']:.1f}"}
    if "snr_db" not in answer:
        return {}
    alias = answer["rejection_db"]
    return {
        "SNR, dB": f"{answer['snr_db']:.0f}",
        "alias, dB": "" if alias is None else f"{-alias:.0f}",
        "delay, ms": f"{answer['delay_ms']:.2f}",
        "held back, ms": f"{answer['held_back_ms']:.1f}",
    }


def _not_ranked(row: Row, width: int) -> list[str]:
    return [f"{row['library']} ({row['fault']})", *[""] * (width - 1)]
