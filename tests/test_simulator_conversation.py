"""The simulator's conversation, driven without a socket on a clock of the test's own."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from g711 import DECODERS
from simulator_talk import (
    CANCELLED,
    REPLY_EVENTS,
    SPEECH,
    SPEECH_MS,
    TURN_EVENTS,
    VOICE,
    Talk,
    audio_of,
    of_type,
    order,
    silence,
    the,
    types,
)
from voicelane.simulator import Reply, ToolCall
from voicelane.simulator.formats import OUTPUT_FORMATS

RECORDINGS = Path(__file__).parent / "data" / "recordings"


def recorded(name: str, direction: str) -> list[dict[str, Any]]:
    document = yaml.safe_load((RECORDINGS / f"{name}.yaml").read_text())
    return [one["data"] for one in document["interactions"] if one["direction"] == direction]


def assert_has_keys(ours: Any, theirs: Any, path: str) -> None:
    """Every key of `theirs` is in `ours`, at every depth."""
    if isinstance(theirs, dict) and theirs:
        assert isinstance(ours, dict), path
        assert set(theirs) <= set(ours), path
        for key, value in theirs.items():
            if value is not None and ours[key] is not None:
                assert_has_keys(ours[key], value, f"{path}.{key}")
    if isinstance(theirs, list) and theirs:
        assert len(ours) > 0, path
        assert_has_keys(ours[0], theirs[0], f"{path}[0]")


# Against the recordings


@pytest.mark.parametrize("name", ["text_in_audio_out_turn", "tool_call_round"])
def test_session_updated_is_what_the_service_answered(name: str) -> None:
    talk = Talk(model="gpt-realtime-global-standard")
    created, updated = recorded(name, "received")[:2]
    update = recorded(name, "sent")[0]
    own = {"id": talk.created["session"]["id"], "expires_at": 1_784_668_572}
    own |= {"greeting": None, "handoff": None}  # in recordings of two months later
    own_instructions = {"instructions": talk.created["session"]["instructions"]}
    assert talk.created["session"] == created["session"] | own | own_instructions

    (answer,) = talk.send("session.update", session=update["session"])

    transcription = updated["session"]["input_audio_transcription"]
    if transcription is not None:
        transcription["delay"] = None
    assert answer["session"] == updated["session"] | own


def test_text_turn_is_as_recorded() -> None:
    name = "text_in_audio_out_turn"
    talk = Talk()
    events = [talk.created]
    for sent in recorded(name, "sent"):
        events += talk.conversation.receive(json.dumps(sent), talk.now_s)
    events += talk.play()

    theirs = recorded(name, "received")
    assert order(events) == order(theirs)
    for event in theirs:
        assert_has_keys(of_type(events, event["type"])[0], event, event["type"])


def test_tool_round_is_as_recorded() -> None:
    name = "tool_call_round"
    answer = Reply("It's foggy and 12 degrees in London right now.")
    call = ToolCall("get_weather", '{  \n  "city": "London" \n} \n')
    talk = Talk(replies=[call, answer])
    events = [talk.created]
    for sent in recorded(name, "sent"):
        if sent["type"] == "conversation.item.create":
            events += talk.play()
        events += talk.conversation.receive(json.dumps(sent), talk.now_s)
    events += talk.play()

    theirs = recorded(name, "received")
    assert order(events) == order(theirs)
    for kind in set(types(theirs)):
        for ours, event in zip(of_type(events, kind), of_type(theirs, kind), strict=False):
            assert_has_keys(ours, event, kind)
    done = of_type(events, "response.done")
    assert done[0]["response"]["output"][0]["arguments"] == call.arguments
    assert done[1]["response"]["output"][0]["content"] == [{"type": "text", "text": answer.text}]


# A spoken turn


def test_spoken_turn_in_order() -> None:
    talk = Talk()
    transcription = {"model": "whisper-1"}
    talk.send("session.update", session={"input_audio_transcription": transcription})

    events = talk.append(silence(1000) + SPEECH + silence(300)) + talk.play()

    told = "conversation.item.input_audio_transcription"
    heard = [event for event in events if event["type"].startswith(told)]
    rest = [event for event in events if event not in heard]
    assert order(rest) == TURN_EVENTS + REPLY_EVENTS
    assert order(heard) == [f"{told}.delta", f"{told}.completed"]
    assert "".join(event["delta"] for event in heard[:-1]) == heard[-1]["transcript"]

    started, stopped, committed, user = rest[:4]
    # 40 ms of air in the recording; windows are 20 ms; the padding is 300 ms.
    assert started["audio_start_ms"] == pytest.approx(1000 + 40 - 300, abs=20)
    assert stopped["audio_end_ms"] == pytest.approx(1000 + SPEECH_MS - 40 + 200, abs=40)
    seconds = (stopped["audio_end_ms"] - started["audio_start_ms"]) / 1000
    assert heard[-1]["transcript"] == f"[{seconds:.1f} s of speech]"
    item_ids = {started["item_id"], stopped["item_id"], committed["item_id"], user["item"]["id"]}
    assert item_ids == {heard[-1]["item_id"]}
    assert user["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert committed["previous_item_id"] is None

    reply = VOICE.bundled[0]
    assert audio_of(events) == reply.pcm
    assert the(events, "response.audio_transcript.done")["transcript"] == reply.text
    deltas = of_type(events, "response.audio_transcript.delta")
    assert "".join(event["delta"] for event in deltas) == reply.text
    done = the(events, "response.done")["response"]
    usage = done["usage"]
    assert done["status"] == "completed"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"]["audio_tokens"] == int(seconds * 10)
    assert usage["output_token_details"]["audio_tokens"] == len(reply.pcm) // 48 * 20 // 1000
    assert len({event["event_id"] for event in events}) == len(events)


def test_deltas_are_due_at_the_speed() -> None:
    talk = Talk(audio_speed=4.0)
    talk.say("Hello")
    due_s = []
    while talk.conversation.due_s is not None:
        due_s.append(talk.conversation.due_s - 100)
        talk.conversation.advance(talk.conversation.due_s)
    # One delta per 100 ms of audio, and the end when all would have been played at that speed.
    audio_s = len(VOICE.bundled[0].pcm) / 48000
    assert due_s[:-1] == pytest.approx([0.025 * step for step in range(len(due_s) - 1)])
    assert due_s[-1] == pytest.approx(audio_s / 4)


def test_same_seed_same_ids() -> None:
    def run(seed: str) -> list[dict[str, Any]]:
        talk = Talk(seed=seed)
        return talk.append(SPEECH + silence(300)) + talk.play()

    assert run("a") == run("a")
    assert run("a") != run("b")


def test_replies_and_transcripts_come_in_turn() -> None:
    replies = [Reply("One."), Reply("Two.", silence(50))]
    talk = Talk(replies=list(replies), user_transcripts=["first"])
    talk.send("session.update", session={"input_audio_transcription": {"model": "whisper-1"}})
    events = []
    for _ in range(3):
        events += talk.append(SPEECH + silence(300)) + talk.play()
    said = [event["transcript"] for event in of_type(events, "response.audio_transcript.done")]
    assert said == ["One.", "Two.", "One."]
    kind = "conversation.item.input_audio_transcription.completed"
    heard = [event["transcript"] for event in of_type(events, kind)]
    assert heard[0] == "first"
    assert heard[1].endswith(" s of speech]")


@pytest.mark.parametrize("detection", ["server_vad", "azure_semantic_vad_multilingual"])
def test_create_response_false_only_listens(detection: str) -> None:
    talk = Talk()
    turn_detection = {"type": detection, "create_response": False}
    talk.send("session.update", session={"turn_detection": turn_detection})
    events = talk.append(SPEECH + silence(600)) + talk.play()
    assert order(events) == TURN_EVENTS


def test_text_only_response() -> None:
    talk = Talk()
    talk.send("session.update", session={"modalities": ["text"]})
    events = talk.say("Hello")[1:] + talk.play()
    assert order(events) == [
        *REPLY_EVENTS[:4],
        "response.text.delta",
        "response.text.done",
        *REPLY_EVENTS[8:],
    ]
    assert the(events, "response.text.done")["text"] == VOICE.bundled[0].text


@pytest.mark.parametrize("name", list(OUTPUT_FORMATS))
@pytest.mark.parametrize("where", ["session", "response"])
def test_output_formats(name: str, where: str) -> None:
    talk = Talk(audio_speed=1.0)
    wanted = {"output_audio_format": name}
    if where == "session":
        talk.send("session.update", session=wanted)
    events = talk.send("response.create", response=wanted if where == "response" else {})
    assert the(events, "response.created")["response"]["output_audio_format"] == name
    events += talk.play()

    rate_hz = OUTPUT_FORMATS[name].rate_hz
    samples = DECODERS[name if "g711" in name else "pcm16"](audio_of(events))
    original = DECODERS["pcm16"](VOICE.bundled[0].pcm)
    duration_s = len(original) / 24000
    assert len(samples) == int(duration_s * rate_hz)
    assert talk.now_s - 100 == pytest.approx(duration_s, abs=0.001)
    if rate_hz % 8000:
        return
    # The same sound, and not late: at 8 kHz, sample by sample, but for what is above 4 kHz.
    ours = samples[:: rate_hz // 8000]
    theirs = DECODERS["pcm16"](OUTPUT_FORMATS["pcm16_8000hz"].encoded(VOICE.bundled[0].pcm))
    pairs = list(zip(ours, theirs, strict=False))
    dot = sum(a * b for a, b in pairs)
    norms = math.sqrt(sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs))
    assert dot / norms > 0.95


def test_pre_generated_message_is_said() -> None:
    talk = Talk()
    message = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi!"}]}
    events = talk.send("response.create", response={"pre_generated_assistant_message": message})
    events += talk.play()
    assert order(events) == REPLY_EVENTS
    assert the(events, "response.audio_transcript.done")["transcript"] == "Hi!"
    assert audio_of(events) == VOICE.bundled[0].pcm


# Interruptions


def test_speech_interrupts_a_response() -> None:
    talk = Talk()
    talk.say("Hello")
    played = talk.play(num_deltas=3)

    events = talk.append(SPEECH)

    assert order(events) == [TURN_EVENTS[0], *CANCELLED]
    response = the(events, "response.done")["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert talk.play() == []
    assert len(audio_of(played)) == 300 * 48
    # The next turn is answered as any.
    assert order(talk.append(silence(300)) + talk.play()) == TURN_EVENTS[1:] + REPLY_EVENTS


def test_speech_that_may_not_interrupt_is_answered_afterwards() -> None:
    talk = Talk()
    turn_detection = {"type": "server_vad", "interrupt_response": False}
    talk.send("session.update", session={"turn_detection": turn_detection})
    talk.say("Hello")
    played = talk.play(num_deltas=3)
    assert order(talk.append(SPEECH + silence(600))) == TURN_EVENTS
    events = talk.play()
    assert order(events) == REPLY_EVENTS[5:] + REPLY_EVENTS
    done = of_type(events, "response.done")
    assert [event["response"]["status"] for event in done] == ["completed", "completed"]
    assert audio_of(played + events) == VOICE.bundled[0].pcm + VOICE.bundled[1].pcm


def test_auto_truncate_cuts_at_what_real_time_playback_has_reached() -> None:
    talk = Talk()
    turn_detection = {"type": "server_vad", "auto_truncate": True}
    talk.send("session.update", session={"turn_detection": turn_detection})
    talk.say("Hello")
    talk.play()
    talk.now_s = 101.0
    events = talk.append(SPEECH)
    assert order(events) == [TURN_EVENTS[0], "conversation.item.truncated"]
    assert events[1]["audio_end_ms"] == 1000


def test_cancel() -> None:
    talk = Talk()
    assert talk.error("response.cancel")["code"] == "response_cancel_not_active"
    created = the(talk.say("Hello"), "response.created")["response"]
    talk.play(num_deltas=2)
    error = talk.error("response.cancel", response_id="resp_other")
    assert error["code"] == "response_cancel_not_active"

    events = talk.send("response.cancel", response_id=created["id"])

    assert order(events) == CANCELLED
    details = the(events, "response.done")["response"]["status_details"]
    assert details == {"type": "cancelled", "reason": "client_cancelled"}
    assert talk.error("response.cancel")["code"] == "response_cancel_not_active"
    assert talk.play() == []


def test_one_response_at_a_time() -> None:
    talk = Talk()
    response_id = the(talk.say("Hello"), "response.created")["response"]["id"]
    error = talk.error("response.create", response={"cancel_previous": False})
    assert error["code"] == "conversation_already_has_active_response"
    assert response_id in error["message"]
    events = talk.send("response.create") + talk.play()
    assert order(events) == CANCELLED + REPLY_EVENTS
