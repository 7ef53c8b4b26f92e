"""One session of the service as a state machine: client events in, server events out.

It does no I/O and reads no clock. The caller hands in each message and the time, sends what comes
back, and calls `advance` when `due_s` has come.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from voicelane._core import append_audio

from .events import (
    Event,
    Ids,
    RequestError,
    json_name,
    not_one_of,
    required_base64,
    required_int,
    required_object,
    required_str,
    tokens_of,
    wrong_type,
)
from .formats import OUTPUT_FORMATS
from .input_audio import InputAudio
from .items import History, Item, item_from_request
from .record import Record
from .replies import Reply, ToolCall
from .responder import Responder
from .response import (
    Output,
    Response,
    SpeechOutput,
    TextOutput,
    ToolCallOutput,
    pre_generated_reply,
    response_data,
)
from .session_options import merged_session, new_session
from .speech import SpeechStarted, SpeechStopped

_TRANSCRIPTION_DELAY_S = 0.15
_UNSUPPORTED_TYPES = frozenset(
    {
        "output_audio_buffer.clear",
        "session.avatar.connect",
        "input_text.delta",
        "input_text.done",
        "input_audio.turn.start",
        "input_audio.turn.append",
        "input_audio.turn.end",
        "input_audio.turn.cancel",
        "input_audio.clear",
        "transcription_session.update",
    }
)


class Conversation:
    """The state of one session.

    Args:
        model: The model that the client asked for.
        responder: What is said in it.
        ids: Where ids come from.
        expires_at_s: When the session ends, in Unix seconds; told to the client only.
        audio_speed: How many times faster than real time a response is sent.
        record: Where client events are noted.
    """

    def __init__(
        self,
        *,
        model: str,
        responder: Responder,
        ids: Ids,
        expires_at_s: int,
        audio_speed: float,
        record: Record,
    ) -> None:
        self._responder = responder
        self._ids = ids
        self._audio_speed = audio_speed
        self._record = record
        self._id = ids.new("conv")
        self._history = History()
        self._response: Response | None = None
        self._owes_response = False  # a turn ended while a response was not to be interrupted
        self._turn_item_id: str | None = None
        self._turn_start_ms = 0
        self._spoken: tuple[Item, float] | None = None  # the last audio item and when it began
        self._transcriptions: deque[tuple[float, Item]] = deque()  # of recent turns
        self.session = new_session(ids.new("sess"), model=model, expires_at_s=expires_at_s)
        self._input = InputAudio(self.session, keeps_audio=responder.understands)
        self._handlers: dict[str, Callable[[Event, float], list[Event]]] = {
            "session.update": self._update_session,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    # What the caller calls

    def open(self) -> list[Event]:
        """Return the events that greet a client."""
        return self._stamped([{"type": "session.created", "session": self.session}])

    def receive(self, text: str, now_s: float) -> list[Event]:
        """Take one client message; return what it makes the service send at once.

        A message that the service refuses changes nothing and gives one `error` event.

        Args:
            text: The message, as it came.
            now_s: The time on the caller's clock.
        """
        event: Any = None
        try:
            # Most messages are appends, and most of these are answered with nothing.
            audio = append_audio(text) if isinstance(text, str) and text.isascii() else None
            if audio is not None and self._input.is_whole(audio):
                return self._stamped(self._take_audio(audio, now_s))
            event = _parsed(text)
            events = self._handle(event, now_s)
        except RequestError as refusal:
            events = [_error_event(refusal, event)]
        return self._stamped(events)

    @property
    def audio_ms(self) -> int:
        """How much audio was appended so far."""
        return self._input.end_ms

    @property
    def due_s(self) -> float | None:
        """When `advance` is to be called, on the clock of `receive`; None if nothing is to come."""
        response = self._response
        due = [] if response is None else [self._delta_due_s(response)]
        due += [due_s for due_s, _ in self._transcriptions]
        return min(due, default=None)

    def advance(self, now_s: float) -> list[Event]:
        """Return the events that are next: a delta, the end of a response, a transcription."""
        response = self._response
        transcription_s = self._transcriptions[0][0] if self._transcriptions else None
        if transcription_s is not None and (
            response is None or transcription_s <= self._delta_due_s(response)
        ):
            return self._stamped(self._transcribe(self._transcriptions.popleft()[1]))
        if response is None:
            return []
        events = response.advance()
        return self._stamped(events + self._settle(now_s))

    # Plumbing

    def _stamped(self, events: list[Event]) -> list[Event]:
        return [{"event_id": self._ids.new("event"), **event} for event in events]

    def _delta_due_s(self, response: Response) -> float:
        return response.started_s + response.output.sent_ms / 1000 / self._audio_speed

    def _handle(self, event: Event, now_s: float) -> list[Event]:
        kind = event.get("type")
        if kind != "input_audio_buffer.append":
            self._record.take_event(event)
        kind = required_str(event, "type")
        if kind in _UNSUPPORTED_TYPES:
            message = f"The simulator does not support '{kind}' yet."
            raise RequestError(message, code="unsupported_value", param="type")
        handler = self._handlers.get(kind)
        if handler is None:
            raise not_one_of("type", kind, tuple(self._handlers))
        return handler(event, now_s)

    # session

    def _update_session(self, event: Event, _now_s: float) -> list[Event]:
        self.session = merged_session(
            self.session,
            required_object(event, "session"),
            audio_received=self._input.num_frames > 0,
            audio_sent=self._spoken is not None,
        )
        self._input.configure(self.session)
        if self.session["turn_detection"] is None:
            self._turn_item_id = None
        return [{"type": "session.updated", "session": self.session}]

    # input_audio_buffer

    def _append(self, event: Event, now_s: float) -> list[Event]:
        return self._take_audio(required_base64(event, "audio"), now_s)

    def _take_audio(self, audio: bytes, now_s: float) -> list[Event]:
        edges = self._input.append(audio)
        self._record.take_audio(audio)
        events: list[Event] = []
        for edge in edges:
            match edge:
                case SpeechStarted(audio_start_ms):
                    events += self._start_turn(audio_start_ms, now_s)
                case SpeechStopped(audio_end_ms):
                    events += self._end_turn(audio_end_ms, now_s)
        return events

    def _start_turn(self, audio_start_ms: int, now_s: float) -> list[Event]:
        self._turn_item_id = self._ids.new("item")
        self._turn_start_ms = audio_start_ms
        started: Event = {
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": audio_start_ms,
            "item_id": self._turn_item_id,
        }
        detection = self.session["turn_detection"]
        cancelled = self._cancel("turn_detected") if detection["interrupt_response"] else []
        truncated = self._auto_truncate(now_s) if detection["auto_truncate"] else []
        return [started, *cancelled, *truncated]

    def _auto_truncate(self, now_s: float) -> list[Event]:
        """Cut the last answer to what is heard by now if it is played in real time."""
        if self._spoken is None:
            return []
        item, started_s = self._spoken
        heard_ms = max(0, int((now_s - started_s) * 1000))
        if heard_ms >= item.audio_ms or not item.is_assistant_audio:
            return []
        item.truncate(heard_ms)
        return [_truncated_event(item.id, 0, heard_ms)]

    def _end_turn(self, audio_end_ms: int, now_s: float) -> list[Event]:
        item_id, self._turn_item_id = self._turn_item_id or self._ids.new("item"), None
        stopped: Event = {
            "type": "input_audio_buffer.speech_stopped",
            "audio_end_ms": audio_end_ms,
            "item_id": item_id,
        }
        events = [stopped, *self._committed(item_id, self._turn_start_ms, audio_end_ms, now_s)]
        if not self.session["turn_detection"]["create_response"]:
            return events
        if self._response is not None:
            self._owes_response = True
            return events
        return events + self._start_response({}, now_s)

    def _commit(self, _event: Event, now_s: float) -> list[Event]:
        if self._input.is_empty:
            message = "Error committing input audio buffer: the buffer is empty."
            raise RequestError(message, code="input_audio_buffer_commit_empty")
        item_id, self._turn_item_id = self._turn_item_id or self._ids.new("item"), None
        end_ms = self._input.end_ms
        return self._committed(item_id, end_ms - self._input.take(), end_ms, now_s)

    def _committed(self, item_id: str, start_ms: int, end_ms: int, now_s: float) -> list[Event]:
        self._responder.hear(item_id, self._input.clip(start_ms, end_ms))
        content = [{"type": "input_audio", "transcript": None}]
        data: Event = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": content,
        }
        item = Item(data, end_ms - start_ms)
        previous_id = self._history.insert(item, None)
        if self.session["input_audio_transcription"] is not None:
            due_s = now_s + _TRANSCRIPTION_DELAY_S / self._audio_speed
            self._transcriptions.append((due_s, item))
        return [
            {
                "type": "input_audio_buffer.committed",
                "previous_item_id": previous_id,
                "item_id": item_id,
            },
            _created_event(item, previous_id),
        ]

    def _transcribe(self, item: Item) -> list[Event]:
        text = self._responder.user_transcript(item.id, item.audio_ms)
        part = item.data["content"][0] | {"transcript": text}
        item.data = item.data | {"content": [part]}
        where = {"item_id": item.id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        deltas: list[Event] = [
            {"type": f"{kind}.delta", **where, "delta": word} for word in tokens_of(text)
        ]
        return [*deltas, {"type": f"{kind}.completed", **where, "transcript": text}]

    def _clear(self, _event: Event, _now_s: float) -> list[Event]:
        self._input.take()
        self._turn_item_id = None
        return [{"type": "input_audio_buffer.cleared"}]

    # conversation.item

    def _create_item(self, event: Event, _now_s: float) -> list[Event]:
        after_id = event.get("previous_item_id")
        if after_id is not None and not isinstance(after_id, str):
            raise wrong_type("previous_item_id", "a string", after_id)
        item = item_from_request(required_object(event, "item"), self._ids.new("item"))
        return [_created_event(item, self._history.insert(item, after_id))]

    def _find_item(self, event: Event, verb: str, gerund: str) -> Item:
        item_id = required_str(event, "item_id")
        item = self._history.find(item_id)
        if item is None:
            message = f"Error {gerund} item: the item with id '{item_id}' does not exist."
            raise RequestError(message, code=f"item_{verb}_invalid_item_id", param="item_id")
        return item

    def _retrieve_item(self, event: Event, _now_s: float) -> list[Event]:
        item = self._find_item(event, "retrieve", "retrieving")
        return [{"type": "conversation.item.retrieved", "item": item.data}]

    def _delete_item(self, event: Event, _now_s: float) -> list[Event]:
        item = self._find_item(event, "delete", "deleting")
        self._history.items.remove(item)
        return [{"type": "conversation.item.deleted", "item_id": item.id}]

    def _truncate_item(self, event: Event, _now_s: float) -> list[Event]:
        item = self._find_item(event, "truncate", "truncating")
        content_index = required_int(event, "content_index")
        audio_end_ms = required_int(event, "audio_end_ms")
        if not item.is_assistant_audio:
            message = "Only model output audio messages can be truncated"
            raise RequestError(message, code="unsupported_content_type", param="item_id")
        if content_index != 0:
            message = f"Invalid 'content_index': the item has one part, but got {content_index}."
            raise RequestError(message, param="content_index")
        if audio_end_ms > item.audio_ms:
            message = f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise RequestError(message, param="audio_end_ms")
        item.truncate(audio_end_ms)
        return [_truncated_event(item.id, content_index, audio_end_ms)]

    # response

    def _create_response(self, event: Event, now_s: float) -> list[Event]:
        params = {} if event.get("response") is None else required_object(event, "response")
        active = self._response
        if active is not None and params.get("cancel_previous") is not True:
            raise RequestError(
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one.",
                code="conversation_already_has_active_response",
            )
        return self._start_response(params, now_s)

    def _start_response(self, params: Event, now_s: float) -> list[Event]:
        data = response_data(self._ids.new("resp"), self._id, self.session, params)
        given = pre_generated_reply(params)
        # All is checked: from here on the state changes.
        cancelled = self._cancel("client_cancelled")
        reply = self._next_reply() if given is None else self._responder.say(given)
        started_s = now_s + reply.delay_ms / 1000
        output = self._output(data, reply)
        text_tokens, audio_tokens = self._history.input_tokens()
        text_tokens += len(tokens_of(self.session["instructions"]))
        response = Response(
            data, output, input_tokens=(text_tokens, audio_tokens), started_s=started_s
        )
        self._response = response
        self._owes_response = False
        previous_id = self._history.insert(output.item, None)
        if isinstance(output, SpeechOutput):
            self._spoken = (output.item, started_s)
        return cancelled + response.opening(previous_id)

    def _next_reply(self) -> Reply | ToolCall:
        return self._responder.next_reply([item.data for item in self._history.items])

    def _output(self, data: Event, reply: Reply | ToolCall) -> Output:
        item: Event = {"id": self._ids.new("item"), "object": "realtime.item"}
        if isinstance(reply, ToolCall):
            item |= {"type": "function_call", "status": "in_progress", "name": reply.name}
            item |= {"call_id": self._ids.new("call"), "arguments": ""}
            return ToolCallOutput(Item(item), data["id"], reply.arguments)
        item |= {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
        if "audio" in data["modalities"]:
            output_format = data["output_audio_format"]
            return SpeechOutput(
                Item(item),
                data["id"],
                text=reply.text,
                deltas=self._responder.voice.deltas(reply.pcm, output_format),
                bytes_per_ms=OUTPUT_FORMATS[output_format].bytes_per_ms,
            )
        return TextOutput(Item(item), data["id"], reply.text)

    def _cancel_response(self, event: Event, now_s: float) -> list[Event]:
        response_id = event.get("response_id")
        active = self._response
        if active is None or response_id not in (None, active.id):
            message = "Cancellation failed: no active response found"
            raise RequestError(message, code="response_cancel_not_active")
        return self._cancel("client_cancelled") + self._settle(now_s)

    def _cancel(self, reason: str) -> list[Event]:
        response, self._response = self._response, None
        return [] if response is None else response.cancel(reason)

    def _settle(self, now_s: float) -> list[Event]:
        """Let go of a response that is done, and start one that was owed."""
        if self._response is not None and self._response.is_done:
            self._response = None
        if self._response is None and self._owes_response:
            return self._start_response({}, now_s)
        return []


def _parsed(text: str) -> Event:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"Could not parse the message as JSON: {error}."
        raise RequestError(message, code="invalid_json") from error
    if not isinstance(event, dict):
        message = f"Invalid message: expected a JSON object, but got {json_name(event)} instead."
        raise RequestError(message, code="invalid_json")
    return event


def _error_event(refusal: RequestError, event: Any) -> Event:
    return {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "code": refusal.code,
            "message": refusal.message,
            "param": refusal.param,
            "event_id": event.get("event_id") if isinstance(event, dict) else None,
        },
    }


def _created_event(item: Item, previous_id: str | None) -> Event:
    return {
        "type": "conversation.item.created",
        "previous_item_id": previous_id,
        "item": item.data,
    }


def _truncated_event(item_id: str, content_index: int, audio_end_ms: int) -> Event:
    return {
        "type": "conversation.item.truncated",
        "item_id": item_id,
        "content_index": content_index,
        "audio_end_ms": audio_end_ms,
    }
