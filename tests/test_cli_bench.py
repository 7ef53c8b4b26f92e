"""`voicelane bench`: a tiny run, its file, and the tables and pictures that are made of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli_support import started
from voicelane.cli import ExitCode, main
from voicelane.cli.bench import libraries
from voicelane.cli.bench.answers import answer_of
from voicelane.cli.bench.conversions import CONVERSIONS, ROOM, Conversion
from voicelane.cli.bench.encoders import ENCODERS, Encode
from voicelane.cli.bench.pictures import draw
from voicelane.cli.bench.results import load
from voicelane.cli.bench.table import tables

FIXTURE = Path(__file__).parent / "data" / "bench.json"


async def test_a_tiny_run_measures_voicelane_and_writes_its_figures(tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    async with started(
        "bench", "--seconds", "0.001", "--library", "voicelane", "--json", output
    ) as run:
        ended = await run.end()
    assert ended.exit_code == ExitCode.OK, ended.stderr
    results = load(output)
    assert results["machine"]["cpus"] > 0
    assert results["versions"]["voicelane"]
    assert "--seconds 0.001" in results["command"]
    ours = results["rows"]
    assert {row["library"] for row in ours} == {"voicelane"}
    assert [row["case"] for row in ours[:-2]] == [one.name for one in CONVERSIONS]
    for row in ours:
        assert row["fault"] is None
        assert 0 < row["p50_us"] <= row["p99_us"] <= row["p999_us"] <= row["max_us"]
        assert row["case"] in ended.stdout


def test_help_tells_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["bench", "--help"])
    told = capsys.readouterr().out
    assert all(option in told for option in ("--json", "--plot", "--seconds"))


def test_a_library_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--library", "nobody"]) == ExitCode.USAGE
    assert "expected one of voicelane, " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["result.txt", "result"])
def test_a_picture_of_another_kind_is_refused_before_anything_is_measured(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--plot", name]) == ExitCode.USAGE
    assert "expected .svg or .png" in capsys.readouterr().err


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda conversion: conversion.name)
def test_our_own_answer_is_right(conversion: Conversion) -> None:
    answer = answer_of(conversion, ENCODERS["voicelane"].make)
    assert answer.fault is None
    assert answer.held_back_ms < 0.1
    assert answer.delay_ms == pytest.approx(
        26 / min(conversion.source_hz, conversion.target_hz) * 1000, abs=0.05
    )


def _altered(alter: Any) -> Any:
    """voicelane, with something done to each text."""

    def make(conversion: Conversion) -> Encode:
        encode = ENCODERS["voicelane"].make(conversion)
        return lambda pcm: alter(encode(pcm))

    return make


def _delayed() -> Any:
    waiting = [""] * 3

    def alter(text: str) -> str:
        waiting.append(text)
        return waiting.pop(0)

    return alter


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (_altered(lambda text: text * 2), "700 ms more than went in"),
        (_altered(lambda text: text[:640] * 2), "dB SNR"),
        (lambda conversion: _altered(_delayed())(conversion), "late: holds 60 ms back"),
    ],
    ids=["twice", "the first half twice", "three calls late"],
)
def test_a_wrong_or_late_answer_is_told(make: Any, fault: str) -> None:
    assert fault in (answer_of(ROOM, make).fault or "")


def test_who_is_wrong_or_late_has_no_time_in_the_table() -> None:
    table = tables(load(FIXTURE))
    [late] = [line for line in table.splitlines() if line.startswith("| soxr")]
    assert "late: holds 38 ms back" in late
    assert "7.25" not in late
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    assert lines[2].startswith("| voicelane")
    assert " 10.0 " in lines[3]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_picture_is_drawn_from_the_file_alone(kind: str, tmp_path: Path) -> None:
    if libraries.Library("", ("matplotlib",), None).missing:
        pytest.skip("matplotlib is not installed")
    path = tmp_path / f"bench.{kind}"
    draw(load(FIXTURE), path)
    assert path.stat().st_size > 1000


def test_another_versions_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"schema": 0}))
    with pytest.raises(ValueError, match="expected a result of schema 1, got 0"):
        load(path)
