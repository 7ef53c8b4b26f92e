"""What the simulator hears: turns, truncation, push-to-talk, formats."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g711 import DECODERS
from simulator_talk import (
    REPLY_EVENTS,
    SPEECH,
    SPEECH_MS,
    TURN_EVENTS,
    VOICE,
    Talk,
    order,
    silence,
    the,
    types,
)
from voicelane import CaptureEncoder
from voicelane.simulator.record import Record
from voicelane.simulator.speech import SpeechStarted, TurnDetector, TurnSettings

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
