"""The pytest plugin, in a test run of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from documents import blocks

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.voice_scenario("yes.yaml")
async def test_kept(voice_session, voice_simulator):
    await voice_session.send_text_message("Well?")
    connection = voice_simulator.connections[0]
    await connection.wait_until(lambda one: one.sent["response.done"] == 1)
    connection.assert_sent("session.update", "response.create", never=["response.cancel"])

@pytest.mark.voice_scenario("yes.yaml")
async def test_broken(voice_session):
    pass

async def test_without_a_scenario(voice_simulator):
    assert voice_simulator.endpoint.startswith("ws://127.0.0.1:")
"""


def test_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\nasyncio_mode = strict\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    # What the documents say to write.
    conftest, test, *_ = blocks(Path("docs/testing-with-the-simulator.md"))
    pytester.makeconftest(conftest.text)
    said = "turns:\n- say: Indeed.\nexpect:\n  events: [response.create]\n"
    pytester.makefile(".yaml", yes=said, greeting=said)
    marked = TESTS.replace("import pytest", "import pytest\npytestmark = pytest.mark.asyncio", 1)
    pytester.makepyfile(test_marked=marked, test_documented=test.text)
    result = pytester.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(
        ["*connection 1: expected event 1, *response.create*session.update*"]
    )


def test_importing_it_loads_no_server() -> None:
    code = (
        "import sys, voicelane.simulator.pytest_plugin\n"
        "print(*{'aiohttp', 'azure', 'yaml'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
