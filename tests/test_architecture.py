"""ARCHITECTURE.md is true: every file is in it, nothing imports upwards, no file is too long."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "voicelane"
RUST = ROOT / "rust"
MAX_CODE_LINES = 400

SOURCES = {".py", ".pyi", ".rs", ".js", ".html", ".css"}
# What the row of the folder itself stands for.
OF_THE_FOLDER = {"__init__.py", "mod.rs"}

# Who may import a package; whatever is not named here, the sessions are made of.
IMPORTERS = {
    "cli": {"cli", "__main__"},
    "gateway": {"cli", "gateway"},
    "simulator": {"cli", "simulator"},
    "videosdk": {"videosdk"},
}
# Without I/O: what happens is decided there, not done.
SANS_IO = (
    "protocol.py",
    "transcripts.py",
    "tool_calls.py",
    "open_calls.py",
    "simulator/conversation.py",
)
# From the lowest to the highest; what stands together may use each other.
RUST_LAYERS = [
    {"error", "sync"},
    {"audio", "wire"},
    {"capture"},
    {"playback", "uplink"},
    {"engine"},
    {"py"},
]


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in SOURCES)


def named() -> list[Path]:
    """The paths in the first column of the page's tables, below the folder that the heading names."""
    paths: list[Path] = []
    base = ROOT
    for line in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            folder = re.search(r"`(.+)/`", line)
            base = ROOT / folder[1] if folder else ROOT
        elif line.startswith("| `"):
            paths += [base / name for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
    return paths


def test_every_file_is_named_once_and_no_other() -> None:
    times = Counter(named())
    assert not [path for path, number in times.items() if number > 1]
    assert not [path for path in times if not path.exists()], "named though gone"
    files = [*sources(RUST), *sources(PACKAGE)]
    wanted = [path.parent if path.name in OF_THE_FOLDER else path for path in files]
    assert len(wanted) > 150
    missing = {path for path in wanted if path not in times} - {PACKAGE}
    assert not missing, "not in ARCHITECTURE.md"


def imports(path: Path) -> Iterator[str]:
    """The modules of voicelane that a module imports when it is imported itself, as dotted names."""
    here = ["voicelane", *path.relative_to(PACKAGE).with_suffix("").parts]
    for node in run_at_import(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            # `from . import a` is a module, `from .a import b` a name in one.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when the module is imported: none for type checkers, none in functions."""
    for node in ast.iter_child_nodes(tree):
        is_later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not is_later and not is_for_types:
            yield node
            yield from run_at_import(node)


def module_of(path: Path) -> str:
    return ".".join(["voicelane", *path.relative_to(PACKAGE).with_suffix("").parts])


def import_graph() -> dict[str, set[str]]:
    """What each module imports of the others."""
    modules = {module_of(path): path for path in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        graph[module] = set()
        for name in imports(path):
            candidates = (name, f"{name}.__init__", name.rpartition(".")[0])
            found = next((one for one in candidates if one in modules), None)
            found = found or f"{name.rpartition('.')[0]}.__init__"
            if found in modules and found != module:
                graph[module].add(found)
    return graph


def test_no_module_imports_in_a_circle() -> None:
    # A package names its modules, and they may name it: that is no layer above another.
    graph = {
        module: {one for one in used if not one.endswith("__init__")}
        for module, used in import_graph().items()
    }
    assert sum(map(len, graph.values())) > 300
    TopologicalSorter(graph).prepare()  # CycleError names the circle


@pytest.mark.parametrize("package", IMPORTERS)
def test_a_package_is_imported_from_above_alone(package: str) -> None:
    prefix = f"voicelane.{package}."
    importers = {
        module.split(".")[1]
        for module, used in import_graph().items()
        if any(one.startswith(prefix) for one in used)
    }
    assert importers <= IMPORTERS[package]


@pytest.mark.parametrize("name", SANS_IO)
def test_what_decides_does_no_io(name: str) -> None:
    imported = {one.partition(".")[0] for one in imports(PACKAGE / name)}
    assert not imported & {"asyncio", "socket", "threading", "time", "aiohttp"}


def test_the_core_imports_nothing_upwards() -> None:
    level = {name: number for number, names in enumerate(RUST_LAYERS) for name in names}
    upwards = []
    for path in sources(RUST):
        own = path.relative_to(RUST).with_suffix("").parts[0]
        if own != "lib":
            used = re.findall(r"\bcrate::(\w+)", path.read_text(encoding="utf-8"))
            upwards += [(path.name, name) for name in used if level.get(name, 0) > level[own]]
    assert not upwards


def code_lines(path: Path) -> int:
    """Lines without those that are blank, a comment or a docstring."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    if path.suffix not in (".py", ".pyi"):
        return sum(
            1 for line in lines if line.strip() and not line.strip().startswith(("//", "*", "/*"))
        )
    documented = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return sum(
        1
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.strip().startswith("#") and number not in documented
    )


def test_no_file_is_too_long() -> None:
    folders = (PACKAGE, RUST, ROOT / "tests", ROOT / "benches", ROOT / "examples", ROOT / "fuzz")
    lengths = {path: code_lines(path) for folder in folders for path in sources(folder)}
    found = {
        str(path.relative_to(ROOT)) for path, lines in lengths.items() if lines > MAX_CODE_LINES
    }
    assert not found
