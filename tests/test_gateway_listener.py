"""Gateways that share a port: who calls meets one that takes calls."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientSession, web

from gateway_support import SAID, Browser
from neighbour import nothing_left
from ports import reserved_port
from support import until
from voicelane import AzureVoiceLive
from voicelane.gateway import GATEWAY, CallRequest, Gateway, GatewaySettings, create_app
from voicelane.gateway.listener import Listener
from voicelane.simulator import Reply, Simulator

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "SO_REUSEPORT"), reason="ports cannot be shared here"
)


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port(is_shared=True) as port:
        yield port


class Member:
    """One of those that share the port."""

    def __init__(self, gateway: Gateway, listener: Listener) -> None:
        self.gateway = gateway
        self.listener = listener


@asynccontextmanager
async def member(sim: Simulator, port: int, **settings: Any) -> AsyncIterator[Member]:
    def new_session(call: CallRequest) -> AzureVoiceLive:
        return AzureVoiceLive(
            model="m", endpoint=sim.endpoint, api_key=sim.api_key, config=call.config()
        )

    app = create_app(new_session, GatewaySettings(**settings))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    listener = Listener(runner, app[GATEWAY], "127.0.0.1", port)
    await listener.start()
    try:
        yield Member(app[GATEWAY], listener)
    finally:
        await listener.stop()
        await runner.cleanup()


class Callers:
    """Browsers that call, one after another."""

    def __init__(self, port: int, stack: AsyncExitStack, http: ClientSession) -> None:
        self._url = f"ws://127.0.0.1:{port}/ws"
        self._stack = stack
        self._http = http

    async def call(self) -> Browser:
        websocket = await self._stack.enter_async_context(self._http.ws_connect(self._url))
        browser = Browser(websocket)
        await browser.hello()
        return browser


@asynccontextmanager
async def callers(port: int) -> AsyncIterator[Callers]:
    async with ClientSession() as http, AsyncExitStack() as stack:
        yield Callers(port, stack, http)


def settled(member: Member) -> bool:
    """Whether it listens as it should."""
    return member.listener.is_listening == (member.gateway.status == "ready")


async def test_calls_go_to_those_that_have_room(port: int) -> None:
    async with (
        Simulator() as sim,
        member(sim, port, max_calls=2) as one,
        member(sim, port, max_calls=2) as other,
        callers(port) as some,
    ):
        calls = []
        for _ in range(4):
            calls.append(await some.call())
            await until(lambda: settled(one) and settled(other))
        assert (one.gateway.num_calls, other.gateway.num_calls) == (2, 2)
        with pytest.raises(ClientConnectorError):
            await some.call()
        await calls[0].websocket.close()
        await until(lambda: one.listener.is_listening or other.listener.is_listening)
        await some.call()
        assert one.gateway.num_calls + other.gateway.num_calls == 4


async def test_one_that_drains_keeps_its_calls_and_gets_no_more(port: int) -> None:
    async with (
        Simulator(replies=[Reply("Hello.", SAID[0])], audio_speed=50.0) as sim,
        member(sim, port) as leaving,
        callers(port) as some,
    ):
        kept = await some.call()
        async with member(sim, port) as staying:
            draining = asyncio.create_task(leaving.gateway.drain())
            await until(lambda: not leaving.listener.is_listening)
            await kept.until("draining")
            for _ in range(4):
                await some.call()
            assert (leaving.gateway.num_calls, staying.gateway.num_calls) == (1, 4)
            await kept.say(type="text", text="Hello?")
            await kept.until("state", lambda told: told["state"] == "speaking")
            await kept.until("state", lambda told: told["state"] == "listening")
            assert bytes(kept.heard) == SAID[0]
            assert not draining.done()
            await kept.websocket.close()
            await draining


async def test_it_stops_while_it_opens_its_socket(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    create_server = loop.create_server

    async def slow(*args: Any, **options: Any) -> asyncio.Server:
        server = await create_server(*args, **options)
        opened.set()
        await go_on.wait()
        return server

    async with (
        Simulator() as sim,
        member(sim, port, max_calls=1) as only,
        callers(port) as some,
    ):
        call = await some.call()
        await until(lambda: not only.listener.is_listening)
        monkeypatch.setattr(loop, "create_server", slow)
        await call.websocket.close()
        await opened.wait()
        stopping = asyncio.create_task(only.listener.stop())
        await asyncio.sleep(0)
        go_on.set()
        await stopping
        with pytest.raises(ClientConnectorError):
            await some.call()


async def test_a_port_of_another_program_is_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with Simulator() as sim:
            with pytest.raises(OSError, match="address already in use"):
                await member(sim, other.getsockname()[1]).__aenter__()
