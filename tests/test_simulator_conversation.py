"""The simulator's conversation, driven without a socket on a clock of the test's own."""

from __future__ import annotations

import base64
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

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
from voicelane import CaptureEncoder
from voicelane.simulator import Reply, ToolCall
from voicelane.simulator.events import tokens_of
from voicelane.simulator.formats import OUTPUT_FORMATS
from voicelane.simulator.record import Record
from voicelane.simulator.speech import SpeechStarted, TurnDetector, TurnSettings

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


# Truncation


def assistant_item_id(talk: Talk) -> str:
    return str(the(talk.say("Hello"), "response.output_item.added")["item"]["id"])


def test_truncate() -> None:
    talk = Talk()
    item_id = assistant_item_id(talk)
    talk.play()
    audio_ms = len(VOICE.bundled[0].pcm) // 48
    where = {"item_id": item_id, "content_index": 0}

    error = talk.error("conversation.item.truncate", **where, audio_end_ms=audio_ms + 1)
    expected = f"Audio content of {audio_ms}ms is already shorter than {audio_ms + 1}ms"
    assert error["message"] == expected

    (event,) = talk.send("conversation.item.truncate", **where, audio_end_ms=1200)
    assert {**event, "event_id": ""} == {
        "event_id": "",
        "type": "conversation.item.truncated",
        **where,
        "audio_end_ms": 1200,
    }
    error = talk.error("conversation.item.truncate", **where, audio_end_ms=1201)
    assert error["message"] == "Audio content of 1200ms is already shorter than 1201ms"
    (event,) = talk.send("conversation.item.retrieve", item_id=item_id)
    heard = event["item"]["content"][0]["transcript"]
    assert heard
    assert heard != VOICE.bundled[0].text
    assert VOICE.bundled[0].text.startswith(heard)


def test_truncate_knows_what_a_cancelled_response_has_sent() -> None:
    talk = Talk()
    item_id = assistant_item_id(talk)
    error = talk.error(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0
    )
    assert error["message"] == "Only model output audio messages can be truncated"
    talk.play(num_deltas=3)
    talk.send("response.cancel")
    error = talk.error(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=301
    )
    assert error["message"] == "Audio content of 300ms is already shorter than 301ms"


def test_truncate_wants_an_assistant_item() -> None:
    talk = Talk()
    user_id = talk.say("Hello")[0]["item"]["id"]
    where = {"content_index": 0, "audio_end_ms": 0}
    error = talk.error("conversation.item.truncate", item_id=user_id, **where)
    assert error["message"] == "Only model output audio messages can be truncated"
    error = talk.error("conversation.item.truncate", item_id="item_none", **where)
    assert error["code"] == "item_truncate_invalid_item_id"
    assert "item_none" in error["message"]


# Push-to-talk and the input buffer


def push_to_talk(**session: Any) -> Talk:
    talk = Talk()
    talk.send("session.update", session={"turn_detection": None, **session})
    return talk


def test_push_to_talk() -> None:
    talk = push_to_talk()
    assert talk.append(SPEECH + silence(2000)) == []
    events = talk.send("input_audio_buffer.commit")
    assert order(events) == TURN_EVENTS[2:]
    assert talk.play() == []
    assert order(talk.send("response.create") + talk.play()) == REPLY_EVENTS
    assert talk.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"


def test_clear_empties_the_buffer() -> None:
    talk = push_to_talk()
    assert talk.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"
    talk.append(SPEECH)
    assert types(talk.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert talk.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"


def test_clear_and_commit_end_a_turn_that_is_heard() -> None:
    for kind in ("input_audio_buffer.clear", "input_audio_buffer.commit"):
        talk = Talk()
        started = the(talk.append(SPEECH), "input_audio_buffer.speech_started")
        events = talk.send(kind)
        if kind.endswith("commit"):
            assert events[0]["item_id"] == started["item_id"]
        assert talk.append(silence(3000)) == []
        again = talk.append(SPEECH)[0]
        assert again["item_id"] != started["item_id"]
        assert again["audio_start_ms"] >= SPEECH_MS + 3000 - 300


def test_record_counts_audio() -> None:
    talk = Talk()
    talk.append(silence(10))
    talk.append(silence(20))
    talk.send("input_audio_buffer.clear")
    talk.append(SPEECH[:48])
    append = {"type": "input_audio_buffer.append"}
    assert list(talk.record.received) == [
        {**append, "count": 2, "audio_bytes": 30 * 48},
        {"type": "input_audio_buffer.clear"},
        {**append, "count": 1, "audio_bytes": 48},
    ]
    assert talk.record.audio == silence(30) + SPEECH[:48]
    small = Record(5)
    small.take_audio(b"abc")
    small.take_audio(b"defg")
    assert (small.audio, small.audio_bytes) == (b"abcde", 7)


# Finding speech


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_cuts_change_nothing(data: st.DataObject) -> None:
    audio = silence(500) + SPEECH + silence(700) + SPEECH[: 48 * 400] + silence(350)
    num_frames = len(audio) // 2
    cuts = data.draw(st.lists(st.integers(0, num_frames), max_size=40).map(sorted))
    whole = Talk().append(audio)
    assert order(whole).count("input_audio_buffer.speech_stopped") == 2

    talk = Talk()
    events = []
    for start, end in itertools.pairwise([0, *cuts, num_frames]):
        events += talk.append(audio[2 * start : 2 * end])

    assert events == whole


def test_single_samples_are_enough() -> None:
    audio = SPEECH[: 48 * 400] + silence(250)
    whole = Talk().append(audio)
    talk = Talk()
    events = [talk.append(audio[start : start + 2]) for start in range(0, len(audio), 2)]
    assert list(itertools.chain(*events)) == whole
    assert len(whole) > 4


class Heard:
    """Stands for the ear: one letter per 20 ms, "." quiet, "n" a noise, "t" a tone, "v" a voice."""

    def classify(self, letters: Any, _threshold: float) -> bytes:
        return bytes(".ntv".index(letter) for letter in letters)


def edges(letters: str) -> list[int]:
    """Where speech starts, and, negative, where it stops."""
    detector = TurnDetector(Heard(), TurnSettings(), 0)  # type: ignore[arg-type]
    found = detector.feed(letters)  # type: ignore[arg-type]
    return [
        edge.audio_start_ms if isinstance(edge, SpeechStarted) else -edge.audio_end_ms
        for edge in found
    ]


@pytest.mark.parametrize(
    ("letters", "turns"),
    [
        ("v" * 9 + "." * 30, []),  # shorter than speech_duration_ms
        ("v" * 10 + "." * 25, [0, -700]),
        ("v" * 10 + "." * 24, [0]),  # silence_duration_ms is exact
        ("." * 50 + "nvvnvvnvvv" + "." * 25, [700, -1700]),  # 300 ms of padding before
        ("nnnnnvvvvv" + "." * 25, [0, -700]),
        ("n" * 50, []),
        ("tttv" * 30, []),
        (("v" * 4 + "." * 6) * 10, []),  # clicks far apart do not add up
        (("v" * 4 + "." * 5) * 10 + "." * 25, [0, -2200]),
        (("v" * 10 + "." * 25) * 2, [0, -700, 700, -1400]),  # padding ends at the turn before
    ],
)
def test_turns(letters: str, turns: list[int]) -> None:
    assert edges(letters) == turns


def test_an_offset_is_not_speech() -> None:
    assert Talk().append((5000).to_bytes(2, "little") * 24000) == []


@pytest.mark.parametrize("encoding", ["pcm16", "g711_ulaw", "g711_alaw"])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 44100])
def test_input_formats(encoding: Any, rate_hz: int) -> None:
    if encoding != "pcm16" and rate_hz != 8000:
        pytest.skip("G.711 has 8000 Hz")
    talk = Talk()
    session = {"input_audio_format": encoding, "input_audio_sampling_rate": rate_hz}
    talk.send("session.update", session=session)
    encoder = CaptureEncoder(24000, 1, target_rate_hz=rate_hz, encoding=encoding)
    audio = base64.b64decode(encoder.encode(silence(1000) + SPEECH + silence(1000)))
    events = talk.append(audio)
    assert events[0]["audio_start_ms"] == pytest.approx(740, abs=40)
    ended_ms = the(events, "input_audio_buffer.speech_stopped")["audio_end_ms"]
    assert ended_ms == pytest.approx(1000 + SPEECH_MS - 40 + 200, abs=80)


def test_of_two_channels_the_first_is_the_microphone() -> None:
    talk = Talk()
    reference = {"type": "server_echo_cancellation", "reference_source": "client", "channels": 2}
    talk.send("session.update", session={"input_audio_echo_cancellation": reference})
    quiet, loud = silence(1000) + silence(SPEECH_MS), silence(1000) + SPEECH

    def both(left: bytes, right: bytes) -> bytes:
        return b"".join(left[at : at + 2] + right[at : at + 2] for at in range(0, len(left), 2))

    assert talk.append(both(quiet, loud[: len(quiet)])) == []
    assert talk.append(both(loud, bytes(len(loud)))) != []


def test_g711_tables() -> None:
    # The corners of ITU-T G.711's tables: the loudest, the softest, and their signs.
    ulaw = {0x00: -32124, 0x80: 32124, 0x7F: 0, 0xFF: 0, 0x7E: -8, 0xFE: 8, 0x0F: -16764}
    alaw = {0x2A: -32256, 0xAA: 32256, 0x55: -8, 0xD5: 8, 0x54: -24, 0x45: -264}
    for encoding, table in (("g711_ulaw", ulaw), ("g711_alaw", alaw)):
        decode = DECODERS[encoding]
        assert {code: decode(bytes([code]))[0] for code in table} == table


def test_turn_detection_can_be_switched_in_mid_speech() -> None:
    talk = Talk()
    talk.append(SPEECH)
    talk.send("session.update", session={"turn_detection": None})
    assert talk.append(silence(1000)) == []
    talk.send("session.update", session={"turn_detection": {"type": "server_vad"}})
    events = talk.append(SPEECH + silence(600))
    assert events[0]["audio_start_ms"] == SPEECH_MS + 1000
    assert order(events)[:4] == TURN_EVENTS


def test_update_of_something_else_keeps_the_turn() -> None:
    talk = Talk()
    talk.append(SPEECH)
    talk.send("session.update", session={"instructions": "Be brief."})
    assert order(talk.append(silence(300)))[:3] == TURN_EVENTS[1:]


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
