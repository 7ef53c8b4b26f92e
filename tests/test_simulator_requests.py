"""What a client may ask of the simulator, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g711 import DECODERS
from simulator_talk import (
    REPLY_EVENTS,
    VOICE,
    Talk,
    order,
    silence,
    types,
)
from voicelane.simulator.events import tokens_of

# Items


def message(text: str = "Hi", **fields: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


def test_items_find_their_place() -> None:
    talk = Talk()
    places: dict[str, str | None] = {}
    for item_id, previous in (("a", None), ("b", "a"), ("c", "root"), ("d", "a")):
        (event,) = talk.send(
            "conversation.item.create", item=message(id=item_id), previous_item_id=previous
        )
        places[item_id] = event["previous_item_id"]
    assert places == {"a": None, "b": "a", "c": None, "d": "a"}  # c a d b
    assert talk.say("Hello")[0]["previous_item_id"] == "b"
    error = talk.error("conversation.item.create", item=message(), previous_item_id="none")
    assert error["param"] == "previous_item_id"
    error = talk.error("conversation.item.create", item=message(id="a"))
    assert error["code"] == "item_create_duplicate_item_id"


@pytest.mark.parametrize(
    "item",
    [
        message(),
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "x"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "x"}]},
        {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "12"},
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    ],
)
def test_items_are_kept(item: dict[str, Any]) -> None:
    talk = Talk()
    created = talk.send("conversation.item.create", item=item)[0]["item"]
    assert item.items() <= created.items()
    (retrieved,) = talk.send("conversation.item.retrieve", item_id=created["id"])
    assert retrieved["item"] == created
    (deleted,) = talk.send("conversation.item.delete", item_id=created["id"])
    assert deleted["item_id"] == created["id"]
    error = talk.error("conversation.item.retrieve", item_id=created["id"])
    assert error["code"] == "item_retrieve_invalid_item_id"
    error = talk.error("conversation.item.delete", item_id=created["id"])
    assert error["code"] == "item_delete_invalid_item_id"
    assert order(talk.send("response.create") + talk.play()) == REPLY_EVENTS


# Refusals


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"type": "session.updat"}, "invalid_value", "type"),
    ({}, "missing_required_parameter", "type"),
    ({"type": 5}, "invalid_type", "type"),
    ({"type": "session.avatar.connect"}, "unsupported_value", "type"),
    ({"type": "session.update"}, "missing_required_parameter", "session"),
    (update(voise="alloy"), "unknown_parameter", "session.voise"),
    (update(voice="nobody"), "invalid_value", "session.voice.name"),
    (update(voice={"type": "azure-standard"}), "missing_required_parameter", "session.voice.name"),
    (update(voice={"type": "x", "name": "y"}), "invalid_value", "session.voice.type"),
    (update(modalities=[]), "invalid_value", "session.modalities"),
    (update(modalities=["audio", "smell"]), "invalid_value", "session.modalities"),
    (update(instructions=None), "invalid_type", "session.instructions"),
    (update(input_audio_format="mp3"), "invalid_value", "session.input_audio_format"),
    (update(input_audio_sampling_rate=11025), "invalid_value", "session.input_audio_sampling_rate"),
    (
        update(input_audio_format="g711_ulaw", input_audio_sampling_rate=16000),
        "invalid_value",
        "session.input_audio_sampling_rate",
    ),
    (update(output_audio_format="mp3"), "invalid_value", "session.output_audio_format"),
    (update(turn_detection={"type": "ears"}), "invalid_value", "session.turn_detection.type"),
    (
        update(turn_detection={"type": "server_vad", "threshold": 1.5}),
        "invalid_value",
        "session.turn_detection.threshold",
    ),
    (
        update(turn_detection={"type": "server_vad", "silence_duration_ms": -1}),
        "invalid_value",
        "session.turn_detection.silence_duration_ms",
    ),
    (
        update(turn_detection={"type": "server_vad", "create_response": 1}),
        "invalid_type",
        "session.turn_detection.create_response",
    ),
    (
        update(
            turn_detection={
                "type": "server_vad",
                "end_of_utterance_detection": {"model": "semantic_detection_v1"},
            }
        ),
        "invalid_value",
        "session.turn_detection.end_of_utterance_detection",
    ),
    (update(tools=[{"type": "function"}]), "missing_required_parameter", "session.tools[0].name"),
    (update(tool_choice="always"), "invalid_value", "session.tool_choice"),
    (update(max_response_output_tokens=0), "invalid_value", "session.max_response_output_tokens"),
    (update(model="gpt-4o"), "invalid_value", "session.model"),
    (update(metadata={"k": "v" * 513}), "invalid_value", "session.metadata.k"),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "AAAA*AAAA"}, "invalid_base64", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "AAA"}, "invalid_base64", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "é"}, "invalid_base64", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "invalid_value", "audio"),
    ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
    ({"type": "conversation.item.create", "item": {"type": "x"}}, "invalid_value", "item.type"),
    (
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user"}},
        "missing_required_parameter",
        "item.content",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "text", "text": "x"}]},
        },
        "invalid_value",
        "item.content[0].type",
    ),
    (
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    (
        {"type": "response.create", "response": {"output_audio_format": "mp3"}},
        "invalid_value",
        "response.output_audio_format",
    ),
    (
        {"type": "response.create", "response": {"conversation": "other"}},
        "invalid_value",
        "response.conversation",
    ),
    (
        {
            "type": "response.create",
            "response": {"pre_generated_assistant_message": {"content": []}},
        },
        "invalid_value",
        "response.pre_generated_assistant_message.content",
    ),
]


@pytest.mark.parametrize(("event", "code", "param"), REFUSED)
def test_refusals(event: dict[str, Any], code: str, param: str | None) -> None:
    talk = Talk()
    text = json.dumps({"event_id": "mine", **event})
    (refusal,) = talk.conversation.receive(text, talk.now_s)
    assert refusal["type"] == "error"
    error = refusal["error"]
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
    assert error["message"]
    # Nothing has changed, and the session goes on.
    assert talk.send("session.update", session={})[0]["session"] == talk.created["session"]
    assert order(talk.say("Hello")[1:] + talk.play()) == REPLY_EVENTS


@pytest.mark.parametrize("text", ["", "{", '"{}"', "[]", "null", "[" * 100_000, "\ud800", "1e999"])
def test_what_is_no_object_is_refused(text: str) -> None:
    (refusal,) = Talk().conversation.receive(text, 0.0)
    assert refusal["error"]["code"] == "invalid_json"
    assert refusal["error"]["event_id"] is None


def test_what_is_fixed_once_audio_has_flowed() -> None:
    talk = Talk()
    talk.say("Hello")
    talk.append(silence(20))
    assert talk.error("session.update", session={"voice": "ash"})["code"] == "cannot_update_voice"
    for key, value in (("input_audio_format", "g711_ulaw"), ("input_audio_sampling_rate", 8000)):
        error = talk.error("session.update", session={key: value})
        assert error["param"] == f"session.{key}"
    same = {"voice": "alloy", "input_audio_format": "pcm16", "input_audio_sampling_rate": 24000}
    assert types(talk.send("session.update", session=same)) == ["session.updated"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "role", "id", "transcript", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
_CHOICE = st.sampled_from(["message", "user", "input_audio", "input_image", "server_vad", "AAAA"])
_PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "input_audio", "input_image", "text"])},
    optional=dict.fromkeys(("text", "audio", "transcript", "image_url"), _JSON | _CHOICE),
)
_MESSAGE = st.fixed_dictionaries(
    {
        "type": st.just("message"),
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": st.lists(_PART, max_size=2) | _JSON,
    },
    optional={"id": _JSON},
)
_SESSION_KEYS = [*Talk().created["session"], "metadata", "temperature", "tool", "reasoning_effort"]
_OBJECT = st.dictionaries(st.sampled_from(_SESSION_KEYS), _JSON | _CHOICE, max_size=3)
_FIELDS = [
    "session", "audio", "item", "item_id", "previous_item_id", "content_index", "audio_end_ms",
    "response", "response_id", "event_id",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(Talk().conversation._handlers)),
            st.dictionaries(st.sampled_from(_FIELDS), _JSON | _CHOICE | _OBJECT | _MESSAGE),
        ),
        max_size=6,
    )
)
def test_nothing_a_client_sends_breaks_it(messages: list[tuple[str, dict[str, Any]]]) -> None:
    talk = Talk(audio_speed=math.inf)
    for kind, fields in [*messages, ("response.create", {})]:
        events = talk.send(kind, **fields)
        json.dumps(events)
        json.dumps(talk.play())


@given(st.text())
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


def test_bundled_voice() -> None:
    assert len(VOICE.bundled) == 4
    for reply in VOICE.bundled:
        samples = DECODERS["pcm16"](reply.pcm)
        assert 1.5 <= len(samples) / 24000 <= 3.5
        assert max(map(abs, samples)) == pytest.approx(32768 / 2, rel=0.05)  # -6 dBFS
        assert reply.text
