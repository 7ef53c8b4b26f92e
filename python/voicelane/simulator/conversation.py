"""One session of the service as a state machine: client events in, server events out.

It does no I/O and reads no clock. The caller hands in each message and the time, sends what comes
back, and calls `advance` when `due_s` has come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from voicelane._core import append_audio

from .events import (
    Event,
    Ids,
    RequestError,
    error_event,
    not_one_of,
    parsed,
    required_base64,
    required_object,
    required_str,
    tokens_of,
)
from .history import History, created_event, truncate
from .input_audio import InputAudio
from .items import Item, items_from_params, spoken_item
from .mcp import McpServers
from .models import is_cascaded
from .output_factory import OutputFactory
from .outputs import Output, SpeechOutput
from .record import Record
from .responder import Responder
from .response import Response, flag, is_out_of_band, pre_generated_reply, response_data
from .session_defaults import new_session
from .session_options import merged_session
from .speech import SpeechStarted, SpeechStopped
from .transcription import transcribe

_TRANSCRIPTION_DELAY_S = 0.15
_UNSUPPORTED_TYPES = frozenset(
    {
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


class _Untold(NamedTuple):
    """A spoken turn whose words are to come."""

    due_s: float
    item: Item
    previous_id: str | None


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
        self._is_cascaded = is_cascaded(model)
        self._history = History(is_cascaded=self._is_cascaded)
        self._mcp = McpServers(self._history, ids)
        self._outputs = OutputFactory(
            ids, responder.voice, self._mcp, is_cascaded=self._is_cascaded
        )
        self._response: Response | None = None
        self._owes_response = False  # a turn ended while a response was not to be interrupted
        self._turn_item_id: str | None = None
        self._turn_start_ms = 0
        self._spoken: tuple[Item, float] | None = None  # the last audio item and when it began
        self._transcriptions: deque[_Untold] = deque()  # of recent turns
        self.session = new_session(ids.new("sess"), model=model, expires_at_s=expires_at_s)
        self._input = InputAudio(self.session, keeps_audio=responder.understands)
        self._handlers: dict[str, Callable[[Event, float], list[Event]]] = {
            "session.update": self._update_session,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": lambda event, _: self._history.retrieve(event),
            "conversation.item.delete": lambda event, _: self._history.delete(event),
            "conversation.item.truncate": lambda event, _: self._history.truncate(event),
            "output_audio_buffer.clear": self._clear_output,
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
            event = parsed(text)
            events = self._handle(event, now_s)
        except RequestError as refusal:
            events = [error_event(refusal, event)]
        return self._stamped(events)

    @property
    def audio_ms(self) -> int:
        """How much audio was appended so far."""
        return self._input.end_ms

    @property
    def due_s(self) -> float | None:
        """When `advance` is to be called, on the clock of `receive`; None if nothing is to come."""
        due_s = None if self._response is None else self._delta_due_s(self._response)
        if not self._transcriptions:
            return due_s
        words_due_s = self._transcriptions[0].due_s
        return words_due_s if due_s is None else min(due_s, words_due_s)

    def advance(self, now_s: float) -> list[Event]:
        """Return the events that are next: a delta, the end of a response, a transcription."""
        response = self._response
        if self._transcriptions and (
            response is None or self._transcriptions[0].due_s <= self._delta_due_s(response)
        ):
            events = self._transcribe(self._transcriptions.popleft())
            return self._stamped(events + self._settle(now_s))
        if response is None:
            return []
        events = response.advance()
        return self._stamped(events + self._settle(now_s))

    # Plumbing

    def _stamped(self, events: list[Event]) -> list[Event]:
        return [{"event_id": self._ids.new("event"), **event} for event in events]

    def _delta_due_s(self, response: Response) -> float:
        return response.started_s + response.sent_ms / 1000 / self._audio_speed

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
        updated: Event = {"type": "session.updated", "session": self.session}
        return [updated, *self._mcp.configure(self.session["tools"])]

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
        cancelled = []
        if detection["interrupt_response"]:
            self._owes_response = False  # to a turn before, whose words are to come
            cancelled = self._cancel("turn_detected")
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
        return [truncate(item, heard_ms)]

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
        self._owes_response = True
        return events + self._settle(now_s)

    def _commit(self, _event: Event, now_s: float) -> list[Event]:
        if self._input.is_empty:
            message = "Error committing input audio buffer: the buffer is empty."
            raise RequestError(message, code="input_audio_buffer_commit_empty")
        item_id, self._turn_item_id = self._turn_item_id or self._ids.new("item"), None
        end_ms = self._input.end_ms
        return self._committed(item_id, end_ms - self._input.take(), end_ms, now_s)

    def _committed(self, item_id: str, start_ms: int, end_ms: int, now_s: float) -> list[Event]:
        self._responder.hear(item_id, self._input.clip(start_ms, end_ms))
        item = spoken_item(item_id, end_ms - start_ms)
        previous_id = self._history.insert(item, None)
        committed: Event = {
            "type": "input_audio_buffer.committed",
            "previous_item_id": previous_id,
            "item_id": item_id,
        }
        created = created_event(item, previous_id)
        if self.session["input_audio_transcription"] is None:
            return [committed, created]
        due_s = now_s + _TRANSCRIPTION_DELAY_S / self._audio_speed
        self._transcriptions.append(_Untold(due_s, item, previous_id))
        # A cascaded model's item is told with its words.
        return [committed] if self._is_cascaded else [committed, created]

    def _transcribe(self, untold: _Untold) -> list[Event]:
        item = untold.item
        text = self._responder.user_transcript(item.id, item.audio_ms)
        if not self._is_cascaded:
            return transcribe(item, text, language=None)
        wanted = (self.session["input_audio_transcription"] or {}).get("language")
        language = str(wanted or "en-US").split(",")[0]
        told = transcribe(item, text, language=language)
        return [*told, created_event(item, untold.previous_id)]

    def _clear(self, _event: Event, _now_s: float) -> list[Event]:
        self._input.take()
        self._turn_item_id = None
        return [{"type": "input_audio_buffer.cleared"}]

    def _clear_output(self, _event: Event, _now_s: float) -> list[Event]:
        if self.session["avatar"] is None:
            message = "The output audio buffer can be cleared in avatar sessions only."
            raise RequestError(message, code="unsupported_value", param="type")
        return [{"type": "output_audio_buffer.cleared"}]

    # conversation.item

    def _create_item(self, event: Event, _now_s: float) -> list[Event]:
        item, created = self._history.create(event, self._ids.new("item"))
        if item.data["type"] == "mcp_approval_response":
            return [created, *self._mcp.answer(item)]
        return [created]

    # response

    def _create_response(self, event: Event, now_s: float) -> list[Event]:
        params = {} if event.get("response") is None else required_object(event, "response")
        if event.get("additional_instructions") is not None:
            required_str(event, "additional_instructions")
        active = self._response
        if active is not None and not flag(params, "cancel_previous"):
            raise RequestError(
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one.",
                code="conversation_already_has_active_response",
            )
        return self._start_response(params, now_s)

    def _start_response(self, params: Event, now_s: float) -> list[Event]:
        stays_out = is_out_of_band(params)
        data = response_data(
            self._ids.new("resp"), None if stays_out else self._id, self.session, params
        )
        given = pre_generated_reply(params)
        given_items = items_from_params(params, "input_items", self._ids)
        appended = items_from_params(params, "append_input_items", self._ids) or []
        if not stays_out:
            self._history.refuse_duplicates(appended)
        # All is checked: from here on the state changes.
        events = self._cancel("client_cancelled")
        while self._is_cascaded and self._transcriptions:
            events += self._transcribe(self._transcriptions.popleft())
        context = [*(self._history.items if given_items is None else given_items), *appended]
        if not stays_out:
            events += [created_event(one, self._history.insert(one, None)) for one in appended]
        if given is None:
            parts = self._responder.next_answer([item.data for item in context])
        else:
            parts = (self._responder.say(given),)
        timestamps = self.session["output_audio_timestamp_types"] or ()
        pairs = [item.input_tokens() for item in context]
        text_tokens = len(tokens_of(self.session["instructions"])) + sum(text for text, _ in pairs)
        self._response = Response(
            data,
            [self._outputs.make(part, data, index, timestamps) for index, part in enumerate(parts)],
            keep=self._keep,
            input_tokens=(text_tokens, sum(audio for _, audio in pairs)),
            started_s=now_s + parts[0].delay_ms / 1000,
        )
        self._owes_response = False
        return events + self._response.opening()

    def _keep(self, output: Output) -> list[Event]:
        """Take an output that begins into the conversation, if its response belongs to it."""
        response = self._response
        assert response is not None, "it begins in a response"
        if response.data["conversation_id"] is None:
            return []
        if isinstance(output, SpeechOutput):
            self._spoken = (output.item, response.started_s + response.sent_ms / 1000)
        return [created_event(output.item, self._history.insert(output.item, None))]

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
        """Let go of a response that is done, and start one that is owed."""
        if self._response is not None and self._response.is_done:
            self._response = None
        waits_for_words = self._is_cascaded and self._transcriptions
        if self._response is None and self._owes_response and not waits_for_words:
            return self._start_response({}, now_s)
        return []
