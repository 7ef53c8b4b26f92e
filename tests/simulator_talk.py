"""The simulator's conversation, driven without a socket on a clock of the test's own."""

from __future__ import annotations

import base64
import itertools
import json
import math
from typing import Any

from voicelane.simulator import Scenario
from voicelane.simulator.conversation import Conversation
from voicelane.simulator.events import Ids
from voicelane.simulator.record import Record
from voicelane.simulator.responder import Responder, Voice
from voicelane.simulator.scenario import Answer

VOICE = Voice()
SPEECH = VOICE.bundled[2].pcm  # one sentence without a pause
SPEECH_MS = len(SPEECH) // 48
REPLY_EVENTS = [
    "response.created",
    "response.output_item.added",
    "conversation.item.created",
    "response.content_part.added",
    "response.audio_transcript.delta",
    "response.audio.delta",
    "response.audio.done",
    "response.audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]
TURN_EVENTS = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.created",
]
CANCELLED = REPLY_EVENTS[6:]


def silence(duration_ms: int) -> bytes:
    return bytes(48 * duration_ms)


class Talk:
    """A client and a clock for one conversation."""

    def __init__(
        self,
        *,
        replies: list[Answer] | None = None,
        user_transcripts: list[str | None] | None = None,
        audio_speed: float = 5.0,
        seed: str = "test",
        model: str = "gpt-realtime",
        scenario: Scenario | None = None,
        speech: Any = None,
    ) -> None:
        self.now_s = 100.0
        self.record = Record(1 << 20)
        scenario = scenario or Scenario.of_replies(replies, user_transcripts)
        self.conversation = Conversation(
            model=model,
            responder=Responder(VOICE, scenario, speech),
            ids=Ids(seed),
            expires_at_s=1_784_668_572,
            audio_speed=audio_speed,
            record=self.record,
        )
        self.created = self.conversation.open()[0]

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return self.conversation.receive(json.dumps({"type": kind, **fields}), self.now_s)

    def error(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send what must be refused; return the error."""
        (event,) = self.send(kind, event_id="mine", **fields)
        assert event["type"] == "error"
        assert event["error"]["event_id"] == "mine"
        assert event["error"]["type"] == "invalid_request_error"
        return dict(event["error"])

    def append(self, audio: bytes) -> list[dict[str, Any]]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    def play(self, num_deltas: float = math.inf) -> list[dict[str, Any]]:
        """Let time pass until nothing is due, or `num_deltas` more audio deltas have come."""
        events: list[dict[str, Any]] = []
        while num_deltas > 0 and (due_s := self.conversation.due_s) is not None:
            self.now_s = max(self.now_s, due_s)
            step = self.conversation.advance(self.now_s)
            num_deltas -= types(step).count("response.audio.delta")
            events += step
        return events

    def say(self, text: str) -> list[dict[str, Any]]:
        """Send a text message and ask for a response."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        return self.send("conversation.item.create", item=item) + self.send("response.create")


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def order(events: list[dict[str, Any]]) -> list[str]:
    """The types of the events, repetitions in a row as one."""
    return [kind for kind, _ in itertools.groupby(types(events))]


def of_type(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def the(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one event of this type."""
    (event,) = of_type(events, kind)
    return event


def audio_of(events: list[dict[str, Any]]) -> bytes:
    deltas = of_type(events, "response.audio.delta")
    return b"".join(base64.b64decode(event["delta"]) for event in deltas)


def mcp(**fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example", **fields}
