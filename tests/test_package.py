"""What importing the package costs, and what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
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


EXAMPLES = {
    "barge_in.py": "[service] truncates item_",
    "configured_session.py": "heard 3.1 s of the agent",
    "events.py": " s of audio sent, 0 errors\nfirst audio after ",
    "phone_bridge.py": "hung up, the gateway closed with 1000\nreply.wav: ",
    "push_to_talk.py": "\nagent: Hello, I can hear you well. How can I help?\n",
    "reconnect.py": "[told again] user: My name is Ada.\n",
    "standalone.py": "heard 3.1 s of the agent",
    "text_only.py": "user: And this?\n\ragent: The",
    "tools.py": 'find_table({"guests": 40}) -> {"error": "there is no table for more than 12"}',
}


# VideoSDK has environments of its own: tests/drop_in/test_example.py.
ELSEWHERE = {"videosdk_agent.py"}


def test_examples_run(tmp_path: Path) -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES) | ELSEWHERE

    def run(name: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-W", "error", ROOT / "examples" / name]
        return subprocess.run(command, capture_output=True, check=False, timeout=50, cwd=tmp_path)

    with ThreadPoolExecutor(len(EXAMPLES)) as pool:  # they wait for a loudspeaker, most of the time
        runs = dict(zip(EXAMPLES, pool.map(run, EXAMPLES), strict=True))
    for name, said in EXAMPLES.items():
        assert runs[name].returncode == 0, f"{name}: {runs[name].stderr.decode()}"
        assert said in runs[name].stdout.decode(), name
        assert b"Error" not in runs[name].stderr, name
