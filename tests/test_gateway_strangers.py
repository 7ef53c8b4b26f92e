"""Whom the gateway does not know: pages from elsewhere, clients that mean it no good."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway_support import HELLO, Browser, gateway
from neighbour import nothing_left
from support import until
from voicelane.gateway import GatewaySettings


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


async def test_an_origin_that_is_no_url(caplog: pytest.LogCaptureFixture) -> None:
    async with gateway() as server, server.browser(origin="http://[::1") as browser:
        assert await browser.close_code() == 4403
    assert [one for one in caplog.records if one.name.startswith("voicelane")] == []


async def test_a_page_whose_name_leads_to_loopback() -> None:
    """The Host of such a request is the page's own: only a token tells it from the gateway's page."""
    page = {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"}
    async with gateway() as server, server.browser(headers=page) as browser:
        assert await browser.close_code() == 4403
    async with gateway(token="right") as server:
        async with server.browser(headers=page) as browser:
            await browser.hello(token="right")
        async with server.browser(headers=page) as browser:
            await browser.say(**HELLO)
            assert await browser.close_code() == 4401
    named = frozenset({"http://evil.example:8080"})
    async with gateway(origins=named) as server, server.browser(headers=page) as browser:
        await browser.hello()


async def test_close_codes_of_a_clients_own_are_one_series() -> None:
    async with gateway() as server:
        for code in (3000, 4999, 65535):
            async with server.browser() as browser:
                await browser.websocket.close(code=code)
        text = server.gateway.metrics.text
        await until(lambda: b'voicelane_gateway_ended_total{code="other"} 3.0' in text())
        assert text().count(b"voicelane_gateway_ended_total{") == 1


async def test_a_rate_that_no_microphone_has() -> None:
    """To design its filter would keep all calls waiting."""
    async with gateway() as server, server.browser() as browser:
        await browser.say(**HELLO | {"input_sample_rate_hz": 47_999})
        assert await browser.close_code() == 4400
        assert server.requests == []


async def test_a_bridge_that_goes_on_to_say_hello() -> None:
    """It has shown no token yet: there is no end to what it could have parsed."""
    async with (
        gateway(token="right") as server,
        server.http.ws_connect(f"{server.url}/media-stream") as websocket,
    ):
        bridge = Browser(websocket, kind="event")
        await bridge.say(event="connected")
        await bridge.say(event="connected")
        assert await bridge.close_code() == 4400


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="expected None or at least one character, got ''"):
        GatewaySettings(token="")
