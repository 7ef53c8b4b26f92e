"""Bad input: a close code that says why, and another call undisturbed."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from gateway_support import HELLO, SAID, Browser, gateway
from neighbour import nothing_left
from support import until
from voicelane.gateway import CloseCode
from voicelane.simulator import Faults

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
OPEN = HELLO | {"token": "right"}


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


async def answered(browser: Browser) -> None:
    await browser.say(type="text", text="Hello?")
    await browser.until("state", lambda told: told["state"] == "speaking")
    await browser.until("state", lambda told: told["state"] == "listening")
    assert bytes(browser.heard) == SAID[0]


FIRST: dict[str, tuple[int, Any]] = {
    "no token": (4401, HELLO),
    "a wrong token": (4401, HELLO | {"token": "wr\u00f6ng"}),
    "a token that is none": (4400, HELLO | {"token": 7}),
    "no JSON": (4400, "hello"),
    "no object": (4400, "[]"),
    "nested": (4400, "[" * 60_000),
    "audio": (4400, bytes(960)),
    "another protocol": (4400, OPEN | {"protocol": 2}),
    "a rate that is true": (4400, OPEN | {"input_sample_rate_hz": True}),
    "a rate": (4400, OPEN | {"input_sample_rate_hz": 7_999}),
    "a voice": (4400, OPEN | {"voice": "en-US-Nobody"}),
    "not hello": (4400, {"type": "text", "text": "Hi"}),
    "too big": (1009, bytes(64 * 1024 + 1)),
}
THEN: dict[str, tuple[int, Any]] = {
    "no JSON": (4400, "{"),
    "an unknown type": (4400, {"type": "shutdown"}),
    "half a sample": (4400, bytes(961)),
    "no sample": (4400, b""),
    "no text": (4400, {"type": "text", "text": ""}),
    "long text": (4400, {"type": "text", "text": "x" * 4001}),
    "talk without push-to-talk": (4400, {"type": "talk", "talking": True}),
    "played by text": (4400, {"type": "played", "clear": 0, "frames": "1"}),
    "too big": (1009, {"type": "text", "text": "x" * 65_536}),
}


async def send(browser: Browser, data: Any) -> None:
    if isinstance(data, bytes):
        await browser.websocket.send_bytes(data)
    else:
        await browser.websocket.send_str(data if isinstance(data, str) else json.dumps(data))


async def test_the_first_message() -> None:
    async with gateway(token="right") as server, server.call(token="right") as other:
        for name, (code, data) in FIRST.items():
            async with server.browser() as browser:
                await send(browser, data)
                assert await browser.close_code() == code, name
        await answered(other)


async def test_later_messages() -> None:
    async with gateway() as server, server.call() as other:
        for name, (code, data) in THEN.items():
            async with server.call() as browser:
                await send(browser, data)
                assert await browser.close_code() == code, name
        await answered(other)


async def test_origins() -> None:
    async with gateway(origins=frozenset({"https://shop.example"})) as server:
        for origin in ("https://evil.example", "null", "https://shop.example.evil"):
            async with server.browser(origin=origin) as browser:
                assert await browser.close_code() == 4403
        for origin in ("https://shop.example", server.url):
            async with server.browser(origin=origin) as browser:
                await browser.hello()


async def test_no_hello() -> None:
    async with gateway(hello_timeout_s=0.05) as server, server.browser() as browser:
        assert await browser.close_code() == 4408


async def test_idle() -> None:
    async with gateway(idle_timeout_s=0.2) as server, server.call() as browser:
        await browser.websocket.send_bytes(bytes(1920))
        assert await browser.close_code() == 4408


async def test_full() -> None:
    async with gateway(max_calls=1) as server, server.call() as other:
        async with server.browser() as browser:
            await browser.say(**HELLO)
            assert await browser.close_code() == 4503
        async with server.http.get(f"{server.url}/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"status": "full"})
        await answered(other)


async def test_more_audio_than_a_microphone_gives() -> None:
    async with (
        gateway() as server,
        server.call() as other,
        server.call(input_sample_rate_hz=8_000) as browser,
    ):
        four_seconds = bytes(2 * 8_000 * 4)
        await browser.websocket.send_bytes(four_seconds)  # as after a network that stood still
        await browser.say(type="ping", id=1)
        await browser.until("pong")
        for _ in range(10):
            await browser.websocket.send_bytes(four_seconds)
        assert await browser.close_code() == 4429
        await answered(other)


async def test_too_many_messages() -> None:
    async with gateway() as server, server.call() as browser:
        for number in range(2_000):  # of a minute, by the second
            await browser.say(type="ping", id=number)
        assert await browser.close_code() == 4429


async def test_a_client_that_stops_reading() -> None:
    async with gateway() as server, server.call() as other:
        connector = TCPConnector(socket_factory=narrow_socket)
        async with (
            ClientSession(connector=connector) as http,
            http.ws_connect(f"{server.url}/ws") as websocket,
        ):
            await Browser(websocket).hello()
            websocket._conn.transport.pause_reading()  # type: ignore[union-attr]
            for _ in range(60):  # comes back as 24 KB of JSON each
                await Browser(websocket).say(type="text", text="\u00e9" * 4000)
            ended = b'voicelane_gateway_ended_total{code="4420"} 1.0'
            await until(lambda: ended in server.gateway.metrics.text())
            websocket._conn.transport.abort()  # type: ignore[union-attr]
        await answered(other)


def narrow_socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    narrow = socket.socket(family, kind, protocol)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return narrow


async def test_the_service_refuses() -> None:
    async with gateway() as server, server.browser() as browser:
        server.sim.faults = Faults(refuse_with_status=401)
        await browser.say(**HELLO)
        assert await browser.close_code() == 4502


async def test_a_session_that_cannot_be_made() -> None:
    async with gateway(turn_detections=("by magic",)) as server, server.browser() as browser:
        await browser.say(**HELLO)
        assert await browser.close_code() == 1011


def test_every_close_code_is_documented_and_tested() -> None:
    text = (DOCS / "gateway-protocol.md").read_text(encoding="utf-8").partition("## Close codes")[2]
    documented = {int(code) for code in re.findall(r"^\| (\d{4}) \|", text, re.MULTILINE)}
    # Of the websocket itself: no close frame, and a message that is too big.
    assert documented == {int(code) for code in CloseCode} | {1006, 1009}
    tests = "".join(path.read_text(encoding="utf-8") for path in TESTS.glob("test_gateway*.py"))
    seen_otherwise = {1006}  # by a server that is killed, and as HTTP 503
    assert [code for code in documented - seen_otherwise if str(code) not in tests] == []


async def test_http() -> None:
    async with gateway(token="right") as server, server.call(token="right"):
        async with server.http.get(f"{server.url}/") as answer:
            assert answer.status == 200
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
        async with server.http.get(f"{server.url}/static/../server.py") as answer:
            assert answer.status == 404
        async with server.http.get(f"{server.url}/healthz") as answer:
            assert await answer.json() == {"status": "ok"}
        async with server.http.get(f"{server.url}/config") as answer:
            assert (await answer.json())["token_required"] is True
        async with server.http.get(f"{server.url}/metrics") as answer:
            assert answer.status == 401
        right = {"Authorization": "Bearer right"}
        async with server.http.get(f"{server.url}/metrics", headers=right) as answer:
            assert "voicelane_gateway_calls 1.0" in await answer.text()
