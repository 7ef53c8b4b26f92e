"""`voicelane simulate --processes`: one port, one end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from cli_support import Run, started, voicelane
from voicelane.cli import ExitCode

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux spreads connections")
QUERY = "api-version=2026-07-15&model=gpt-realtime&api-key=simulator-key"
ENOUGH_CONNECTIONS = 60  # that one of two processes gets them all does not happen


@asynccontextmanager
async def simulating(*options: object, in_background: bool = False) -> AsyncIterator[Run]:
    command = ("simulate", "--port", 0, "--processes", 2, *options)
    async with started(*command, in_background=in_background) as simulator:
        yield simulator


async def endpoint_of(simulator: Run) -> str:
    endpoint = (await simulator.line_with("export AZURE_VOICE_LIVE_ENDPOINT")).partition("=")[2]
    await simulator.line_with("export AZURE_VOICE_LIVE_API_KEY")
    return endpoint


@asynccontextmanager
async def connected_to_both(simulator: Run) -> AsyncIterator[None]:
    """Connects until each process has a connection."""
    url = f"{await endpoint_of(simulator)}/voice-live/realtime?{QUERY}"
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ClientSession())
        seen: set[str] = set()
        for _ in range(ENOUGH_CONNECTIONS):
            await stack.enter_async_context(http.ws_connect(url))
            line = await simulator.line_with(" opened")
            match = re.fullmatch(r"\d\d:\d\d:\d\d  process ([12]), connection \d+ opened", line)
            assert match, line
            seen.add(match[1])
            if len(seen) == 2:
                break
        assert seen == {"1", "2"}
        yield


def children_of(process: asyncio.subprocess.Process) -> list[int]:
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_all_serve_the_port_and_end_together(signum: signal.Signals) -> None:
    async with (
        simulating(in_background=signum == signal.SIGTERM) as simulator,
        connected_to_both(simulator),
    ):
        simulator.process.send_signal(signum)
        ended = await simulator.end()  # of the output: so none of them is left
    assert (ended.exit_code, ended.stderr) == (ExitCode.OK, "")
    assert ended.stdout.endswith("\nsimulator stopped\n")
    assert ended.stdout.count("stopped") == 1


async def test_what_is_not_as_expected_in_one_is_the_exit_code(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("turns:\n- say: Hello\nexpect:\n  events: [response.cancel]\n")
    async with simulating("--scenario", scenario) as simulator, connected_to_both(simulator):
        simulator.process.send_signal(signal.SIGTERM)
        ended = await simulator.end()
    assert ended.exit_code == ExitCode.NOT_AS_EXPECTED
    assert ended.stderr.count("not as expected: expected event 1") == 2


async def test_all_end_with_one_that_dies() -> None:
    async with simulating() as simulator:
        await endpoint_of(simulator)
        os.kill(children_of(simulator.process)[0], signal.SIGKILL)
        ended = await simulator.end()
    assert ended.exit_code == ExitCode.INTERNAL
    assert ended.error == "one of 2 processes ended (code -9), and so did the others"


async def test_none_outlives_the_parent() -> None:
    async with simulating() as simulator, connected_to_both(simulator):
        simulator.process.kill()
        ended = await simulator.end()  # when nobody holds its output any more
    assert ended.exit_code == -signal.SIGKILL


async def test_nobody_else_shares_the_port() -> None:
    async with simulating() as simulator:
        port = (await endpoint_of(simulator)).rpartition(":")[2]
        for others in (1, 2):
            ended = await voicelane("simulate", "--port", port, "--processes", others)
            assert ended.exit_code == ExitCode.PORT_TAKEN
            assert ended.error == f"cannot listen on 127.0.0.1:{port}: Address already in use"


@pytest.mark.parametrize("number", ["0", "-1", "many"])
async def test_a_number_that_is_none(number: str) -> None:
    ended = await voicelane("simulate", "--processes", number)
    assert ended.exit_code == ExitCode.USAGE
    assert "--processes" in ended.stderr
