"""The simulator over a real socket: with a plain websocket client, and with the service's SDK."""

from __future__ import annotations

import asyncio
import base64
import logging
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from azure.ai.voicelive import aio as voicelive
from azure.ai.voicelive.models import (
    AzureStandardVoice,
    InputTextContentPart,
    RequestSession,
    ServerEventType,
    ServerVad,
    UserMessageItem,
)
from azure.core.credentials import AzureKeyCredential

from ports import reserved_port
from simulator_client import (
    LONG_REPLY,
    PHRASES,
    QUERY,
    SILENCE,
    SPEECH,
    Client,
    Event,
    connected,
    conversing,
    ended,
)
from simulator_talk import REPLY_EVENTS, TURN_EVENTS, audio_of, order
from support import TIMEOUT_S
from voicelane.simulator import Faults, Reply, Simulator, serve


@pytest.fixture(autouse=True)
def _nothing_fails_in_the_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """aiohttp logs what a handler raises, and asyncio what a task does: there is to be none."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


# Turns


async def test_spoken_turn() -> None:
    async with conversing(audio_speed=math.inf) as (sim, client):
        await client.speak(SPEECH + SILENCE)
        events = await client.until("response.done")
        assert order(events) == TURN_EVENTS + REPLY_EVENTS
        assert audio_of(events) == PHRASES[0].pcm

        connection = sim.connections[0]
        await connection.wait_until(lambda one: one.audio_bytes == len(SPEECH + SILENCE))
        assert connection.audio == SPEECH + SILENCE
        assert connection.sent["response.done"] == 1


async def test_text_rounds_on_one_connection() -> None:
    async with conversing(audio_speed=math.inf) as (_, client):
        for phrase in PHRASES[:3]:
            await client.say("Hello")
            events = await client.until("response.done")
            assert audio_of(events) == phrase.pcm
            done = events[-1]["response"]
            assert done["status"] == "completed"
            assert done["output"][0]["content"][0]["transcript"] == phrase.text


async def test_audio_is_paced() -> None:
    reply = Reply("Half a second.", PHRASES[0].pcm[: 48 * 500])
    async with conversing(replies=[reply], audio_speed=10.0, delta_ms=50) as (_, client):
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        await client.say("Hello")
        events = await client.until("response.done")
        # 500 ms of audio, ten times faster.
        assert loop.time() - asked_s >= 0.05
        assert sum(event["type"] == "response.audio.delta" for event in events) == 10


async def test_barge_in() -> None:
    async with conversing(replies=[LONG_REPLY]) as (_, client):
        await client.say("Hello")
        await client.until("response.audio.delta")
        await client.speak(SPEECH)
        events = await client.until("response.done")
        started = next(
            index for index, event in enumerate(events)
            if event["type"] == "input_audio_buffer.speech_started"
        )  # fmt: skip
        assert audio_of(events[started:]) == b""
        assert events[-1]["response"]["status_details"]["reason"] == "turn_detected"
        await client.speak(SILENCE)
        assert (await client.receive())["type"] == "input_audio_buffer.speech_stopped"


async def test_cancel_and_truncate() -> None:
    async with conversing(replies=[LONG_REPLY]) as (_, client):
        await client.say("Hello")
        item_id = (await client.until("response.audio.delta"))[-1]["item_id"]
        await client.send("response.cancel", event_id="first")
        assert (await client.until("response.done"))[-1]["response"]["status"] == "cancelled"
        await client.send("response.cancel", event_id="second")
        error = (await client.receive())["error"]
        assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "second")

        sent_ms = len(audio_of(client.events)) // 48
        where = {"item_id": item_id, "content_index": 0}
        await client.send("conversation.item.truncate", **where, audio_end_ms=sent_ms + 1)
        error = (await client.receive())["error"]
        expected = f"Audio content of {sent_ms}ms is already shorter than {sent_ms + 1}ms"
        assert error["message"] == expected
        await client.send("conversation.item.truncate", **where, audio_end_ms=50)
        assert (await client.receive())["type"] == "conversation.item.truncated"


async def test_push_to_talk() -> None:
    async with conversing(audio_speed=math.inf) as (_, client):
        await client.send("session.update", session={"turn_detection": None})
        await client.speak(SPEECH + SILENCE)
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        assert order(await client.until("response.done"))[:4] == [
            "session.updated",
            "input_audio_buffer.committed",
            "conversation.item.created",
            "response.created",
        ]


async def test_a_refused_message_does_not_end_the_session() -> None:
    async with conversing(audio_speed=math.inf) as (_, client):
        await client.socket.send_str("{nonsense")
        await client.socket.send_bytes(b"\xff\x00")
        for _ in range(2):
            assert (await client.receive())["error"]["code"] == "invalid_json"
        await client.send("no.such.event")
        error = (await client.receive())["error"]
        assert "'no.such.event'" in error["message"]
        await client.say("Hello")
        assert (await client.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_a_message_over_15_mib_closes() -> None:
    async with conversing() as (sim, client):
        audio = "A" * (15 * 1024 * 1024)
        with suppress(ConnectionError):  # the server goes while the message is on its way
            await client.send("input_audio_buffer.append", audio=audio)
        await ended(sim)
        assert sim.connections[0].close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_connections_are_independent() -> None:
    async with Simulator(audio_speed=50.0) as sim:

        async def talk(count: int) -> list[Event]:
            async with connected(sim) as client:
                for _ in range(count):
                    await client.say("Hello")
                    await client.until("response.done")
                return client.events

        counts = [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]
        results = await asyncio.gather(*map(talk, counts))
        for count, events in zip(counts, results, strict=True):
            expected = b"".join(phrase.pcm for phrase in PHRASES[:count])
            assert audio_of(events) == expected
        sessions = {events[0]["session"]["id"] for events in results}
        assert len(sessions) == len(counts) == len(sim.connections)


async def test_a_test_may_send_events_of_its_own() -> None:
    async with conversing() as (sim, client):
        await sim.connections[0].send({"type": "warning", "warning": {"message": "Careful."}})
        assert (await client.receive())["warning"]["message"] == "Careful."


# Who may connect


async def refused(sim: Simulator, headers: dict[str, str], query: dict[str, str]) -> Any:
    """Return the status and the error of a handshake, 101 and None where it succeeds."""
    url = f"{sim.endpoint}/voice-live/realtime".replace("ws://", "http://")
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with (
        aiohttp.ClientSession() as http,
        http.get(url, params=query, headers=upgrade | headers) as response,
    ):
        if response.status == 101:
            return 101, None
        return response.status, (await response.json())["error"]


KEY = {"api-key": "simulator-key"}
AGENT = {"api-version": "2026-07-15", "agent-name": "a", "agent-project-name": "p"}


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        (KEY, QUERY, 101),
        ({"Authorization": "Bearer simulator-token"}, QUERY, 101),
        ({}, QUERY | KEY, 101),
        ({}, QUERY | {"Authorization": "Bearer simulator-token"}, 101),
        (KEY, AGENT, 101),
        ({}, QUERY, 401),
        ({"api-key": "wrong"}, QUERY, 401),
        ({"api-key": ""}, QUERY, 401),
        ({"Authorization": "Bearer wrong"}, QUERY, 401),
        ({"Authorization": "simulator-token"}, QUERY, 401),
        ({"api-key": "wrong"}, {}, 401),
        (KEY, {"model": "gpt-realtime"}, 400),
        (KEY, {"api-version": "2026-07-15"}, 400),
        (KEY, {"api-version": "2026-07-15", "agent-name": "a"}, 400),
    ],
)
async def test_handshake(headers: dict[str, str], query: dict[str, str], status: int) -> None:
    async with Simulator() as sim:
        found, error = await refused(sim, headers, query)
        assert found == status
        if error is not None:
            assert error["code"]
            assert error["message"]
            assert "simulator-" not in error["message"]


# Faults


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_fault_refuse(status: int) -> None:
    async with Simulator(faults=Faults(refuse_with_status=status)) as sim:
        found, error = await refused(sim, KEY, QUERY)
        assert (found, error["code"]) == (status, str(status))
        assert len(sim.connections) == 0


async def test_fault_accept_silently() -> None:
    async with Simulator(faults=Faults(accept_silently=True)) as sim, connected(sim) as client:
        await client.say("Hello")
        connection = sim.connections[0]
        await asyncio.wait_for(connection.wait_until(lambda one: len(one.received) == 2), TIMEOUT_S)
        assert [event["type"] for event in connection.received] == [
            "conversation.item.create",
            "response.create",
        ]
        kind, _ = await asyncio.gather(client.until_closed(), connection.close(4000))
        assert kind is aiohttp.WSMsgType.CLOSE
        assert client.socket.close_code == 4000
        assert client.events == []


async def test_fault_close_in_mid_turn() -> None:
    faults = Faults(close_after_deltas=3, close_code=1012, close_reason="restart")
    async with conversing(faults=faults, audio_speed=50.0) as (sim, client):
        await client.say("Hello")
        await client.until_closed()
        assert client.socket.close_code == 1012
        assert order(client.events)[-1] == "response.audio.delta"
        assert len(audio_of(client.events)) == 300 * 48
        await ended(sim)
        assert sim.connections[0].close_code == 1012


async def test_fault_cut_in_mid_turn() -> None:
    faults = Faults(close_after_deltas=3, close_code=None)
    async with conversing(faults=faults, audio_speed=50.0) as (_, client):
        await client.say("Hello")
        kind = await client.until_closed()
        assert kind in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert client.socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_faults_of_the_first_connections_only() -> None:
    async with Simulator(faults=Faults(refuse_with_status=503, first_connections=2)) as sim:
        statuses = [(await refused(sim, KEY, QUERY))[0] for _ in range(3)]
        assert statuses == [503, 503, 101]


# Starting and stopping


async def test_stop_closes_connections_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    with reserved_port() as port:
        await stop_among_clients(port)
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", port)
    assert asyncio.all_tasks() == before


async def stop_among_clients(port: int) -> None:
    async with Simulator(replies=[LONG_REPLY], port=port) as sim:
        endpoint = sim.endpoint
        http = aiohttp.ClientSession()
        url = f"{endpoint}/voice-live/realtime"
        speaking, silent = [
            Client(await http.ws_connect(url, params=QUERY, headers=KEY)) for _ in range(2)
        ]
        await speaking.say("Hello")
        await speaking.until("response.audio.delta")
        # It reads on and so answers the close; the silent one does not: that must not matter.
        reading = asyncio.create_task(speaking.until_closed())
    await reading
    assert speaking.socket.close_code == aiohttp.WSCloseCode.GOING_AWAY
    assert [connection.close_code for connection in sim.connections] == [1001, 1001]
    await silent.socket.close()
    await http.close()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sim.endpoint


async def test_stop_does_not_wait_for_a_client_that_does_not_read() -> None:
    huge = Reply("Endless.", bytes(24_000_000))
    async with conversing(replies=[huge], audio_speed=math.inf, delta_ms=10_000) as (sim, client):
        await client.say("Hello")
        await sim.connections[0].wait_until(lambda one: len(one.received) == 2)
        await asyncio.wait_for(sim.__aexit__(None, None, None), TIMEOUT_S)
        assert sim.connections[0].close_code is not None


async def test_a_client_may_vanish_in_mid_turn() -> None:
    async with Simulator(replies=[LONG_REPLY], audio_speed=math.inf) as sim:
        for _ in range(3):
            async with connected(sim) as client:
                await client.say("Hello")
                await client.until("response.audio.delta")
                client.socket._writer.transport.abort()
        await ended(sim)


async def test_a_client_may_go_without_waiting_for_answers() -> None:
    async with Simulator() as sim, connected(sim) as client:
        await client.receive()
        for _ in range(2000):
            await client.send("input_audio_buffer.clear")
        client.socket._writer.transport.close()
        await ended(sim)


async def test_port_in_use() -> None:
    async with Simulator() as sim:
        port = int(sim.endpoint.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            await Simulator(port=port).__aenter__()


@pytest.mark.parametrize(
    "options", [{"audio_speed": 0}, {"audio_speed": math.nan}, {"delta_ms": 0}]
)
def test_bad_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Simulator(**options)


async def test_serve_runs_until_cancelled() -> None:
    ready: asyncio.Future[Simulator] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(port=0, api_key="k", on_ready=ready.set_result))
    sim = await asyncio.wait_for(ready, TIMEOUT_S)
    async with connected(sim) as client:
        assert (await client.receive())["type"] == "session.created"
        server.cancel()
        await client.until_closed()
    with pytest.raises(asyncio.CancelledError):
        await server


# With the service's own SDK


@asynccontextmanager
async def sdk_connection(sim: Simulator) -> AsyncIterator[voicelive.VoiceLiveConnection]:
    async with (
        asyncio.timeout(TIMEOUT_S),
        voicelive.connect(
            endpoint=sim.endpoint,
            credential=AzureKeyCredential(sim.api_key),
            model="gpt-realtime",
        ) as connection,
    ):
        assert (await connection.recv()).type == ServerEventType.SESSION_CREATED
        yield connection


async def sdk_until(connection: voicelive.VoiceLiveConnection, kind: ServerEventType) -> list[Any]:
    events = [await connection.recv()]
    while events[-1].type != kind:
        events.append(await connection.recv())
    return events


async def test_sdk_spoken_turn() -> None:
    async with Simulator(audio_speed=math.inf) as sim, sdk_connection(sim) as connection:
        session = RequestSession(
            modalities=["text", "audio"],
            voice=AzureStandardVoice(name="en-US-AvaNeural"),
            turn_detection=ServerVad(silence_duration_ms=300),
            input_audio_format="pcm16",
            output_audio_format="pcm16",
        )
        await connection.session.update(session=session)
        updated = (await connection.recv()).session
        assert updated.turn_detection.silence_duration_ms == 300
        assert updated.voice["name"] == "en-US-AvaNeural"

        for start in range(0, len(SPEECH + SILENCE), 4800):
            chunk = (SPEECH + SILENCE)[start : start + 4800]
            await connection.input_audio_buffer.append(audio=base64.b64encode(chunk).decode())
        events = await sdk_until(connection, ServerEventType.RESPONSE_DONE)

        deltas = [event.delta for event in events if event.type == "response.audio.delta"]
        assert b"".join(deltas) == PHRASES[0].pcm
        response = events[-1].response
        assert response.status == "completed"
        assert response.usage.output_token_details.audio_tokens > 0
        assert response.output[0].content[0].transcript == PHRASES[0].text
        assert all(type(event).__name__ != "ServerEvent" for event in events)


async def test_sdk_text_rounds_cancel_and_errors() -> None:
    async with Simulator(replies=[LONG_REPLY]) as sim, sdk_connection(sim) as connection:
        for _ in range(3):
            content = [InputTextContentPart(text="Hello")]
            await connection.conversation.item.create(item=UserMessageItem(content=content))
            await connection.response.create()
            events = await sdk_until(connection, ServerEventType.RESPONSE_AUDIO_DELTA)
            await connection.response.cancel()
            done = (await sdk_until(connection, ServerEventType.RESPONSE_DONE))[-1].response
            assert done.status == "cancelled"
            assert done.status_details.reason == "client_cancelled"
        item_id = events[-1].item_id
        await connection.conversation.item.truncate(
            item_id=item_id, content_index=0, audio_end_ms=99_999
        )
        (error,) = await sdk_until(connection, ServerEventType.ERROR)
        assert "is already shorter than 99999ms" in error.error.message


async def test_sdk_is_refused() -> None:
    async with Simulator() as sim:
        with pytest.raises(voicelive.ConnectionError, match="401"):
            async with voicelive.connect(
                endpoint=sim.endpoint, credential=AzureKeyCredential("wrong"), model="gpt-realtime"
            ):
                pass
