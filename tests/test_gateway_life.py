"""How a call goes on and ends when its surroundings change: time, the service, a client that leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway_support import HELLO, SAID, gateway
from neighbour import nothing_left
from ports import reserved_port
from support import until
from voicelane.simulator import Faults


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


async def test_no_call_is_endless() -> None:
    async with gateway(max_call_s=0.1) as server, server.call() as browser:
        assert await browser.close_code() == 4408
        assert browser.told[-1]["type"] == "ready"


async def test_the_agent_hangs_up() -> None:
    async with gateway() as server, server.call() as browser:
        await server.calls[0].aclose()
        assert await browser.close_code() == 1000


async def test_the_page_hangs_up() -> None:
    async with gateway() as server, server.call() as browser:
        await browser.websocket.close(code=1000)
        ended = b'voicelane_gateway_ended_total{code="1000"} 1.0'
        await until(lambda: ended in server.gateway.metrics.text())


async def test_the_service_is_lost_and_there_again() -> None:
    with reserved_port() as port:
        async with gateway(service_port=port) as server, server.call() as browser:
            await server.sim.restart()
            await browser.until("service", lambda told: told["state"] == "reconnecting")
            await browser.until("service", lambda told: told["state"] == "connected")
            await browser.say(type="text", text="Still there?")
            await browser.until("state", lambda told: told["state"] == "speaking")


async def test_the_service_is_lost_for_good() -> None:
    with reserved_port() as port:
        async with gateway(service_port=port) as server, server.call() as browser:
            server.sim.faults = Faults(refuse_with_status=401)
            await server.sim.restart()
            assert await browser.close_code() == 4502


async def test_a_client_leaves_while_the_session_connects() -> None:
    async with gateway() as server:
        server.sim.faults = Faults(latency_ms=60_000)
        async with server.browser() as browser:
            await browser.say(**HELLO)
            await until(lambda: server.gateway.num_calls == 1)
        await until(lambda: server.gateway.num_calls == 0)


async def test_drain_does_not_wait_for_a_session_that_connects() -> None:
    async with gateway() as server:
        server.sim.faults = Faults(latency_ms=60_000)
        async with server.browser() as browser:
            await browser.say(**HELLO)
            await until(lambda: server.gateway.num_calls == 1)
            await server.gateway.drain(0.05)
            # Had it waited for the service, it would say that there is none.
            assert await browser.close_code() == 1001


async def test_a_fault_in_one_call_leaves_the_others_their_audio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise RuntimeError("planted")

    async with gateway() as server, server.call() as other, server.call() as browser:
        monkeypatch.setattr(server.calls[1], "catch_up", fail)
        await browser.say(type="text", text="Hello?")
        assert await browser.close_code() == 1011
        await other.say(type="text", text="Hello?")
        await other.until("state", lambda told: told["state"] == "speaking")
        await other.until("state", lambda told: told["state"] == "listening")
        assert bytes(other.heard) == SAID[0]


async def test_who_has_not_said_hello_does_not_keep_the_gateway() -> None:
    async with gateway(hello_timeout_s=3600) as server, server.browser() as browser:
        await server.gateway.drain(0)
        assert await browser.close_code() == 1001


async def test_who_said_hello_before_the_gateway_drains_is_told_so() -> None:
    async with gateway() as server, server.browser() as browser:
        server.sim.faults = Faults(latency_ms=100)
        await browser.say(**HELLO)
        await until(lambda: server.gateway.num_calls == 1)
        draining = asyncio.create_task(server.gateway.drain(3600))
        told = await browser.until("draining")
        assert 3000 < told["seconds"] <= 3600
        await browser.websocket.close()
        await draining
