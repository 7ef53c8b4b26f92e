"""`voicelane serve` as a process."""

from __future__ import annotations

import re

from aiohttp import ClientSession

from cli_support import started, voicelane
from gateway_support import HELLO, Browser


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
