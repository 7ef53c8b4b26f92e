"""What the simulator speaks beside a realtime model's plain turns, without a socket.

What is asserted of cascaded models was recorded from the live service: pydantic/pydantic-ai,
tests/realtime/cassettes/test_azure_voice_live_ws/test_cascade_*.yaml, 2026-10.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.ai.voicelive import models as sdk
from azure.ai.voicelive.models import ClientEvent, ClientEventType, ServerEvent

from simulator_talk import (
    REPLY_EVENTS,
    SPEECH,
    VOICE,
    Talk,
    mcp,
    of_type,
    order,
    silence,
    the,
    types,
)
from voicelane.simulator import McpCall, Reply, Scenario, ToolCall, Turn
from voicelane.simulator.input_audio import Clip
from voicelane.simulator.models import is_cascaded

HEARD = "conversation.item.input_audio_transcription"
AZURE_VOICE = {"type": "azure-standard", "name": "en-US-AvaNeural"}


def user_message(text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


# Cascaded models


@pytest.mark.parametrize(
    ("model", "cascaded"),
    [
        *[(name, True) for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "gpt-5.6-terra")],
        *[(name, False) for name in ("gpt-realtime-2.1-mini", "azure-realtime", "my-deployment")],
        ("gpt-4o-realtime-preview", False),
        ("phi4-mm-realtime", False),
        ("agent", True),
    ],
)
def test_which_models_are_cascaded(model: str, cascaded: bool) -> None:
    assert is_cascaded(model) == cascaded


def test_cascaded_session_is_as_recorded() -> None:
    created = Talk(model="gpt-5").created["session"]
    assert created["modalities"] == ["audio", "text"]
    assert created["voice"] == AZURE_VOICE | dict.fromkeys(
        (
            "temperature", "custom_lexicon_url", "custom_text_normalization_url",
            "prefer_locales", "locale", "style", "pitch", "rate", "volume",
        )
    )  # fmt: skip
    assert created["output_audio_format"] == "pcm16"
    assert created["input_audio_transcription"] == {
        "model": "azure-speech", "language": None, "prompt": None, "delay": None,
        "custom_speech": None, "phrase_list": None,
    }  # fmt: skip
    assert created["turn_detection"] == {
        "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 400,
        "silence_duration_ms": 500, "create_response": True, "interrupt_response": True,
        "idle_timeout_ms": None, "speech_duration_ms": None, "auto_truncate": False,
        "appended_text_after_truncation": None,
    }  # fmt: skip
    assert (created["temperature"], created["reasoning_effort"]) == (1.0, "minimal")
    assert created["greeting"] is None
    assert created["handoff"] is None
    created = Talk(model="gpt-4.1").created["session"]
    assert created["temperature"] == 0.8
    assert "reasoning_effort" not in created


def test_cascaded_update_is_as_recorded() -> None:
    detection = {
        "type": "azure_semantic_vad_multilingual",
        "languages": ["en", "fr"],
        "end_of_utterance_detection": {
            "model": "semantic_detection_v1_multilingual",
            "timeout_ms": 800,
        },
    }
    (updated,) = Talk(model="gpt-4.1").send(
        "session.update",
        session={
            "turn_detection": detection,
            "input_audio_transcription": {"model": "azure-speech"},
            "input_audio_echo_cancellation": {"type": "server_echo_cancellation"},
        },
    )
    session = updated["session"]
    assert session["turn_detection"] == {
        "type": "azure_semantic_vad_multilingual", "threshold": None, "prefix_padding_ms": None,
        "silence_duration_ms": None, "create_response": True, "interrupt_response": True,
        "idle_timeout_ms": None, "profile": "classic",
        "end_of_utterance_detection": {
            "model": "semantic_detection_v1_multilingual", "threshold": None,
            "threshold_level": "default", "timeout": None, "timeout_ms": 800,
        },
        "neg_threshold": None, "speech_duration_ms": None, "window_size": None,
        "distinct_ci_phones": None, "require_vowel": None,
        "require_vowel_assistant_speaking": None, "remove_filler_words": False,
        "languages": ["en", "fr"], "auto_truncate": False,
        "appended_text_after_truncation": None,
    }  # fmt: skip
    assert session["input_audio_transcription"]["language"] == ""
    assert session["input_audio_echo_cancellation"] == {
        "type": "server_echo_cancellation", "reference_source": "server", "channels": 1,
    }  # fmt: skip


def test_cascaded_spoken_turn_is_as_recorded() -> None:
    talk = Talk(model="gpt-4.1", user_transcripts=["Hello."], replies=[Reply("Hi.")])
    talk.send("session.update", session={"turn_detection": {"type": "server_vad"}})
    events = talk.append(silence(600) + SPEECH + silence(700)) + talk.play()
    assert order(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        f"{HEARD}.completed",
        "conversation.item.created",
        *REPLY_EVENTS,
    ]
    committed, heard, user, _, added = events[2:7]
    assert committed["previous_item_id"] is user["previous_item_id"] is None
    assert (heard["transcript"], heard["language"]) == ("Hello.", "en-US")
    assert user["item"]["content"] == [{"type": "input_audio", "transcript": "Hello."}]
    assert added["item"]["id"].startswith("msg_")
    assert added["item"]["status"] == "incomplete"
    assert events[7]["previous_item_id"] == user["item"]["id"]
    response = events[-1]["response"]
    assert response["conversation_id"] == ""
    assert response["max_output_tokens"] is None
    assert response["usage"]["input_token_details"]["cache_write_tokens"] == 0
    assert response["output"][0]["status"] == "completed"


def test_cascaded_text_turn_is_as_recorded() -> None:
    talk = Talk(model="gpt-5", replies=[Reply("The ball costs 5 cents.")])
    talk.send("session.update", session={"modalities": ["text"]})
    events = talk.say("How much?") + talk.play()
    created = of_type(events, "conversation.item.created")
    assert [event["previous_item_id"] for event in created] == ["", ""]
    part = the(events, "response.content_part.done")["part"]
    assert part == {"type": "text", "text": "The ball costs 5 cents."}


def test_a_response_of_a_cascaded_model_waits_for_the_words() -> None:
    talk = Talk(model="gpt-4.1", user_transcripts=["Hello."])
    talk.send("session.update", session={"turn_detection": None})
    talk.append(SPEECH)
    assert types(talk.send("input_audio_buffer.commit")) == ["input_audio_buffer.committed"]
    events = talk.send("response.create") + talk.play()
    assert order(events) == [f"{HEARD}.completed", "conversation.item.created", *REPLY_EVENTS]


def test_who_speaks_on_before_the_words_are_there_gets_one_response() -> None:
    talk = Talk(model="gpt-4.1")
    events = talk.append(SPEECH + silence(700) + SPEECH)
    events += talk.play()
    assert "response.created" not in types(events), "the user is speaking"
    events += talk.append(silence(700)) + talk.play()
    assert len(of_type(events, f"{HEARD}.completed")) == 2
    the(events, "response.created")


# Transcription, timestamps


@pytest.mark.parametrize("model", ["gpt-realtime", "gpt-4.1"])
def test_a_transcription_may_fail(model: str) -> None:
    talk = Talk(model=model, user_transcripts=[None, "Hello."])
    talk.send("session.update", session={"input_audio_transcription": {"model": "whisper-1"}})
    events = talk.append(SPEECH + silence(700)) + talk.play()
    failed = the(events, f"{HEARD}.failed")
    assert failed["error"]["code"] == "audio_unintelligible"
    assert failed["item_id"] == the(events, "input_audio_buffer.committed")["item_id"]
    events = talk.append(SPEECH + silence(700)) + talk.play()
    assert the(events, f"{HEARD}.completed")["transcript"] == "Hello."


@pytest.mark.parametrize("model", ["gpt-realtime", "gpt-4.1"])
def test_where_no_word_was_recognised_the_transcript_is_empty(model: str) -> None:
    class Deaf:
        def hear(self, _clip: Clip) -> str:
            return ""

    talk = Talk(model=model, speech=Deaf())
    talk.send("session.update", session={"input_audio_transcription": {"model": "whisper-1"}})
    events = talk.append(SPEECH + silence(700)) + talk.play()
    told = [event for event in events if event["type"].startswith(HEARD)]
    assert types(told) == [f"{HEARD}.completed"]
    assert told[0]["transcript"] == ""
    assert the(events, "response.done")["response"]["status"] == "completed"


def test_word_timestamps_of_an_azure_voice() -> None:
    talk = Talk()
    wanted = {"output_audio_timestamp_types": ["word"]}
    talk.send("session.update", session=wanted)
    assert of_type(talk.say("Hi") + talk.play(), "response.audio_timestamp.delta") == []

    talk = Talk()
    talk.send("session.update", session=wanted | {"voice": AZURE_VOICE})
    events = talk.say("Hi") + talk.play()
    words = of_type(events, "response.audio_timestamp.delta")
    reply = VOICE.bundled[0]
    assert "".join(word["text"] for word in words) == reply.text.replace(" ", "")
    offsets = [word["audio_offset_ms"] for word in words]
    assert offsets == sorted(offsets)
    end_ms = words[-1]["audio_offset_ms"] + words[-1]["audio_duration_ms"]
    assert end_ms == pytest.approx(len(reply.pcm) / 48, abs=2)
    the(events, "response.audio_timestamp.done")


# Responses out of the conversation, and their input


@pytest.mark.parametrize("out", [{"conversation": "none"}, {"commit": False}])
def test_a_response_out_of_the_conversation_leaves_nothing_in_it(out: dict[str, Any]) -> None:
    talk = Talk()
    asked = out | {"append_input_items": [user_message("Sum up.")]}
    events = talk.send("response.create", response=asked) + talk.play()
    assert "conversation.item.created" not in types(events)
    done = events[-1]["response"]
    assert done["conversation_id"] is None
    error = talk.error("conversation.item.retrieve", item_id=done["output"][0]["id"])
    assert error["code"] == "item_retrieve_invalid_item_id"


def test_appended_items_come_into_the_conversation() -> None:
    turns = (Turn(Reply("Sunny."), when="weather"), Turn(Reply("Pardon?")))
    talk = Talk(scenario=Scenario(turns=turns))
    asked = {"append_input_items": [user_message("The weather?", id="asked")]}
    events = talk.send("response.create", response=asked) + talk.play()
    assert order(events) == ["conversation.item.created", *REPLY_EVENTS]
    assert the(events, "response.audio_transcript.done")["transcript"] == "Sunny."
    assert talk.error("response.create", response=asked)["param"] == "item.id"


def test_input_items_stand_for_the_conversation() -> None:
    turns = (Turn(Reply("Sunny."), when="weather"), Turn(Reply("Pardon?")))
    talk = Talk(scenario=Scenario(turns=turns))
    talk.send("conversation.item.create", item=user_message("The weather?"))
    asked = {"input_items": [user_message("The time?")]}
    events = talk.send("response.create", response=asked) + talk.play()
    assert the(events, "response.audio_transcript.done")["transcript"] == "Pardon?"
    bad = {"input_items": [{"type": "message", "role": "user"}]}
    assert talk.error("response.create", response=bad)["param"] == "response.input_items[0].content"
    bad = {"input_items": [5]}
    assert talk.error("response.create", response=bad)["param"] == "response.input_items[0]"


def test_output_text_is_told_as_text() -> None:
    talk = Talk()
    content = [{"type": "output_text", "text": "Nice to meet you."}]
    item = {"type": "message", "role": "assistant", "content": content}
    (created,) = talk.send("conversation.item.create", item=item)
    assert created["item"]["content"] == [{"type": "text", "text": "Nice to meet you."}]


# Against the classes of azure-ai-voicelive

# In the SDK's table, and never said: what they tell of is not simulated (docs/simulator.md).
NEVER_SAID = {
    "response.animation_blendshapes.delta", "response.animation_blendshapes.done",
    "response.animation_viseme.delta", "response.animation_viseme.done",
    "response.audio_transcript.annotation.added", "response.invocation.delta",
    "response.file_search_call.completed", "response.file_search_call.in_progress",
    "response.file_search_call.searching", "response.video.delta",
    "response.web_search_call.completed", "response.web_search_call.in_progress",
    "response.web_search_call.searching", "session.avatar.connecting",
    "session.avatar.switch_to_idle", "session.avatar.switch_to_speaking", "warning",
}  # fmt: skip
REFUSED = {
    "session.avatar.connect", "input_text.delta", "input_text.done", "input_audio.clear",
    "input_audio.turn.start", "input_audio.turn.append", "input_audio.turn.end",
    "input_audio.turn.cancel", "mcp_approval_response",
}  # fmt: skip


def everything_said() -> list[dict[str, Any]]:
    """Events of every type that the simulator has."""
    never, fails = McpCall("docs", "find", output="x"), McpCall("docs", "find", error="x")
    asked = McpCall("files", "read")
    replies = [
        Reply("Spoken."), Reply("Timed."), (never, fails, asked, ToolCall("clock")),
    ]  # fmt: skip
    talk = Talk(replies=[*replies, Reply("Text.")], user_transcripts=["Hello.", None])
    events = [talk.created]
    tools = [mcp(require_approval="never"), mcp(server_label="files", server_url="files")]
    events += talk.send(
        "session.update",
        session={
            "tools": tools,
            "input_audio_transcription": {"model": "whisper-1"},
            "voice": AZURE_VOICE,
            "output_audio_timestamp_types": ["word"],
            "avatar": {"character": "lisa", "customized": False},
        },
    )
    for _ in range(2):
        events += talk.append(SPEECH + silence(700)) + talk.play()
    item_id = the(events[-3:], "response.output_item.done")["item"]["id"]
    events += talk.send("conversation.item.retrieve", item_id=item_id)
    events += talk.send(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100
    )
    events += talk.send("conversation.item.delete", item_id=item_id)
    events += talk.send("input_audio_buffer.clear") + talk.send("output_audio_buffer.clear")
    events += talk.say("Look it up.") + talk.play()
    events += talk.send("response.create", response={"modalities": ["text"]}) + talk.play()
    return events + talk.send("nonsense")


def test_every_event_is_of_its_own_class_to_the_sdk() -> None:
    events = everything_said()
    for event in events:
        parsed = ServerEvent._deserialize(json.loads(json.dumps(event)), [])
        assert type(parsed) is ServerEvent.__mapping__[event["type"]], event["type"]
        item = getattr(parsed, "item", None)
        assert type(item).__name__ not in ("ResponseItem", "ConversationRequestItem"), event
    assert set(types(events)) == set(ServerEvent.__mapping__) - NEVER_SAID


@pytest.mark.parametrize("kind", [kind.value for kind in ClientEventType])
def test_every_event_of_the_sdk_is_known(kind: str) -> None:
    talk = Talk()
    talk.say("Hello")
    events = talk.send(kind)
    unsupported = [event for event in events if event.get("error", {}).get("param") == "type"]
    assert bool(unsupported) == (kind in REFUSED or kind == "output_audio_buffer.clear")


def test_client_events_as_the_sdk_writes_them() -> None:
    talk = Talk()
    created = [
        sdk.ClientEventSessionUpdate(
            session=sdk.RequestSession(
                modalities=["text", "audio"],
                voice=sdk.AzureStandardVoice(name="en-US-AvaNeural"),
                turn_detection=sdk.AzureSemanticVad(silence_duration_ms=300),
                tools=[sdk.FunctionTool(name="clock")],
            )
        ),
        sdk.ClientEventInputAudioBufferAppend(audio="AAAA" * 400),
        sdk.ClientEventInputAudioBufferCommit(),
        sdk.ClientEventInputAudioBufferAppend(audio="AAAA" * 400),
        sdk.ClientEventInputAudioBufferClear(),
        sdk.ClientEventConversationItemCreate(
            item=sdk.UserMessageItem(
                id="mine",
                content=[
                    sdk.InputTextContentPart(text="What is this?"),
                    sdk.RequestImageContentPart(image_url="data:image/png;base64,AAAA"),
                ],
            )
        ),
        sdk.ClientEventConversationItemRetrieve(item_id="mine"),
        sdk.ClientEventConversationItemDelete(item_id="mine"),
        sdk.ClientEventResponseCreate(response=sdk.ResponseCreateParams(commit=True)),
        sdk.ClientEventResponseCancel(),
    ]
    for event in created:
        assert isinstance(event, ClientEvent)
        answers = talk.conversation.receive(json.dumps(event.as_dict()), talk.now_s)
        assert "error" not in types(answers), (event, answers)
