"""Appends are read in Rust where they are plain to see: nobody may notice."""

from __future__ import annotations

import base64
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from fuzz_targets import variants
from voicelane.simulator import Scenario, conversation
from voicelane.simulator.conversation import Conversation
from voicelane.simulator.events import Ids
from voicelane.simulator.record import Record
from voicelane.simulator.responder import Responder, Voice

VOICE = Voice()
SPEECH = VOICE.bundled[2].pcm
APPENDS = [
    b'{"type":"input_audio_buffer.append","audio":"%b"}' % base64.b64encode(SPEECH),
    b'{ "event_id": "mine", "audio": "AAABAAIA", "type": "input_audio_buffer.append" }',
    b'{"type":"input_audio_buffer.append","audio":"AAA=","index":7}',
    b'{"type":"input_audio_buffer.append","audio":""}',
]


def told(messages: list[bytes]) -> tuple[Any, ...]:
    """What a conversation answers to the messages, and what it notes of them."""
    record = Record(1 << 20)
    talk = Conversation(
        model="gpt-realtime",
        responder=Responder(VOICE, Scenario.of_replies(None, None)),
        ids=Ids(0),
        expires_at_s=1,
        audio_speed=1.0,
        record=record,
    )
    talk.open()
    answers = [talk.receive(message.decode("utf-8", "replace"), 0.0) for message in messages]
    return answers, talk.audio_ms, talk.due_s, record.received, record.audio, record.audio_bytes


@given(st.lists(variants(APPENDS), max_size=4))
def test_it_is_the_same_as_by_json(messages: list[bytes]) -> None:
    with patch.object(conversation, "append_audio", lambda _: None):
        by_json = told(messages)
    assert told(messages) == by_json


def test_speech_is_among_what_is_tried() -> None:
    answers, *_ = told([APPENDS[0]])
    assert [event["type"] for event in answers[0]] == ["input_audio_buffer.speech_started"]
