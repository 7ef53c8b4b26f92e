"""What CONTRIBUTING.md and the hooks name is there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from pre_commit.clientlib import load_config

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def prerequisites(target: str) -> set[str]:
    """All that `make TARGET` makes, itself included."""
    found = re.search(rf"^{re.escape(target)}:([^#\n=]*)", MAKEFILE, re.MULTILINE)
    if found is None:
        return set()
    return {target}.union(*map(prerequisites, found[1].split()))


def test_the_way_in_is_five_commands() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(.*?)```", text, re.DOTALL)
    assert block
    commands = [line.partition("#")[0].strip() for line in block[1].splitlines()]
    assert len(commands) == 5
    for target in re.findall(r"\bmake ([a-z0-9-]+)", text):
        assert prerequisites(target), f"make {target}"
    assert (ROOT / commands[3].split()[-1]).is_file()


def test_the_hooks_run_what_make_lint_runs() -> None:
    config = load_config(ROOT / ".pre-commit-config.yaml")
    hooks = config["repos"][0]["hooks"]
    assert config["default_install_hook_types"] == ["pre-commit", "pre-push"]
    assert [stage for hook in hooks for stage in hook["stages"]] == ["pre-commit", "pre-push"]
    for hook in hooks:
        make, target = hook["entry"].split()
        assert make == "make"
        assert target in prerequisites("lint")


def test_the_faults_of_make_mutate_can_be_planted() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "mutate-protocol"))
    assert script["FAULTS"]
    for what, file, old, new in script["FAULTS"]:
        assert (script["PACKAGE"] / file).read_text(encoding="utf-8").count(old) == 1, what
        assert old != new, what
    for name in (name for names in script["TESTS"] for name in names):
        assert (ROOT / name).exists(), name
