"""Random orders of what a service says and a caller asks: what must hold of a `Conversation` in each."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol_talk import Delta, Head
from voicelane.actions import Action, InterruptPlayback, ReplyDone, ReplyFailed, Send, SpeechBegins
from voicelane.protocol import Conversation
from voicelane.reply import Reply

STATUSES = st.sampled_from(["completed", "cancelled", "failed", "incomplete"])


class ProtocolStates(RuleBasedStateMachine):
    """A service that keeps to its own rules, and may be slow, busy, or say things twice."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head()
        self.conversation = Conversation(lambda: self.head, sample_rate_hz=24_000)
        self.replies: list[Reply] = []
        # Of the service: the response it is at, and the requests it has still to look at.
        self.active: str | None = None
        self.asked: list[str] = []
        self.num_responses = 0
        self.said: list[dict[str, Any]] = []
        # What is not to be heard any more.
        self.cut: set[str | None] = set()

    # --- the caller

    @rule()
    def asks(self) -> None:
        self.replies.append(Reply())
        self.obey(self.conversation.request_response(self.replies[-1]))

    @rule()
    def interrupts(self) -> None:
        self.cut.add(self.conversation.active_response_id)
        self.obey(self.conversation.interrupt())

    @rule()
    def loses_the_connection(self) -> None:
        again = self.conversation.abandon()
        self.conversation = Conversation(lambda: self.head, sample_rate_hz=24_000)
        self.active, self.asked = None, []
        self.said.clear()
        for reply in again:
            self.obey(self.conversation.request_response(reply))

    # --- the service

    @precondition(lambda self: self.active is None)
    @rule()
    def begins_by_itself(self) -> None:
        self.num_responses += 1
        self.active = f"r{self.num_responses}"
        self.say("response.created", response={"id": self.active})

    @precondition(lambda self: self.asked)
    @rule()
    def looks_at_a_request(self) -> None:
        event_id = self.asked.pop(0)
        if self.active is None:
            self.begins_by_itself()
            return
        self.refuse(event_id, "conversation_already_has_active_response")

    @precondition(lambda self: self.asked)
    @rule()
    def refuses_a_request(self) -> None:
        self.refuse(self.asked.pop(0), "invalid_value")

    @precondition(lambda self: self.active)
    @rule(status=STATUSES)
    def ends(self, status: str) -> None:
        response_id, self.active = self.active, None
        self.say("response.done", response={"id": response_id, "status": status})

    @rule(back=st.integers(0, 2))
    def brings_audio(self, back: int) -> None:
        response_id = f"r{self.num_responses - back}"
        actions = self.conversation.handle_audio(
            Delta(response_id=response_id, item_id=response_id)
        )
        if response_id in self.cut:
            assert not actions
        self.obey(actions)

    @rule()
    def hears_the_user(self) -> None:
        self.cut.add(self.conversation.active_response_id)
        self.say("input_audio_buffer.speech_started")

    @rule()
    def hears_the_user_no_more(self) -> None:
        self.say("input_audio_buffer.speech_stopped")

    @precondition(lambda self: self.said)
    @rule()
    def says_it_twice(self) -> None:
        self.obey(self.conversation.handle(self.said[-1]))

    # --- what follows

    def say(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, **fields}
        if kind.startswith("response."):
            self.said.append(event)
        self.obey(self.conversation.handle(event))

    def refuse(self, event_id: str, code: str) -> None:
        self.say("error", error={"code": code, "message": code, "event_id": event_id})

    def obey(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(event) if event["type"] == "response.create":
                    assert self.conversation.active_response_id is None
                    self.asked.append(event["event_id"])
                case SpeechBegins():
                    assert self.conversation.accepted_response_id not in ("", *self.cut)
                case InterruptPlayback():
                    assert self.conversation.accepted_response_id == ""
                case ReplyDone(reply):
                    reply.finish()
                case ReplyFailed(reply, error):
                    reply.finish(error=error)
                case _:
                    pass

    @invariant()
    def nothing_that_was_cut_is_played(self) -> None:
        assert self.conversation.accepted_response_id not in self.cut

    @invariant()
    def one_reply_is_active(self) -> None:
        assert (
            sum(reply.status == "in_progress" and not reply.is_done for reply in self.replies) <= 1
        )

    def teardown(self) -> None:
        """A service that does all that it was asked lets go whoever waits."""
        while self.active or self.asked:
            if self.active:
                self.ends("completed")
            else:
                self.looks_at_a_request()
        assert all(reply.is_done for reply in self.replies), self.replies


TestProtocolStates = ProtocolStates.TestCase
TestProtocolStates.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
