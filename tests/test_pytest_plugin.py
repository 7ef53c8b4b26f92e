"""The pytest plugin, in a test run of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
    pytester.makeconftest('pytest_plugins = ["voicelane.simulator.pytest_plugin"]')
    pytester.makefile(".yaml", yes="turns:\n- say: Indeed.\nexpect:\n  events: [response.create]\n")
    marked = TESTS.replace("import pytest", "import pytest\npytestmark = pytest.mark.asyncio", 1)
    pytester.makepyfile(marked)
    result = pytester.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, errors=1)
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
