"""The vocabulary of faults: what each does to bytes and events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from ports import reserved_port
from voicelane.simulator import Faults, Simulator

HEADERS = {"api-key": "simulator-key"}
QUERY = "/voice-live/realtime?api-version=2026-07-15&model=m"


@asynccontextmanager
async def client(sim: Simulator) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(sim.endpoint + QUERY, headers=HEADERS) as websocket,
    ):
        yield websocket


def test_a_mixture_is_that_of_its_seed_and_prints_so_that_it_can_be_repeated() -> None:
    drawn = [Faults.random(seed) for seed in range(200)]
    assert drawn == [Faults.random(seed) for seed in range(200)]
    assert len(set(map(repr, drawn))) == 200
    for faults in drawn:
        assert eval(repr(faults)) == faults
    assert repr(Faults()) == "Faults()"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"latency_ms": -1}, "latency_ms"),
        ({"bytes_per_s": 0}, "bytes_per_s"),
        ({"close_code": 999}, "close_code"),
        ({"refuse_with_status": 200}, "refuse_with_status"),
        ({"every_nth_event": 0}, "every_nth_event"),
        ({"drop_events": "error"}, "drop_events"),
    ],
)
def test_values_out_of_range_are_refused_by_name(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        Faults(**settings)


async def test_a_refusal_says_when_to_come_back() -> None:
    faults = Faults(refuse_with_status=429, retry_after_s=7)
    async with Simulator(faults=faults) as sim:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with client(sim):
                pass
    assert caught.value.status == 429
    assert caught.value.headers is not None
    assert caught.value.headers["Retry-After"] == "7"


async def test_what_comes_late_comes_in_order() -> None:
    async with Simulator(faults=Faults(jitter_ms=5)) as sim, client(sim) as websocket:
        assert (await websocket.receive_json())["type"] == "session.created"
        for number in range(50):
            await sim.connections[0].send({"type": "warning", "number": number})
        told = [(await websocket.receive_json())["number"] for _ in range(50)]
    assert told == [*range(50)]


async def test_no_more_goes_through_than_the_line_takes() -> None:
    async with Simulator() as sim, client(sim) as websocket:
        await websocket.receive()
        sim.connections[0].faults = Faults(bytes_per_s=100_000)
        started_s = time.monotonic()
        await sim.connections[0].send({"type": "warning", "text": "x" * 20_000})
        assert len((await websocket.receive()).data) > 20_000
        assert time.monotonic() - started_s > 0.19


@pytest.mark.parametrize("num_bytes", [0, 1, 2, 40])
async def test_the_connection_is_cut_at_the_very_byte(num_bytes: int) -> None:
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection(*sim.endpoint[5:].split(":"))
        lines = (
            f"GET {QUERY} HTTP/1.1",
            "Host: x",
            "api-key: simulator-key",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        )
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await reader.readuntil(b"\r\n\r\n")
        head = await reader.readexactly(4)  # of session.created, with its length
        await reader.readexactly(int.from_bytes(head[2:]))
        connection = sim.connections[0]
        connection.faults = Faults(close_after_bytes=num_bytes, close_code=None)
        if num_bytes:
            await connection.send({"type": "warning", "text": "x" * 100})
        assert len(await reader.read()) == num_bytes
        writer.close()
        await connection.wait_until(lambda one: one.close_code == 1006)


async def test_a_restart_closes_and_listens_again_at_the_same_place() -> None:
    with reserved_port() as port:
        async with Simulator(port=port) as sim:
            async with client(sim) as websocket:
                await websocket.receive()
                restarting = asyncio.create_task(sim.restart())
                assert (await websocket.receive()).type is aiohttp.WSMsgType.CLOSE
                assert websocket.close_code == 1012
                await restarting
            assert sim.endpoint.endswith(f":{port}")
            async with client(sim) as websocket:
                assert (await websocket.receive_json())["type"] == "session.created"
