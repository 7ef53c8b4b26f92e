"""The service's limits, as the simulator keeps them."""

from __future__ import annotations

import math
import time

import aiohttp
import pytest

from support import EventLog, speak, until
from voicelane import AzureVoiceLive, ReconnectPolicy
from voicelane.simulator import Limits, Simulator
from voicelane.simulator.limits import ConnectionRate


def session(sim: Simulator) -> AzureVoiceLive:
    return AzureVoiceLive(
        model="gpt-realtime",
        endpoint=sim.endpoint,
        api_key=sim.api_key,
        reconnect=ReconnectPolicy(max_attempts=0),
    )


def test_the_defaults_are_the_services_but_for_connections() -> None:
    assert Limits() == Limits(
        connections_per_minute=None, session_s=3600, message_bytes=15 << 20, audio_ahead_ms=None
    )
    assert Limits.of_the_service() == Limits(connections_per_minute=30)
    with pytest.raises(ValueError, match="session_s: expected above 0, but got 0"):
        Limits(session_s=0)


def test_a_minute_has_room_for_so_many_connections() -> None:
    now_s = 100.0
    rate = ConnectionRate(2, lambda: now_s)
    assert rate.accept() is None
    now_s = 110.5
    assert [rate.accept(), rate.accept()] == [None, 50]
    now_s = 160.0  # the first one is a minute ago; the refused one does not count
    assert [rate.accept(), rate.accept()] == [None, 11]
    assert all(ConnectionRate(None).accept() is None for _ in range(1000))


async def test_one_connection_too_many_is_refused() -> None:
    async with Simulator(limits=Limits(connections_per_minute=1)) as sim:
        url = f"{sim.endpoint}/voice-live/realtime?model=m&api-version=1"
        headers = {"api-key": sim.api_key}
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError) as unauthorized:
                await client.ws_connect(url)
            assert unauthorized.value.status == 401  # which takes no place
            await (await client.ws_connect(url, headers=headers)).close()
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(url, headers=headers)
        assert refused.value.status == 429
        assert refused.value.headers is not None
        assert 1 <= int(refused.value.headers["Retry-After"]) <= 60


async def test_a_session_ends_when_it_said_it_would() -> None:
    async with Simulator(limits=Limits(session_s=0.3)) as sim:
        url = f"{sim.endpoint}/voice-live/realtime?model=m&api-version=1"
        began_s = time.time()
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(url, headers={"api-key": sim.api_key}) as websocket,
        ):
            created, error = await websocket.receive_json(), await websocket.receive_json()
            assert int(began_s + 0.3) <= created["session"]["expires_at"] <= time.time() + 0.3
            assert error["error"]["code"] == "session_expired"
            assert (await websocket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert websocket.close_code == 1001


async def test_a_message_that_is_too_long() -> None:
    async with Simulator(limits=Limits(message_bytes=10_000)) as sim:
        model = session(sim)
        log = EventLog(model)
        async with model:
            await model.send_text_message("x" * 12_000)
            await log.wait_for("closed")
        assert sim.connections[0].close_code == 1009


@pytest.mark.parametrize(("ahead_ms", "code"), [(500, 1008), (30_000, None)])
async def test_audio_faster_than_real_time(ahead_ms: int, code: int | None) -> None:
    async with Simulator(limits=Limits(audio_ahead_ms=ahead_ms), audio_speed=math.inf) as sim:
        model = session(sim)
        log = EventLog(model)
        async with model:
            # Half a minute of 48 kHz stereo: no machine stands still for so long.
            await speak(model, bytes(30 * 48_000 * 4), chunk_bytes=50 * 48 * 4)
            connection = sim.connections[0]
            if code is None:
                await until(lambda: connection.audio_bytes >= 30 * 48_000 * 0.9)
            else:
                await log.wait_for("closed")
            assert connection.close_code == code
        errors = log.all("error")
        assert any("too far ahead" in str(one) for one in errors) == (code is not None)
