"""`voicelane serve` as a process."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from cli_support import running, started, voicelane
from gateway_support import HELLO, Browser
from voicelane.cli import main


async def test_sigterm_drains() -> None:
    async with started("serve", "--simulator", "--port", 0) as run, ClientSession() as http:
        line = await run.line_with("gateway to")
        found = re.search(r"http://\S+:\d+", line)
        assert found
        url = found[0]
        async with http.get(f"{url}/") as page:
            assert page.status == 200
        async with http.ws_connect(f"{url}/ws") as websocket:
            browser = Browser(websocket)
            await browser.hello()
            run.process.terminate()
            await browser.until("draining")
            async with http.get(f"{url}/ws") as answer:
                assert answer.status == 503
            await browser.say(type="text", text="Still there?")
            await browser.until("state", lambda told: told["state"] == "speaking")
        ended = await run.end()
    assert ended.exit_code == 0
    assert ended.stdout.endswith("gateway stopped\n")
    assert ended.stderr == ""


async def test_a_second_signal_ends_the_calls() -> None:
    async with started("serve", "--simulator", "--port", 0) as run, ClientSession() as http:
        found = re.search(r"http://\S+:\d+", await run.line_with("gateway to"))
        assert found
        async with http.ws_connect(f"{found[0]}/ws") as websocket:
            browser = Browser(websocket)
            await browser.say(**HELLO)
            await browser.until("ready")
            run.process.terminate()
            await browser.until("draining")
            run.process.terminate()
            assert await browser.close_code() == 1001
        assert (await run.end()).exit_code == 0


async def test_what_it_refuses_to_serve() -> None:
    open_to_all = await voicelane("serve", "--simulator", "--host", "0.0.0.0")
    assert (open_to_all.exit_code, "VOICELANE_GATEWAY_TOKEN" in open_to_all.error) == (2, True)
    no_tools = await voicelane("serve", "--simulator", "--tools", "json:nothing")
    assert (no_tools.exit_code, "json:nothing" in no_tools.error) == (2, True)
    nobody = await voicelane("serve")
    assert (nobody.exit_code, "--simulator" in nobody.error) == (2, True)
    in_the_open = await voicelane("serve", "--endpoint", "ws://voice.test")
    assert (in_the_open.exit_code, "--allow-insecure" in in_the_open.error) == (2, True)


async def test_tools_are_imported_from_where_the_command_is_run(tmp_path: Path) -> None:
    (tmp_path / "shop_agent.py").write_text("TOOLS = []\n")
    # -P: as the installed command, which has no folder of the user's on its path.
    command = (sys.executable, "-P", "-m", "voicelane", "serve", "--simulator", "--port", 0)
    there = ("sh", "-c", 'cd "$0" && exec "$@"', tmp_path)
    async with running(*there, *command, "--tools", "shop_agent:TOOLS") as run:
        await run.line_with("gateway to")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--max-calls", "0", "expected a whole number, more than 0, got 0"),
        ("--max-calls", "many", "expected a whole number, more than 0, got many"),
        ("--port", "http", "expected 0 to 65535, got http"),
        ("--drain", "soon", "expected seconds, more than 0, got soon"),
        ("--origin", "shop.example", "as https://shop.example, got shop.example"),
        ("--origin", "https://shop.example/page", "got https://shop.example/page"),
        ("--origin", "https://[", "got https://["),
    ],
)
def test_an_option_says_what_it_expected(
    option: str, value: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--simulator", option, value])
    assert f"argument {option}: " in (told := capsys.readouterr().err)
    assert told.endswith(f"{expected}\n")


def test_tools_without_an_attribute(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--simulator", "--tools", "json"]) == 2
    assert "--tools: expected MODULE:ATTRIBUTE, got json" in capsys.readouterr().err
