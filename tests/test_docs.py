"""The documents are true: their code runs, their commands exist, their links lead somewhere, and every public
name is explained."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import json
import re
import shlex
import threading
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import fields
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import voicelane
from documents import PAGES, ROOT, Block, anchors, blocks, commands, links, read
from public_names import public_names, unexplained
from support import TIMEOUT_S
from voicelane import cli
from voicelane.config import AzureVoiceLiveConfig
from voicelane.simulator import Simulator, read_scenario

WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
# What is said of the past names commands that are gone.
WITHOUT_COMMANDS = {Path("CHANGELOG.md")}
# `voicelane.videosdk` needs VideoSDK: tests/drop_in/test_drop_in.py.
PUBLIC_MODULES = [
    "voicelane",
    "voicelane.config",
    "voicelane.errors",
    "voicelane.events",
    "voicelane.gateway",
    "voicelane.logs",
    "voicelane.simulator",
    "voicelane.simulator.pytest_plugin",
    "voicelane.telemetry",
    "voicelane.tools",
]


# --- code ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, str]]:
    """The environment of a reader who has an account: with a simulator, in a thread of its own."""
    started: Future[dict[str, str]] = Future()
    stop: Future[None] = Future()

    async def serve() -> None:
        async with Simulator() as simulator:
            started.set_result(
                {
                    "AZURE_VOICE_LIVE_ENDPOINT": simulator.endpoint,
                    "AZURE_VOICE_LIVE_API_KEY": simulator.api_key,
                }
            )
            await asyncio.wrap_future(stop)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield started.result(TIMEOUT_S)
    finally:
        stop.set_result(None)
        thread.join()


@pytest.mark.parametrize("page", WITH_PYTHON, ids=str)
def test_python_runs(
    page: Path,
    account: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The blocks of a page run in order, each with what the ones before it defined."""
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    printed = ""
    for block in blocks(page):
        if block.is_output:
            assert printed == block.text, f"{block}: the block before printed this"
        if block.language != "python":
            continue
        # Blank lines before it, so that a traceback names the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(ROOT / page), "exec")
        if block.why_not_run is None:
            capsys.readouterr()
            exec(code, namespace)
            printed = capsys.readouterr().out


def test_what_is_not_run_says_why() -> None:
    reasons = {str(block): block.why_not_run for page in PAGES for block in blocks(page)}
    assert not [where for where, why in reasons.items() if why is not None and len(why) < 10]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_data_is_well_formed(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        try:
            _parse(block, tmp_path)
        except Exception as error:
            raise AssertionError(f"{block}: {error}") from error


def _parse(block: Block, folder: Path) -> None:
    match block.language:
        case "json":
            json.loads(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "xml":
            ElementTree.fromstring(block.text)
        case "yaml":
            document = yaml.safe_load(block.text)
            if "turns" in document:
                (folder / "scenario.yaml").write_text(block.text)
                read_scenario(folder / "scenario.yaml")


def test_every_setting_has_an_example() -> None:
    page = Path("docs/configuration.md")
    examples = "".join(block.text for block in blocks(page) if block.language == "python")
    assert [
        field.name
        for field in fields(AzureVoiceLiveConfig)
        if not re.search(rf"\b{field.name}=", examples)
    ] == []


# --- commands --------------------------------------------------------------------------------------

MAKE_TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@cache
def help_of(*command: str) -> str:
    """What `voicelane ... --help` prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0
    return out.getvalue()


def wrong_in(line: str) -> list[str]:
    """What the commands of a line have that is not there."""
    words = shlex.split(line.removeprefix("$ "), comments=True)
    ends = [index for index, word in enumerate(words) if word in ("&&", "|", ";")]
    starts = [0, *(index + 1 for index in ends)]
    each = [words[start:end] for start, end in zip(starts, [*ends, len(words)], strict=True)]
    return [wrong for command in each for wrong in _wrong_in_command(command)]


def _wrong_in_command(command: list[str]) -> list[str]:
    match command:
        case ["make", *words]:
            targets = [word for word in words if "=" not in word and not word.startswith("-")]
            return [word for word in targets if word not in MAKE_TARGETS]
        case ["voicelane", str(name), *words] if not name.startswith("-"):
            if not re.search(rf"^ +{name} ", help_of(), re.M):
                return [name]
            options = [word.partition("=")[0] for word in words if word.startswith("-")]
            known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_of(name)))
            return [option for option in options if option not in known]
        case [("pip" | "python"), *words] if "install" in words:
            extras = re.findall(r"(?:voicelane|\.)\[([\w,-]+)\]", " ".join(words))
            return [extra for one in extras for extra in one.split(",") if extra not in EXTRAS]
        case [("python" | ".venv/bin/python"), str(path), *_] if path.endswith(".py"):
            stands_for_any = Path(path).stem.isupper()  # NAME.py
            return [] if stands_for_any or (ROOT / path).exists() else [path]
        case ["cargo", ("test" | "bench") as kind, *words]:
            folder = {"test": "tests", "bench": "benches"}[kind]
            names = re.findall(rf"--{kind} (\w+)", " ".join(words))
            return [name for name in names if not (ROOT / folder / f"{name}.rs").exists()]
    return []


@pytest.mark.parametrize("page", sorted(set(PAGES) - WITHOUT_COMMANDS), ids=str)
def test_commands_exist(page: Path) -> None:
    wrong = {
        f"{where}: {line}": words
        for where, line in commands(page)
        if re.match(r"(\$ )?(make|voicelane|pip|cargo|git|(\.venv/bin/)?python) ", line)
        and (words := wrong_in(line))
    }
    assert wrong == {}


def test_a_wrong_command_is_found() -> None:
    assert wrong_in("make tset SEEDS=1") == ["tset"]
    assert wrong_in("voicelane talk question.wav --quite -o reply.wav") == ["--quite"]
    assert wrong_in("voicelane tlak question.wav") == ["tlak"]
    assert wrong_in("pip install 'voicelane[gatway]'") == ["gatway"]
    assert wrong_in("python examples/no.py") == ["examples/no.py"]


# --- links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path) if path else page
        there = ROOT / target
        is_dead = not there.exists() or (there.is_file() and not there.stat().st_size)
        if not is_dead and fragment and there.suffix == ".md":
            is_dead = fragment not in anchors(target)
        if is_dead:
            dead.append(link)
    assert dead == []


def test_pictures_are_well_formed() -> None:
    for picture in (ROOT / "docs/img").glob("*.svg"):
        ElementTree.parse(picture)


def test_every_page_is_once_in_the_navigation() -> None:
    navigation = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    pages = {str(page) for page in PAGES if page.parts[0] == "docs"}
    assert pages - set(navigation) == set()
    assert len(navigation) == len(set(navigation))


# --- public names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_every_public_name_is_explained(name: str) -> None:
    assert list(unexplained(importlib.import_module(name))) == []


def test_every_public_name_is_in_the_reference() -> None:
    reference = "".join(read(page) for page in PAGES if page.parts[:2] == ("docs", "reference"))
    names = set(re.findall(r"^::: (\S+)", reference, re.M))
    assert {*PUBLIC_MODULES[1:], "voicelane.videosdk"} <= names
    modules = [importlib.import_module(name) for name in PUBLIC_MODULES[1:] if name in names]
    shown = {id(getattr(module, name)) for module in modules for name in public_names(module)}
    shown |= {id(module) for module in modules}
    left_out = [
        name
        for name in public_names(voicelane)
        if f"voicelane.{name}" not in names and id(getattr(voicelane, name)) not in shown
    ]
    assert left_out == ["__version__"]
