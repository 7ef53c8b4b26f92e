"""Settings that change in the course of a session."""

from __future__ import annotations

from typing import Any

import pytest

from session_talk import model_for
from support import TIMEOUT_S, EventLog, service, until
from voicelane import AzureVoiceLive, ReconnectPolicy, errors
from voicelane.simulator import Simulator


async def test_a_change_is_sent_confirmed_and_kept_for_the_next_connection() -> None:
    quick = ReconnectPolicy(first_delay_s=0.001)
    async with Simulator() as sim, model_for(sim, reconnect=quick) as model:
        log = EventLog(model)
        await model.update_session(instructions="Be brief.", turn_detection="none", temperature=0.9)
        update = sim.connections[0].received[-1]
        assert update["type"] == "session.update"
        expected = {"instructions": "Be brief.", "turn_detection": None, "temperature": 0.9}
        assert update["session"] == expected
        await sim.connections[0].abort()
        await log.wait_for("reconnected")
        again = sim.connections[1].received[0]["session"]
        assert {name: again[name] for name in expected} == expected


async def test_changes_add_up() -> None:
    async with Simulator() as sim, model_for(sim) as model:
        await model.update_session(temperature=0.7)
        await model.update_session(temperature=0.8)
        sent = [event["session"].get("temperature") for event in sim.connections[0].received]
        assert sent == [None, 0.7, 0.8]
        assert model.config.temperature == 0.8


async def test_what_cannot_change_is_refused_by_name_and_not_sent() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        with pytest.raises(ValueError, match=r"^input_audio_format"):
            await model.update_session(input_audio_format="g711_ulaw")
        with pytest.raises(TypeError, match="flavour"):
            await model.update_session(flavour="salty")
        await model.send_text_message("speak")
        await log.wait_for("response_done")
        with pytest.raises(
            ValueError, match=r"^voice: expected no change once the agent has spoken"
        ):
            await model.update_session(voice="alloy")
        assert len([e for e in sim.connections[0].received if e["type"] == "session.update"]) == 1


async def test_what_the_service_refuses_raises_its_words_and_changes_nothing() -> None:
    async def refuse(websocket: Any) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        event = (await websocket.receive()).json()
        details = {"code": "bad", "message": "Too hot.", "event_id": event["event_id"]}
        await websocket.send_json({"type": "error", "error": details})
        await websocket.receive()

    async with service(refuse) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        log = EventLog(model)
        async with model:
            with pytest.raises(errors.ServiceError, match=r"Too hot\.") as caught:
                await model.update_session(temperature=1.1)
            assert caught.value.code == "bad"
            assert model.config.temperature is None
            assert log.all("error") == [], "told to the caller, and not twice"


async def test_a_service_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    async def ignore(websocket: Any) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        async for _ in websocket:
            pass

    async with service(ignore) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        async with model:
            model._connect_timeout_s = 0.01  # of which the connection is not to be short
            with pytest.raises(errors.SessionNotReadyError, match="did not confirm"):
                await model.update_session(temperature=0.9)
        await until(lambda: model.connection is None)


async def test_an_answer_that_comes_late_is_not_taken_for_the_next_ones() -> None:
    async def dawdle(websocket: Any) -> None:
        confirmed = {"type": "session.updated", "session": {"id": "s"}}
        await websocket.receive()
        await websocket.send_json(confirmed)
        await websocket.receive()
        second = (await websocket.receive()).json()
        await websocket.send_json(confirmed)  # the first change, long given up
        details = {"code": "bad", "message": "Too hot.", "event_id": second["event_id"]}
        await websocket.send_json({"type": "error", "error": details})
        await websocket.receive()

    async with service(dawdle) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        async with model:
            model._connect_timeout_s = 0.05
            with pytest.raises(errors.SessionNotReadyError, match="did not confirm"):
                await model.update_session(temperature=0.9)
            model._connect_timeout_s = TIMEOUT_S
            with pytest.raises(errors.ServiceError, match=r"Too hot\."):
                await model.update_session(temperature=1.1)


async def test_a_confirmation_that_says_less_forgets_nothing() -> None:
    async def say_less(websocket: Any) -> None:
        await websocket.receive()
        session = {"id": "s", "expires_at": 4e9}
        await websocket.send_json({"type": "session.updated", "session": session})
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {}})
        await websocket.receive()

    async with service(say_less) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        async with model:
            await model.update_session(temperature=0.9)
            assert model.session_id == "s"
            assert model._link is not None
            assert model._link.expires_at_s == 4e9
