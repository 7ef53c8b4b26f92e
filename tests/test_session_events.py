"""What is said of events: to type checkers, of payloads and of dataclasses, is one thing."""

from __future__ import annotations

import dataclasses
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_overloads, get_type_hints

import pytest

from support import EventLog
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, ReconnectPolicy
from voicelane.errors import ErrorText
from voicelane.events import EVENT_TYPES, Event
from voicelane.protocol import Conversation
from voicelane.session_events import SessionEvents
from voicelane.simulator import Reply, Simulator, ToolCall


def declared(*, as_decorator: bool) -> dict[str, Any]:
    """The payload of each event by the overloads of `on`."""
    payloads: dict[str, Any] = {}
    for overload in get_overloads(SessionEvents.on):
        hints = get_type_hints(overload)
        takes_none = hints["handler"] is NoneType
        if get_origin(hints["event"]) is not Literal or takes_none != as_decorator:
            continue
        if as_decorator:
            [payload] = get_args(hints["return"])
        else:
            taking, _, _ = get_args(hints["handler"])
            [payload], _ = get_args(taking)
        for name in get_args(hints["event"]):
            assert name not in payloads
            payloads[name] = payload
    return payloads


PAYLOADS = declared(as_decorator=False)


def test_calls_and_decorators_know_every_event() -> None:
    assert PAYLOADS.keys() == EVENT_TYPES.keys()
    assert declared(as_decorator=True) == PAYLOADS


@pytest.mark.parametrize("name", [name for name in EVENT_TYPES if name != "error"])
def test_a_payload_holds_what_its_dataclass_has(name: str) -> None:
    kind: type[Event] = EVENT_TYPES[name]
    hints, payload = get_type_hints(kind), get_type_hints(PAYLOADS[name])
    assert {field.name: hints[field.name] for field in dataclasses.fields(kind)} == {
        key: hint for key, hint in payload.items() if key != "type"
    }


def check(name: str, payload: Any) -> None:
    """A payload as it is told has the keys that were declared, of their types."""
    kind = PAYLOADS[name]
    if kind is ErrorText:
        assert isinstance(payload, ErrorText)
        return
    assert payload.keys() == kind.__required_keys__, name
    for key, hint in get_type_hints(kind).items():
        if get_origin(hint) is Literal:
            assert payload[key] in get_args(hint), (name, key)
        else:
            plain = tuple(get_origin(one) or one for one in get_args(hint) or (hint,))
            assert isinstance(payload[key], plain), (name, key)


async def test_payloads_are_as_declared() -> None:
    script = [ToolCall("look", "{}"), Reply("Here it is.")]
    async with Simulator(replies=script, audio_speed=1000) as sim:
        model = AzureVoiceLive(
            model="m",
            endpoint=sim.endpoint,
            api_key=sim.api_key,
            config=AzureVoiceLiveConfig(modalities=["text"]),
            tools=[look],
            reconnect=ReconnectPolicy(max_attempts=1, first_delay_s=0.01),
        )
        log = EventLog(model)
        async with model:
            await (await model.send_text_message("Where?"))
            await model.interrupt()
            await sim.connections[0].abort()
            await log.wait_for("reconnected")
    for name, payload in log.events:
        check(name, payload)
    assert {name for name, _ in log.events} >= {
        "closed",
        "error",
        "playback_interrupted",
        "realtime_model_function_executed",
        "realtime_model_function_started",
        "realtime_model_transcription",
        "reconnected",
        "reconnecting",
        "response_done",
        "text_response",
    }


def look() -> str:
    return "there"


def test_what_comes_of_single_server_events_is_as_declared() -> None:
    conversation = Conversation(lambda: Position(), sample_rate_hz=24_000)
    told = {}
    for event in (
        {"type": "input_audio_buffer.speech_started"},
        {"type": "input_audio_buffer.speech_stopped"},
        {
            "type": "response.audio_timestamp.delta",
            "item_id": "item",
            "text": "here",
            "audio_offset_ms": 20,
            "audio_duration_ms": 40,
        },
        {
            "type": "response.animation_viseme.delta",
            "item_id": "item",
            "viseme_id": 3,
            "audio_offset_ms": 20,
        },
    ):
        for action in conversation.handle(event):
            if hasattr(action, "payload"):
                told[action.event] = action.payload
    for name, payload in told.items():
        check(name, payload)
    assert set(told) == {"user_speech_started", "user_speech_ended", "word_timestamp", "viseme"}


class Position:
    """Nothing was heard yet."""

    item_id = None
    content_index = 0
    audio_end_ms = 0
