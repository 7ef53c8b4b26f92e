"""What importing the package costs, and what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import voicelane

ROOT = Path(__file__).parent.parent


def imported_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter loads for `code`."""
    command = [sys.executable, "-X", "importtime", "-c", code]
    trace = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in trace.splitlines()}


@pytest.mark.parametrize("module", ["voicelane", "voicelane.errors", "voicelane.config"])
def test_import_loads_nothing_heavy(module: str) -> None:
    loaded = imported_by(f"import {module}")
    assert "voicelane" in loaded
    assert not loaded & {
        "numpy",
        "scipy",
        "videosdk",
        "azure",
        "aiohttp",
        "soundfile",
        "rich",
        "av",
        "aiortc",
    }


def test_every_public_name_is_there() -> None:
    for name in voicelane.__all__:
        assert getattr(voicelane, name) is not None


def test_the_version_is_one() -> None:
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert voicelane.__version__ == voicelane.build_info()["version"] == cargo
    assert f"## [{cargo}]" in changelog


def test_the_core_knows_no_python() -> None:
    command = ["cargo", "tree", "--quiet", "--edges", "normal,dev,build", "--prefix", "none"]
    tree = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "rubato" in tree
    assert "pyo3" not in tree
    outside = [
        path for path in (ROOT / "rust").rglob("*.rs") if "py" not in path.relative_to(ROOT).parts
    ]
    assert outside
    assert not [path for path in outside if re.search(r"\bpyo3\b", path.read_text())]
