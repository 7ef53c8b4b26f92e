"""A conversation, and a service that speaks to it, without a socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voicelane.actions import (
    Action,
    Emit,
    Send,
    SessionReady,
)
from voicelane.history import History
from voicelane.protocol import Conversation
from voicelane.reply import Reply


@dataclass
class Head:
    item_id: str | None = None
    content_index: int = 0
    audio_end_ms: int = 0


@dataclass
class Delta:
    response_id: str | None = "r1"
    item_id: str | None = "i1"
    num_frames: int = 24_000
    start_frame: int = 0


class Service:
    """A conversation, and the service's part in it."""

    def __init__(self, **turn_detection: Any) -> None:
        self.head = Head()
        self.history = History()
        self.conversation = Conversation(
            lambda: self.head, sample_rate_hz=24_000, history=self.history
        )
        session = {"id": "s", "turn_detection": turn_detection}
        assert self.says("session.updated", session=session) == [SessionReady("s", None)]

    def says(self, kind: str, **fields: Any) -> list[Action]:
        return self.conversation.handle({"type": kind, **fields})

    def is_asked(self, request: Any = None) -> tuple[Reply, list[Action]]:
        reply = Reply(request)
        return reply, self.conversation.request_response(reply)

    def creates(self, response: str = "r1") -> list[Action]:
        return self.says("response.created", response={"id": response})

    def finishes(
        self, response: str = "r1", status: str = "completed", **more: Any
    ) -> list[Action]:
        return self.says("response.done", response={"id": response, "status": status, **more})

    def writes(self, text: str, *, item_id: str = "i1", is_final: bool = False) -> list[Action]:
        kind, field = ("done", "transcript") if is_final else ("delta", "delta")
        event = {"item_id": item_id, field: text}
        return self.says(f"response.audio_transcript.{kind}", **event)

    def speaks(self, **fields: Any) -> list[Action]:
        return self.conversation.handle_audio(Delta(**fields))


def sent(actions: list[Action]) -> list[Any]:
    return [action.event for action in actions if isinstance(action, Send)]


def emitted(actions: list[Action]) -> list[str]:
    return [action.event for action in actions if isinstance(action, Emit)]


def cuts(actions: list[Action]) -> list[tuple[str, str]]:
    told = [a.payload for a in actions if isinstance(a, Emit) and a.event == "transcript_cut"]
    return [(payload["text"], payload["heard_text"]) for payload in told]


def requests(actions: list[Action]) -> list[Any]:
    """What is asked for, without the ids of the requests."""
    return [{k: v for k, v in event.items() if k != "event_id"} for event in sent(actions)]


def texts(history: History) -> list[tuple[str, str]]:
    items = [event["item"] for event in history.replay()]
    return [(item["role"], item["content"][0]["text"]) for item in items if "role" in item]


def said(actions: list[Action]) -> list[tuple[str, str, bool]]:
    payloads = [one.payload for one in actions if isinstance(one, Emit) and "role" in one.payload]
    return [(one["role"], one["text"], one["is_final"]) for one in payloads]


def barge_in(service: Service) -> list[Any]:
    return sent(service.says("input_audio_buffer.speech_started"))
