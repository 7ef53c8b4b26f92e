"""What of the agent is heard, cut off, truncated and told."""

from __future__ import annotations

import base64
import json

import pytest

from protocol_talk import Head, Service, barge_in, cuts, emitted, sent, texts
from voicelane.actions import (
    Emit,
    InterruptPlayback,
    ReplyDone,
    Send,
    SpeechBegins,
    SpeechComplete,
)
from voicelane.protocol import trim_to_whole_samples


def test_a_response_is_heard_from_its_first_delta_to_its_end() -> None:
    service = Service()
    assert service.conversation.accepted_response_id == ""
    service.creates()
    assert service.conversation.accepted_response_id == "r1"
    assert service.speaks() == [SpeechBegins(0)]
    assert service.speaks() == []
    ended = service.says("response.audio.done", response_id="r1")
    assert ended == [SpeechComplete()]
    usage = {"total_tokens": 3}
    done = {"response_id": "r1", "status": "completed", "usage": usage}
    reply_done, told = service.finishes(usage=usage)
    assert isinstance(reply_done, ReplyDone)
    reply = reply_done.reply
    assert (reply.response_id, reply.status, reply.usage) == ("r1", "completed", usage)
    assert told == Emit("response_done", done)
    assert service.conversation.accepted_response_id == ""


def test_barge_in_interrupts_and_truncates_at_what_was_heard() -> None:
    service = Service()
    service.creates()
    service.speaks()
    service.head = Head("i1", 0, 480)
    actions = service.says("input_audio_buffer.speech_started", item_id="u1")
    assert actions == [
        Emit("user_speech_started", {"type": "done"}),
        InterruptPlayback(),
        Send(
            {
                "type": "conversation.item.truncate",
                "item_id": "i1",
                "content_index": 0,
                "audio_end_ms": 480,
            }
        ),
    ]
    # What still arrives of that response is stale, until the next one.
    assert service.conversation.accepted_response_id == ""
    assert service.speaks() == []
    assert service.says("response.audio.done", response_id="r1") == []
    assert emitted(service.finishes(status="cancelled")) == ["response_done"]
    service.creates("r2")
    assert service.conversation.accepted_response_id == "r2"
    # The same play head does not truncate a second time.
    again = service.says("input_audio_buffer.speech_started", item_id="u2")
    assert sent(again) == []


@pytest.mark.parametrize(
    ("heard_ms", "why"),
    [(0, "unheard"), (1000, "heard to its end"), (1200, "more than was received")],
)
def test_nothing_is_truncated_where_there_is_nothing_to_cut(heard_ms: int, why: str) -> None:
    service = Service()
    service.creates()
    service.speaks()  # one second
    service.head = Head("i1", 0, heard_ms)
    assert sent(service.says("input_audio_buffer.speech_started")) == [], why


def test_a_service_that_truncates_by_itself_is_left_alone() -> None:
    service = Service(auto_truncate=True)
    service.creates()
    service.speaks()
    service.writes("one two three four", is_final=True)
    service.head = Head("i1", 0, 480)
    actions = service.says("input_audio_buffer.speech_started")
    assert sent(actions) == []
    assert cuts(actions) == [("one two three four", "one")]


def test_a_transcript_ends_where_the_listener_stopped_hearing() -> None:
    service = Service()
    service.creates()
    for item_id in ("i1", "i2"):
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        service.says("conversation.item.created", item=item)
    service.speaks()
    service.writes("one two three four", is_final=True)
    service.speaks(item_id="i2")
    service.writes("five six", item_id="i2")
    service.finishes()
    # Long after the text was complete. Of the second item nothing was heard.
    service.head = Head("i1", 0, 760)
    actions = service.says("input_audio_buffer.speech_started")
    assert cuts(actions) == [("one two three four", "one two three")]
    assert texts(service.history) == [("assistant", "one two three")]
    assert cuts(service.says("input_audio_buffer.speech_started")) == []


def test_what_the_play_head_has_not_reached_was_not_heard() -> None:
    service = Service()
    for number in (1, 2):  # as the listener has taken nothing at all, and nothing since the cut
        service.creates(f"r{number}")
        service.speaks(response_id=f"r{number}", item_id=f"i{number}")
        service.writes("one two", item_id=f"i{number}")
        actions = service.says("input_audio_buffer.speech_started")
        assert (sent(actions), cuts(actions)) == ([], [("one two", "")])
        service.finishes(f"r{number}", status="cancelled")
        service.head = Head("i1", 0, 500)


def test_a_text_that_is_completed_after_the_cut_is_cut_again() -> None:
    service = Service()
    service.creates()
    item = {"id": "i1", "type": "message", "role": "assistant", "content": []}
    service.says("conversation.item.created", item=item)
    service.speaks()
    service.writes("one two")
    service.speaks(item_id="i2")
    service.writes("five six", item_id="i2")
    service.head = Head("i1", 0, 500)
    actions = service.says("input_audio_buffer.speech_started")
    assert cuts(actions) == [("one two", "one"), ("five six", "")]
    service.conversation.abandon()
    assert texts(service.history) == [("assistant", "one")]
    done = service.writes("one two three four", is_final=True)
    assert [type(action) for action in done] == [Emit, Emit]
    assert cuts(done) == [("one two three four", "one two")]


def test_what_was_heard_to_its_end_is_not_cut() -> None:
    service = Service()
    service.creates()
    service.speaks(num_frames=24_001)  # no whole number of milliseconds
    service.writes("one two", is_final=True)
    service.head = Head("i1", 0, 1000)
    actions = service.says("input_audio_buffer.speech_started")
    assert (sent(actions), cuts(actions)) == ([], [])


def test_a_cancel_is_sent_only_where_a_response_is_active_and_the_service_does_not_cancel() -> None:
    cancel = {"type": "response.cancel", "response_id": "r1"}
    for interrupts_itself in (True, False):
        service = Service(interrupt_response=interrupts_itself)
        assert sent(service.says("input_audio_buffer.speech_started")) == []
        assert sent(service.conversation.interrupt()) == []
        service.creates()
        expected = [] if interrupts_itself else [cancel]
        assert sent(service.says("input_audio_buffer.speech_started")) == expected
        assert sent(service.conversation.interrupt()) == [cancel], "the caller's own wish"
        service.finishes(status="cancelled")
        assert sent(service.conversation.interrupt()) == []


def test_an_audio_delta_is_trimmed_to_whole_samples_and_nothing_else_is() -> None:
    def delta(audio: bytes, kind: str = "response.audio.delta") -> bytes:
        return json.dumps(
            {"type": kind, "delta": base64.b64encode(audio).decode(), "x": 1}
        ).encode()

    assert json.loads(trim_to_whole_samples(delta(b"abc")) or b"") == json.loads(delta(b"ab"))
    others = [
        delta(b"ab"),
        delta(b"abc", "else"),
        b"",
        b"[]",
        b"{}",
        b'{"delta": 1}',
        b'{"delta": "!"}',
    ]
    assert [trim_to_whole_samples(text) for text in others] == [None] * len(others)


def test_received_is_what_the_service_sent_and_a_speech_begins_where_it_was_written() -> None:
    service = Service()
    service.creates()
    assert service.speaks(start_frame=12_000) == [SpeechBegins(12_000)]
    service.head = Head("i1", 2, 600)
    [truncate] = barge_in(service)
    assert (truncate["content_index"], truncate["audio_end_ms"]) == (2, 600)


@pytest.mark.parametrize(("item", "is_known"), [("i0", False), ("i5", False), ("i6", True)])
def test_the_last_64_items_can_be_truncated(item: str, is_known: bool) -> None:
    service = Service()
    service.creates()
    for n in range(70):
        service.speaks(item_id=f"i{n}")
    service.head = Head(item, 0, 500)
    assert bool(barge_in(service)) is is_known


def test_after_a_cut_off_the_next_speech_begins_anew() -> None:
    service = Service()
    service.creates()
    service.speaks()
    barge_in(service)
    ended = service.finishes(status="cancelled")
    assert [type(action) for action in ended] == [ReplyDone, Emit]
    service.creates("r2")
    assert service.speaks(response_id="r2") == [SpeechBegins(0)]


async def test_a_response_that_was_cut_off_is_not_asked_for_again() -> None:
    service = Service()
    active, _ = service.is_asked()
    service.creates()
    service.speaks()
    barge_in(service)  # before anything was heard
    assert service.conversation.abandon() == []
    assert (await active).status == "incomplete"
