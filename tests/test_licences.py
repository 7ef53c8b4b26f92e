"""Every crate and every package that voicelane brings along has a licence of the list in deny.toml."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires

import pytest
from packaging.requirements import Requirement

from test_bench_sessions import ROOT

ALLOWED = tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"]
# What packages write that name no SPDX expression.
NAMES = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met; what is none cannot."""
    words = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    return _any_of(words) and not words


def _any_of(words: list[str]) -> bool:
    is_met = _all_of(words)
    while _comes(words, "OR"):
        is_met = _all_of(words) or is_met
    return is_met


def _all_of(words: list[str]) -> bool:
    is_met = _one(words)
    while _comes(words, "AND"):
        is_met = _one(words) and is_met
    return is_met


def _one(words: list[str]) -> bool:
    if _comes(words, "("):
        is_met = _any_of(words)
        return _comes(words, ")") and is_met
    licence = words.pop(0) if words else ""
    if _comes(words, "WITH"):
        licence += f" WITH {words.pop(0) if words else ''}"
    return licence in ALLOWED


def _comes(words: list[str], word: str) -> bool:
    """Whether that is the next word, which then is taken."""
    return words[:1] == [word] and bool(words.pop(0))


def licences_of(package: str) -> list[str]:
    """What a Python package says of its licence, as SPDX expressions."""
    about = metadata(package)
    if expression := about.get("License-Expression"):
        return [expression]
    classifiers = about.get_all("Classifier") or []
    named = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: ")]
    named = [one for one in named if one != "OSI Approved"] or [about.get("License") or "unknown"]
    return [NAMES.get(one, one) for one in named]


def needed_by(package: str, extras: tuple[str, ...] = ()) -> set[str]:
    """The packages that come along, as far as they are installed here."""
    found: set[str] = set()
    waiting = [(package, extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        for line in requires(name) or ():
            need = Requirement(line)
            if need.marker and not need.marker.evaluate({"extra": extra}):
                continue
            try:
                metadata(need.name)
            except PackageNotFoundError:
                continue
            if need.name not in found:
                found.add(need.name)
                waiting += [(need.name, one) for one in ("", *need.extras)]
    return found


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT OR Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(MIT OR GPL-2.0-only) AND Zlib", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0 WITH another-exception", False),
        ("Unlicense/MIT", True),
        ("GPL-3.0-only AND MIT OR MIT", True),
        ("GPL-3.0-only AND (MIT OR MIT)", False),
        ("MIT AND", False),
        ("(MIT", False),
        ("MIT MIT", False),
        ("MIT, Zlib", False),
        ("", False),
    ],
)
def test_expressions_are_read(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


def test_licences_of_crates() -> None:
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    crates = json.loads(done.stdout)["packages"]
    assert len(crates) > 50
    refused = {one["name"]: one["license"] for one in crates if not is_allowed(one["license"])}
    assert refused == {}


def test_licences_of_packages() -> None:
    packages = needed_by("voicelane", ("cli", "otel"))
    assert {"aiohttp", "azure-ai-voicelive", "azure-identity", "soundfile"} <= packages
    told = {name: licences_of(name) for name in packages}
    refused = {name: said for name, said in told.items() if not all(map(is_allowed, said))}
    assert refused == {}
