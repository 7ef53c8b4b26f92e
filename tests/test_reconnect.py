"""A lost connection: made again where that can help, with the conversation told again."""

from __future__ import annotations

import asyncio
import json
import random
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken

from neighbour import nothing_left
from support import TIMEOUT_S, EventLog, read_all, reply_pcm, service, stop_sending, until
from voicelane import AzureVoiceLive, ReconnectPolicy, errors
from voicelane.open_session import OpenSession
from voicelane.simulator import Faults, Simulator

NOW_S = 1_800_000_000.0
QUICK = ReconnectPolicy(first_delay_s=0.001, max_delay_s=0.002, random=random.Random(1))


def model_for(sim: Simulator, **arguments: Any) -> AzureVoiceLive:
    arguments = {"model": "gpt-realtime", "reconnect": QUICK, **arguments}
    return AzureVoiceLive(endpoint=sim.endpoint, api_key=sim.api_key, **arguments)


class BothEnds:
    """A transport whose reader and sender end in one turn of the loop, each with what it knows."""

    connection = None
    writes_playback = False

    def __init__(self) -> None:
        self._told = [b'{"type": "session.updated", "session": {"id": "s"}}']
        self.gone = asyncio.Event()

    async def receive(self) -> list[bytes]:
        if self._told:
            return [self._told.pop()]
        await self.gone.wait()
        raise errors.ConnectionLostError(1008, "said by the service")

    def receive_nowait(self) -> list[bytes]:
        return []

    async def send(self, event: Any) -> None: ...

    async def serve(self, uplink: Any) -> None:
        await self.gone.wait()
        raise errors.ConnectionLostError(1006)

    def silence(self, response_id: str) -> None: ...

    async def close(self) -> None: ...


async def test_where_reader_and_sender_end_at_once_the_reader_says_why() -> None:
    for _ in range(20):  # which of them is looked at first was a matter of chance
        transport = BothEnds()

        async def connect(*_: Any, transport: BothEnds = transport) -> Any:
            return transport

        async with AzureVoiceLive(model="m", api_key="key", transport=connect) as model:
            transport.gone.set()
            error = await model.wait_closed()
        assert isinstance(error, errors.ConnectionLostError)
        assert error.reason == "said by the service"


def told(connection: Any) -> list[tuple[str, str]]:
    """The messages that a connection was told, as (role, text)."""
    items = [event.get("item", {}) for event in connection.received]
    return [(i["role"], i["content"][0]["text"]) for i in items if i.get("type") == "message"]


async def test_the_conversation_goes_on_where_it_was() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await model.send_text_message("What is the weather?")
        await log.wait_for("response_done")
        assert read_all(model) == reply_pcm(0)
        await sim.connections[0].abort()
        await log.wait_for("reconnected")
        assert model.session_ready
        await model.send_text_message("And tomorrow?")
        await log.wait_for("response_done", 2)

        first, second = sim.connections
        assert told(second)[:2] == [
            ("user", "What is the weather?"),
            ("assistant", log.finals("agent")[0]),
        ]
        assert told(second)[2:] == [("user", "And tomorrow?")]
        assert second.received[0]["session"] == first.received[0]["session"]
        # One fault, one error; nobody is asked to do anything about it.
        assert len(log.all("error")) == 1
        assert "1006" in log.all("error")[0]
        assert [one["attempt"] for one in log.all("reconnecting")] == [1]
        assert log.all("closed") == []
        assert model.stats()["reconnects"] == 1


async def test_the_voice_may_change_again_where_the_agent_has_not_spoken_yet() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await model.send_text_message("What is the weather?")
        await log.wait_for("response_done")
        with pytest.raises(ValueError, match="voice"):
            await model.update_session(voice="alloy")
        await sim.connections[0].abort()
        await log.wait_for("reconnected")
        await model.update_session(voice="alloy")
        updates = [e for e in sim.connections[1].received if e["type"] == "session.update"]
        assert updates[-1]["session"]["voice"] == "alloy"


async def test_what_nobody_heard_is_asked_for_again_and_what_was_heard_is_not() -> None:
    faults = Faults(close_after_deltas=2, first_connections=1)
    async with Simulator(audio_speed=1000, faults=faults) as sim, model_for(sim) as model:
        log = EventLog(model)
        reply = await model.send_message("Welcome!")
        await log.wait_for("response_done")
        assert log.finals("agent") == ["Welcome!"]
        assert read_all(model) == reply_pcm(0), "from its beginning, once"
        assert (await reply).status == "completed"
        creates = [e for e in sim.connections[1].received if e["type"] == "response.create"]
        assert len(creates) == 1

    async with Simulator(audio_speed=20, faults=faults) as sim, model_for(sim) as model:
        log = EventLog(model)
        reply = await model.send_message("Welcome!")
        await log.hear(model, 100, of_ms=100)
        await log.wait_for("reconnected")
        assert (await reply).status == "incomplete"
        await model.send_text_message("And now?")
        await log.wait_for("response_done")
        creates = [e for e in sim.connections[1].received if e["type"] == "response.create"]
        assert len(creates) == 1, "a greeting that was half heard is not begun anew"


async def test_audio_that_comes_meanwhile_is_kept_for_the_next_connection() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await sim.connections[0].abort()
        await log.wait_for("reconnecting")
        for _ in range(10):
            await model.handle_audio_input(bytes(3840))
        await log.wait_for("reconnected")
        await until(lambda: sim.connections[1].audio_bytes == 10 * 960)


async def test_a_text_that_is_sent_meanwhile_waits_for_the_next_connection() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await sim.connections[0].abort()
        await log.wait_for("reconnecting")
        assert not model.session_ready
        reply = await model.send_text_message("Are you there?")
        await log.wait_for("response_done")
        read_all(model)
        assert (await reply).status == "completed"
        assert told(sim.connections[1]) == [("user", "Are you there?")]


async def test_what_waited_to_be_sent_is_told_to_the_next_connection_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)

        stop_sending(model, monkeypatch)
        await model.interrupt()
        await model.send_text_message("Are you there?")
        await sim.connections[0].abort()
        await log.wait_for("response_done")
        assert told(sim.connections[1]) == [("user", "Are you there?")]
        kinds = [event["type"] for event in sim.connections[1].received]
        assert kinds == ["session.update", "conversation.item.create", "response.create"]
        assert len(log.all("error")) == 1


async def test_after_so_many_attempts_it_is_over() -> None:
    async with Simulator() as sim:
        model = model_for(sim, reconnect=ReconnectPolicy(max_attempts=3, first_delay_s=0.001))
        async with model:
            log = EventLog(model)
            sim.faults = Faults(refuse_with_status=503)
            await sim.connections[0].abort()
            lost = await model.wait_closed()
            assert isinstance(lost, errors.ConnectionLostError)
            assert [one["attempt"] for one in log.all("reconnecting")] == [1, 2, 3]
            assert log.all("closed") == [{"error": str(lost)}]
            assert log.all("error") == [str(lost)]
            assert not model.session_ready
        assert len(log.all("closed")) == 1


async def test_what_cannot_be_mended_is_not_tried_twice() -> None:
    async with Simulator() as sim, model_for(sim) as model:
        log = EventLog(model)
        sim.faults = Faults(refuse_with_status=401)
        await sim.connections[0].abort()
        await log.wait_for("closed")
        assert len(log.all("reconnecting")) == 1


async def test_the_rule_can_be_overridden() -> None:
    class Stubborn(ReconnectPolicy):
        def is_retryable(self, error: errors.VoiceLiveError) -> bool:
            return True

    assert not errors.ConnectionLostError(1008).retryable
    async with Simulator() as sim:
        async with model_for(sim, reconnect=Stubborn(first_delay_s=0.001)) as model:
            log = EventLog(model)
            await sim.connections[0].close(1008, "policy")
            await log.wait_for("reconnected")
        async with model_for(sim) as model:
            log = EventLog(model)
            await sim.connections[-1].close(1008, "policy")
            await log.wait_for("closed")
            assert log.all("reconnecting") == []


async def test_closing_ends_an_attempt_to_reconnect() -> None:
    async with Simulator() as sim:
        model = model_for(sim, reconnect=ReconnectPolicy(first_delay_s=60, max_delay_s=60))
        await model.connect()
        log = EventLog(model)
        reply = await model.send_text_message("hello")
        await sim.connections[0].abort()
        await log.wait_for("reconnecting")
        async with asyncio.timeout(TIMEOUT_S):
            await model.aclose()
            assert (await reply).status in ("cancelled", "incomplete")
        assert len(sim.connections) == 1


@pytest.mark.parametrize("speaks", [False, True])
async def test_a_session_is_renewed_before_it_expires_at_the_next_pause(
    speaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = ReconnectPolicy(renew_before_s=20)
    # The keeper's clock stands still: it is never too late to renew.
    monkeypatch.setattr("voicelane.keeper.time", SimpleNamespace(time=lambda: NOW_S))
    looks: list[bool] = []
    is_pause = OpenSession.is_pause.fget

    def look(session: OpenSession) -> bool:
        looks.append(is_pause(session))  # type: ignore[misc]
        return looks[-1]

    monkeypatch.setattr(OpenSession, "is_pause", property(look))
    connections: list[list[dict[str, Any]]] = []
    websockets: list[web.WebSocketResponse] = []

    async def serve(websocket: web.WebSocketResponse) -> None:
        received: list[dict[str, Any]] = []
        connections.append(received)
        websockets.append(websocket)
        received.append(json.loads((await websocket.receive()).data))
        if speaks and len(connections) == 1:
            await websocket.send_json({"type": "input_audio_buffer.speech_started"})
        left_s = 20.05 if len(connections) == 1 else 3600
        session = {"id": f"s{len(connections)}", "expires_at": NOW_S + left_s}
        await websocket.send_json({"type": "session.updated", "session": session})
        async for message in websocket:
            received.append(json.loads(message.data))

    async with service(serve) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key", reconnect=policy)
        async with model:
            log = EventLog(model)
            if speaks:
                await until(lambda: len(looks) >= 3)
                assert not any(looks)
                assert len(connections) == 1, "not while the user speaks"
                await websockets[0].send_json({"type": "input_audio_buffer.speech_stopped"})
            await until(lambda: model._session.session_id == "s2")
            assert model.session_ready
            await model.handle_audio_input(bytes(3840))
            await until(lambda: len(connections[1]) == 2)
            assert log.all("error") == []
            assert log.all("reconnecting") == []


def test_delays_grow_with_jitter_up_to_a_bound() -> None:
    policy = ReconnectPolicy(
        max_attempts=50, first_delay_s=0.5, max_delay_s=4, random=random.Random(7)
    )
    delays_s = list(policy.delays_s())
    bounds_s = [min(0.5 * 2**n, 4) for n in range(50)]
    assert all(0 <= delay <= bound for delay, bound in zip(delays_s, bounds_s, strict=True))
    assert max(delays_s) > 3
    assert len({round(delay, 6) for delay in delays_s}) == 50


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"max_attempts": -1}, "max_attempts"),
        ({"first_delay_s": 0}, "first_delay_s"),
        ({"first_delay_s": 9}, "first_delay_s"),
    ],
)
def test_bad_policies_are_refused_by_name(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        ReconnectPolicy(**settings)


async def test_a_credential_that_fails_later_ends_the_session_with_that_error() -> None:
    class Once:
        asked = 0

        async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
            self.asked += 1
            if self.asked > 1:
                raise RuntimeError("signed out")
            return AccessToken("simulator-token", 2**40)

    policy = ReconnectPolicy(max_attempts=2, first_delay_s=0.001, max_delay_s=0.002)
    async with Simulator() as sim:
        model = AzureVoiceLive(
            model="m", endpoint=sim.endpoint, credential=Once(), reconnect=policy
        )
        async with model:
            log = EventLog(model)
            await sim.connections[-1].abort()
            closed = await log.wait_for("closed")
        assert "code 1006" in closed["error"]
        assert model.credential.asked == 3


class DecidesWrong(ReconnectPolicy):
    """A caller's own rule, with a mistake in it."""

    def is_retryable(self, error: errors.VoiceLiveError) -> bool:
        raise ZeroDivisionError("mine")


@pytest.mark.parametrize(
    "is_lost", [True, False], ids=["after a loss", "of a connection that is well"]
)
async def test_a_fault_of_the_keeper_ends_the_session_with_an_error(is_lost: bool) -> None:
    # No number: the keeper cannot tell when to renew.
    policy = DecidesWrong() if is_lost else ReconnectPolicy(renew_before_s=None)  # type: ignore[arg-type]
    fault = "ZeroDivisionError('mine')" if is_lost else "TypeError"
    async with nothing_left(), Simulator(audio_speed=1) as sim:
        model = model_for(sim, reconnect=policy)
        log = EventLog(model)
        await model.connect()
        if is_lost:
            reply = await model.send_text_message("What is the weather?")
            await sim.connections[0].abort()
        ended = await model.wait_closed()
        assert fault in str(ended)
        assert log.all("closed") == [{"error": str(ended)}]
        assert log.all("error")[-1].error is ended
        assert not is_lost or reply.is_done, "whoever waits is let go"
        assert not model.session_ready
        # Before the caller closes it: nobody would speak on that connection any more.
        await until(lambda: sim.connections[0].close_code is not None)
        await model.aclose()
        assert log.all("closed") == [{"error": str(ended)}]
