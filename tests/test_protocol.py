"""What a session does about the events of the service: requests, responses, texts, faults."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol_talk import Head, Service, emitted, requests, said, sent, texts
from support import RECORDINGS
from voicelane.actions import (
    CallFunction,
    Fault,
    ReplyDone,
    ReplyFailed,
    ResponseBegun,
    SessionReady,
)
from voicelane.history import History
from voicelane.simulator.recording import read_recording


def test_responses_are_asked_for_one_at_a_time() -> None:
    service = Service()
    two = {"type": "response.create", "response": {"instructions": "two"}}
    first, asked = service.is_asked()
    assert requests(asked) == [{"type": "response.create"}]
    second, asked = service.is_asked({"instructions": "two"})
    assert asked == []  # the first is asked for, not yet begun
    service.creates("r1")
    assert service.is_asked()[1] == []
    assert requests(service.finishes("r1")) == [two]
    service.creates("r2")
    assert requests(service.finishes("r2")) == [{"type": "response.create"}]
    service.creates("r3")
    assert requests(service.finishes("r3")) == []
    assert requests(service.is_asked()[1]) == [{"type": "response.create"}]
    assert (first.response_id, second.response_id) == ("r1", "r2")


def test_the_end_of_another_response_forgets_no_request_and_makes_none() -> None:
    service = Service()
    first, asked = service.is_asked()
    second, _ = service.is_asked()
    assert len(sent(asked)) == 1
    assert sent(service.finishes("stale", "cancelled")) == []
    service.creates("r1")
    assert sent(service.finishes("older", "cancelled")) == []
    ended = service.finishes("r1")
    assert ended[0] == ReplyDone(first)
    assert first.response_id == "r1"
    assert len(sent(ended)) == 1
    service.creates("r2")
    assert service.finishes("r2")[0] == ReplyDone(second)


def test_a_refused_request_fails_and_does_not_block_the_next() -> None:
    service = Service()
    first, asked = service.is_asked()
    second, _ = service.is_asked({"instructions": "two"})
    event_id = asked[0].event["event_id"]  # type: ignore[union-attr]
    other = service.says("error", error={"message": "Not about it.", "event_id": "another"})
    assert [type(action) for action in other] == [Fault]
    refused = service.says("error", error={"code": "x", "message": "No.", "event_id": event_id})
    assert refused[0] == ReplyFailed(first, refused[1].error)  # type: ignore[union-attr]
    assert requests(refused) == [{"type": "response.create", "response": {"instructions": "two"}}]
    service.creates("r1")
    assert second.response_id == "r1"


@pytest.mark.parametrize("created_first", [True, False])
def test_a_request_that_meets_the_services_own_response_is_made_again(created_first: bool) -> None:
    service = Service()
    reply, asked = service.is_asked()
    event_id = sent(asked)[0]["event_id"]
    refusal = {
        "code": "conversation_already_has_active_response",
        "message": "Busy.",
        "event_id": event_id,
    }
    if created_first:
        service.creates("of the user's turn")
    assert service.says("error", error=refusal) == []
    if not created_first:
        service.creates("of the user's turn")
    assert (reply.response_id, reply.status) == (None, "waiting")
    actions = service.finishes("of the user's turn")
    assert requests(actions) == [{"type": "response.create"}]
    assert [action.reply is reply for action in actions if isinstance(action, ReplyDone)] == [False]
    service.creates("ours")
    assert reply.response_id == "ours"


async def test_an_interrupt_forgets_what_was_asked_for() -> None:
    service = Service()
    service.is_asked()
    waiting, _ = service.is_asked()
    service.creates()
    service.conversation.interrupt()
    assert (await waiting).status == "cancelled"
    assert sent(service.finishes(status="cancelled")) == []


def test_a_request_that_was_cut_off_before_it_began_is_not_heard() -> None:
    service = Service()
    reply, _ = service.is_asked()
    assert sent(service.conversation.interrupt()) == [], "there is no response to cancel yet"
    assert (reply.is_done, reply.status) == (True, "cancelled")
    begun = service.creates()
    assert sent(begun) == [{"type": "response.cancel", "response_id": "r1"}]
    assert emitted(begun) == []
    assert service.conversation.accepted_response_id == ""
    assert service.speaks() == []
    # The cancel came too late: what the response calls asks for no other one.
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    ended = service.finishes(output=[call])
    [call_action] = [action for action in ended if isinstance(action, CallFunction)]
    answers = service.conversation.calls.answer(call_action, "done", is_error=False)
    assert [event["type"] for event in sent(answers)] == ["conversation.item.create"]
    service.is_asked()
    service.creates("r2")
    assert service.conversation.accepted_response_id == "r2"


def test_a_request_that_was_cut_off_is_not_made_again() -> None:
    service = Service()
    _, asked = service.is_asked()
    service.conversation.interrupt()
    event_id = sent(asked)[0]["event_id"]
    busy = {"code": "conversation_already_has_active_response", "event_id": event_id}
    assert service.says("error", error=busy) == []
    service.creates("of the user's turn")
    assert service.conversation.accepted_response_id == "of the user's turn"
    assert sent(service.finishes("of the user's turn")) == []
    service.is_asked()
    service.conversation.interrupt()
    assert service.conversation.abandon() == []


def test_every_request_has_an_id_of_its_own() -> None:
    service, event_ids = Service(), set()
    for number in range(3):
        [event] = sent(service.is_asked()[1])
        event_ids.add(event["event_id"])
        service.creates(f"r{number}")
        service.finishes(f"r{number}")
    assert len(event_ids) == 3


async def test_what_was_not_heard_is_asked_for_again_on_the_next_connection() -> None:
    service = Service()
    active, _ = service.is_asked()
    service.creates()
    service.speaks()
    waiting, _ = service.is_asked()
    assert service.conversation.abandon() == [active, waiting]
    # Half heard: its rest is lost, and it is not begun anew.
    service = Service()
    active, _ = service.is_asked()
    waiting, _ = service.is_asked()
    service.creates()
    item = {"id": "i1", "type": "message", "role": "assistant", "content": []}
    service.says("conversation.item.created", item=item)
    service.says("response.audio_transcript.delta", item_id="i1", delta="one two three four")
    service.speaks()
    service.head = Head("i1", 0, 500)
    assert service.conversation.abandon() == [waiting]
    assert (await active).status == "incomplete"
    assert texts(service.history) == [("assistant", "one two")]


def test_the_history_has_what_was_said_and_of_what_was_cut_off_what_was_heard() -> None:
    service = Service()
    user = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    service.says("conversation.item.created", item=user)
    service.creates()
    for item_id, role in (("i1", "assistant"), ("gone", "user")):
        item = {"id": item_id, "type": "message", "role": role, "content": []}
        service.says("conversation.item.created", item=item)
    kind = "conversation.item.input_audio_transcription.completed"
    service.says(kind, item_id="u1", transcript="Hello?")
    service.says(kind, item_id="gone", transcript="Forget it.")
    service.says("conversation.item.deleted", item_id="gone")
    service.speaks()
    service.head = Head("i1", 0, 500)
    service.says("input_audio_buffer.speech_started")
    # The whole text comes even though the audio was cut off.
    service.says("response.audio_transcript.done", item_id="i1", transcript="one two three four")
    service.finishes(status="cancelled")
    assert texts(service.history) == [("user", "Hello?"), ("assistant", "one two")]
    call = {"id": "c1", "type": "function_call", "name": "f", "call_id": "k", "arguments": ""}
    service.says("conversation.item.created", item=call)
    service.says(
        "response.output_item.done", item={**call, "arguments": "{}", "status": "completed"}
    )
    output = {"id": "o1", "type": "function_call_output", "call_id": "k", "output": "4"}
    service.says("conversation.item.created", item={**output, "object": "realtime.item"})
    service.says("conversation.item.created", item=output)
    assert [event["item"] for event in service.history.replay()[2:]] == [
        {"id": "c1", "type": "function_call", "name": "f", "call_id": "k", "arguments": "{}"},
        output,
    ]


def test_the_history_is_bounded() -> None:
    history = History(max_items=2)
    for n in range(4):
        content = [{"type": "input_text", "text": f"text {n}"}]
        history.add({"id": str(n), "type": "message", "role": "user", "content": content})
    assert texts(history) == [("user", "text 2"), ("user", "text 3")]


def test_waiting_responses_are_bounded() -> None:
    service = Service()
    service.creates()
    for _ in range(64):
        service.is_asked()
    reply, refused = service.is_asked()
    assert isinstance(refused[0], ReplyFailed)
    assert refused[0].reply is reply
    assert "at most 64 waiting responses" in str(refused[0].error)


def test_errors_are_told_with_their_structure_and_benign_ones_are_not() -> None:
    service = Service()
    details = {
        "type": "invalid_request_error",
        "code": "bad",
        "message": "Bad.",
        "param": "p",
        "event_id": "e",
    }
    [fault] = service.says("error", error=details)
    assert isinstance(fault, Fault)
    error = fault.error
    assert str(error) == "Azure Voice Live error: Bad."
    assert (error.code, error.param, error.event_id, error.retryable) == ("bad", "p", "e", False)
    assert service.says("error", error={"code": "response_cancel_not_active"}) == []


def test_a_failed_response_is_a_fault_with_its_reason() -> None:
    service = Service()
    service.creates()
    error = {"type": "server_error", "code": "overloaded", "message": "Too many."}
    actions = service.finishes(status="failed", status_details={"type": "failed", "error": error})
    [fault] = [action for action in actions if isinstance(action, Fault)]
    assert (fault.error.message, fault.error.code, fault.error.retryable) == (
        "Too many.",
        "overloaded",
        True,
    )


def test_the_users_words_come_once_whatever_the_model() -> None:
    # Realtime models: null in the item, then the transcription.
    service = Service()
    item = {"id": "u1", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    assert service.says("conversation.item.created", item=item) == []
    kind = "conversation.item.input_audio_transcription"
    assert said(service.says(f"{kind}.delta", item_id="u1", delta="Good ")) == [
        ("user", "Good ", False)
    ]
    assert said(service.says(f"{kind}.delta", item_id="u1", delta="day")) == [
        ("user", "Good day", False)
    ]
    done = service.says(f"{kind}.completed", item_id="u1", content_index=0, transcript="Good day.")
    assert said(done) == [("user", "Good day.", True)]
    # Cascaded models: the transcription, then the item with the same words.
    service.says(f"{kind}.completed", item_id="u2", transcript="And you?")
    item = {
        "id": "u2",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": "And you?"}],
    }
    assert service.says("conversation.item.created", item=item) == []
    # Words that come in the item alone are told too.
    item["id"] = "u3"
    assert said(service.says("conversation.item.created", item=item)) == [
        ("user", "And you?", True)
    ]


@pytest.mark.parametrize("name", ["text_in_audio_out_turn.yaml", "tool_call_round.yaml"])
def test_the_recordings_have_no_event_that_surprises(name: str) -> None:
    service = Service()
    for frame in read_recording(RECORDINGS / name):
        if frame.direction == "received":
            actions = service.conversation.handle(frame.data)
            assert not [action for action in actions if isinstance(action, Fault)]


ANY_JSON = st.sampled_from(
    [
        None,
        True,
        0,
        -1.5,
        "",
        "r1",
        "i1",
        [],
        [None],
        [{}],
        {},
        {"id": 7},
        {"id": "i1", "type": "message"},
        {"id": "r1", "status": 3, "content": ["x"]},
        {"code": [], "message": None},
        {"turn_detection": "x"},
    ]
)
KINDS = [
    "session.updated",
    "error",
    "response.created",
    "response.done",
    "response.audio.done",
    "response.text.done",
    "response.text.delta",
    "response.audio_transcript.delta",
    "response.audio_transcript.done",
    "conversation.item.created",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
]
FIELDS = [
    "session",
    "error",
    "response",
    "item",
    "response_id",
    "item_id",
    "delta",
    "text",
    "transcript",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, max_size=4)
        ),
        max_size=8,
    )
)
def test_no_event_however_odd_breaks_the_conversation(
    events: list[tuple[str, dict[str, Any]]],
) -> None:
    service = Service()
    for kind, fields in events:
        service.says(kind, **fields)


def test_of_a_lost_response_only_the_item_at_the_play_head_was_heard() -> None:
    service = Service()
    service.creates()
    for item_id in ("i1", "i2"):
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        service.says("conversation.item.created", item=item)
        kind = "response.audio_transcript.delta"
        service.says(kind, item_id=item_id, delta="one two three four")
        service.speaks(item_id=item_id)
    service.head = Head("i1", 0, 500)
    service.conversation.abandon()
    assert texts(service.history) == [("assistant", "one two")]


def test_a_refusal_without_the_id_of_the_request_is_that_of_the_request() -> None:
    service = Service()
    reply, _ = service.is_asked()
    refused = service.says("error", error={"code": "x", "message": "No."})
    assert [type(action) for action in refused] == [ReplyFailed, Fault]
    assert refused[0].reply is reply  # type: ignore[union-attr]


def test_a_request_that_is_made_again_keeps_its_turn() -> None:
    service = Service()
    _, asked = service.is_asked({"instructions": "one"})
    service.is_asked({"instructions": "two"})
    code, event_id = "conversation_already_has_active_response", sent(asked)[0]["event_id"]
    service.says("error", error={"code": code, "event_id": event_id})
    service.creates("of the user's turn")
    [again] = requests(service.finishes("of the user's turn"))
    assert again["response"] == {"instructions": "one"}


async def test_a_response_that_another_one_replaces_is_over() -> None:
    service = Service()
    reply, _ = service.is_asked()
    service.creates("r1")
    begun = service.creates("r2")
    assert begun == [ResponseBegun("r2")]
    assert (await reply).status == "incomplete"


def test_the_end_of_another_response_is_not_the_end_of_the_active_one() -> None:
    service = Service()
    service.creates()
    service.speaks()
    assert service.says("response.audio.done", response_id="r0") == []
    assert emitted(service.finishes("r0")) == ["response_done"]
    assert service.conversation.accepted_response_id == "r1"


def test_the_end_of_another_response_loses_no_words_of_the_active_one() -> None:
    service = Service()
    service.creates()
    service.writes("one")
    service.finishes("r0")
    assert said(service.writes(" two")) == [("agent", "one two", False)]


def test_what_was_asked_for_with_a_response_is_not_repeated_after_its_calls() -> None:
    service = Service()
    reply, _ = service.is_asked({"instructions": "once"})
    service.creates()
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    actions = service.finishes(output=[call])
    [function] = [action for action in actions if isinstance(action, CallFunction)]
    answered = service.conversation.calls.answer(function, "4", is_error=False)
    assert requests(answered)[1:] == [{"type": "response.create"}]
    service.creates("r2")
    assert reply.response_id == "r2", "it goes on"


# --- told twice ----------------------------------------------------------------------------------


def test_a_response_that_is_told_twice_begins_and_ends_once() -> None:
    service = Service()
    reply, _ = service.is_asked()
    assert service.creates() != []
    assert service.creates() == []
    assert not reply.is_done
    assert service.conversation.accepted_response_id == "r1"
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    first = service.finishes(output=[call])
    assert CallFunction("c", "f", "{}") in first
    service.conversation.calls.answer(CallFunction("c", "f", "{}"), "done", is_error=False)
    assert service.finishes(output=[call]) == [], "it is not called again"
    assert service.creates() == [], "nor does it go on"
    assert service.creates("r2") != []


@pytest.mark.parametrize(
    "expires_at",
    [pytest.param(10**400, id="huge"), float("inf"), float("nan"), 0, -1, "soon", None],
)
def test_an_end_of_the_session_that_is_no_time_is_none(expires_at: Any) -> None:
    [ready] = Service().says("session.updated", session={"id": "s", "expires_at": expires_at})
    assert ready == SessionReady("s", None)


def test_the_end_of_the_session_is_told() -> None:
    [ready] = Service().says("session.updated", session={"id": "s", "expires_at": 1_800_000_000})
    assert ready == SessionReady("s", 1_800_000_000)
