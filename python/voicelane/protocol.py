"""The conversation without its I/O: a server event in, the actions that follow from it out.

No asyncio, no socket, no clock: the session obeys the actions in order.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from .actions import (
    Action,
    Emit,
    Fault,
    Interrupted,
    InterruptPlayback,
    PlayHead,
    ReplyDone,
    ReplyFailed,
    ResponseBegun,
    Send,
    SessionReady,
    SpeechBegins,
    SpeechComplete,
)
from .errors import ErrorText, ServiceError, VoiceLiveError
from .history import History
from .open_calls import OpenCalls
from .reply import Reply
from .tool_calls import ToolCalls
from .transcripts import Transcripts
from .wire_values import mapping

# How many items the bookkeeping looks back: a conversation may last an hour.
_REMEMBERED_ITEMS = 64
_MAX_WAITING_RESPONSES = 64

# Beyond it no second is told from the next, and no timer can be set.
_END_OF_TIME_S = 2.0**53


class AudioDelta(Protocol):
    """What one audio delta brought."""

    @property
    def response_id(self) -> str | None: ...
    @property
    def item_id(self) -> str | None: ...
    @property
    def num_frames(self) -> int: ...
    @property
    def start_frame(self) -> int: ...


# The response ended while the cancel was on its way.
_NOTHING_TO_CANCEL = "response_cancel_not_active"
_ALREADY_ACTIVE = "conversation_already_has_active_response"


class Conversation:
    """The state of one connection: its response, its items, what was said.

    Args:
        play_head: tells the position of the playback.
        sample_rate_hz: of the audio received.
        history: takes what is said and done; outlives the connection.
        open_calls: the calls that are not answered yet; outlives the connection.
        mcp_labels: tells the MCP servers that are this session's; what others do is let be.
        listener_lag_ms: tells how far the listener is behind the play head.
    """

    def __init__(
        self,
        play_head: Callable[[], PlayHead],
        *,
        sample_rate_hz: int,
        history: History | None = None,
        open_calls: OpenCalls | None = None,
        mcp_labels: Callable[[], Collection[str]] = frozenset,
        listener_lag_ms: Callable[[], float] = float,
    ) -> None:
        self._play_head = play_head
        self._listener_lag_ms = listener_lag_ms
        self._sample_rate_hz = sample_rate_hz
        self._history = History() if history is None else history
        self._turn_detection: Mapping[str, Any] = {}
        self._active: Reply | None = None
        # The last one that began, and that ended: what is told twice happens once.
        self._begun_id: object = None
        self._ended_id: object = None
        # False once the active response was cut off: what still arrives of it is stale.
        self._audible = True
        # Asked for and not yet begun: the service refuses a second response while one is active.
        self._requested: Reply | None = None
        self._waiting: deque[Reply] = deque()
        self._agent_is_speaking = False
        # On this connection: from then on the service lets nobody change the voice.
        self.agent_has_spoken = False
        self.user_is_speaking = False
        self._received_frames: OrderedDict[str, int] = OrderedDict()
        self._transcripts = Transcripts(self._history)
        self.calls = ToolCalls(
            OpenCalls() if open_calls is None else open_calls, mcp_labels, self._answer_is_due
        )
        self._handlers: Mapping[str, Callable[[Mapping[str, Any]], list[Action]]] = {
            "session.updated": self._on_session_updated,
            "input_audio_buffer.speech_stopped": self._on_speech_stopped,
            "conversation.item.created": self._on_item_created,
            "conversation.item.deleted": self._on_item_deleted,
            "conversation.item.input_audio_transcription.delta": self._transcripts.user_delta,
            "conversation.item.input_audio_transcription.completed": self._transcripts.user_done,
            "response.created": self._on_response_created,
            "response.output_item.done": self._on_output_item_done,
            "response.audio_timestamp.delta": self._on_word_timestamp,
            "response.animation_viseme.delta": self._on_viseme,
            "response.audio_transcript.delta": self._transcripts.agent_delta,
            "response.audio_transcript.done": self._on_agent_text,
            "response.text.delta": self._transcripts.agent_delta,
            "response.text.done": self._on_agent_text,
            "response.audio.done": self._on_audio_done,
            "response.done": self._on_response_done,
            "response.mcp_call.in_progress": self.calls.on_mcp_started,
            "response.mcp_call.completed": self.calls.on_mcp_done,
            "response.mcp_call.failed": self.calls.on_mcp_done,
            "error": self._on_error,
        }

    @property
    def accepted_response_id(self) -> str:
        """The response whose audio is to be played: no other one's, and none's once it was cut off."""
        return self._active.response_id or "" if self._active and self._audible else ""

    @property
    def active_response_id(self) -> str | None:
        """The response that is being received, heard or not."""
        return self._active.response_id if self._active else None

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks, and nothing was asked for: a pause."""
        return not (self.user_is_speaking or self._active or self._requested)

    def handle(
        self, event: Mapping[str, Any], interrupted: Interrupted | None = None
    ) -> list[Action]:
        """What follows from a server event that is no audio delta. Unknown ones are let pass.

        With `interrupted`, the transport interrupted playback because of this event.
        """
        kind = str(event.get("type"))
        if kind == "input_audio_buffer.speech_started":
            return self._on_speech_started(interrupted)
        handler = self._handlers.get(kind)
        return handler(event) if handler else []

    def handle_audio(self, delta: AudioDelta) -> list[Action]:
        """What follows from an audio delta, after it was offered to the playback buffer."""
        self.agent_has_spoken = True
        if delta.response_id != self.accepted_response_id:
            return []
        if delta.item_id is not None:
            frames = self._received_frames.get(delta.item_id, 0)
            self._received_frames[delta.item_id] = frames + delta.num_frames
            while len(self._received_frames) > _REMEMBERED_ITEMS:
                self._received_frames.popitem(last=False)
        if self._agent_is_speaking:
            return []
        self._agent_is_speaking = True
        return [SpeechBegins(delta.start_frame)]

    def request_response(self, reply: Reply) -> list[Action]:
        """Asks for a response: now, or as soon as the active one is done."""
        if self._active is None and self._requested is None:
            return self._request(reply)
        if len(self._waiting) >= _MAX_WAITING_RESPONSES:
            expected = f"expected at most {_MAX_WAITING_RESPONSES} waiting responses, got one more"
            error = VoiceLiveError(expected)
            return [ReplyFailed(reply, error), Emit("error", ErrorText(error, error))]
        self._waiting.append(reply)
        return []

    def interrupt(self) -> list[Action]:
        """The caller cuts the agent off: nothing that was asked for before is to be heard."""
        # Of what has not begun there is nothing to cancel yet: it is cut off when it begins.
        if self._requested is not None:
            self._requested.finish("cancelled")
        for reply in self._waiting:
            reply.finish("cancelled")
        self._waiting.clear()
        return self._cut_off_all()

    def abandon(self) -> list[Reply]:
        """The connection is lost. Returns what has to be asked for again on the next one.

        A response of which something was heard is not begun anew: its rest is lost.
        """
        active, requested = self._active, self._requested
        self._active = self._requested = None
        head = self._play_head()
        replies = [reply for reply in (requested, *self._waiting) if reply and not reply.is_done]
        self._waiting.clear()
        if active is None:
            return replies
        was_heard = not self._audible or (
            head.item_id in self._received_frames and self._heard_ms(head) > 0
        )
        self._transcripts.abandon(lambda item_id: self._heard_share(head, item_id))
        if was_heard:
            active.finish("incomplete")
            return replies
        return [active, *replies]

    # --- the session -------------------------------------------------------------------------

    def _on_session_updated(self, event: Mapping[str, Any]) -> list[Action]:
        session = mapping(event.get("session"))
        self._turn_detection = mapping(session.get("turn_detection"))
        expires_at = session.get("expires_at")
        is_time = isinstance(expires_at, int | float) and 0 < expires_at < _END_OF_TIME_S
        expires_at_s = expires_at if is_time else None
        return [SessionReady(session.get("id"), expires_at_s)]

    def _on_error(self, event: Mapping[str, Any]) -> list[Action]:
        details = mapping(event.get("error"))
        code = details.get("code")
        if code == _NOTHING_TO_CANCEL:
            return []
        error = _service_error(details, "no message")
        if code == _ALREADY_ACTIVE and self._ask_again(error.event_id):
            return []
        refused = self._requested
        if refused is None or error.event_id not in (None, refused.event_id):
            return [Fault(error)]
        self._requested = None
        return [ReplyFailed(refused, error), Fault(error), *self._next_response()]

    def _ask_again(self, event_id: str | None) -> bool:
        """Our request met a response that the service had begun by itself: it is made again after that."""
        for reply in (self._requested, self._active):
            if reply is not None and event_id == reply.event_id:
                if reply is self._active:  # taken for the answer to our request, which it is not
                    self._active = Reply()
                    self._active.response_id, reply.response_id = reply.response_id, None
                    self._active.status, reply.status = reply.status, "waiting"
                self._requested = None
                if not reply.is_done:
                    self._waiting.appendleft(reply)
                return True
        return False

    # --- the user ----------------------------------------------------------------------------

    def _on_speech_started(self, interrupted: Interrupted | None) -> list[Action]:
        self.user_is_speaking = True
        # The service cancels the response by itself unless it was told not to.
        cancels_itself = self._turn_detection.get("interrupt_response", True)
        cancel = self._active is not None and not cancels_itself
        started = Emit("user_speech_started", {"type": "done"})
        return [started, *self._cut_off(interrupted, cancel=cancel)]

    def _on_speech_stopped(self, _event: Mapping[str, Any]) -> list[Action]:
        self.user_is_speaking = False
        return [Emit("user_speech_ended", {})]

    def _on_item_created(self, event: Mapping[str, Any]) -> list[Action]:
        item = mapping(event.get("item"))
        self._history.add(item)
        if item.get("type") == "mcp_approval_request":
            return self.calls.on_item(event)
        return self._transcripts.user_item(item)

    def _on_item_deleted(self, event: Mapping[str, Any]) -> list[Action]:
        self._history.remove(str(event.get("item_id")))
        return []

    # --- the agent ---------------------------------------------------------------------------

    def _on_response_created(self, event: Mapping[str, Any]) -> list[Action]:
        response_id = mapping(event.get("response")).get("id")
        if response_id == self._begun_id and response_id is not None:
            return []
        self._begun_id = response_id
        if self._active is not None:
            self._active.finish("incomplete")
        # Asked for by us, or begun by the service at the end of the user's turn.
        self._active = self._requested or Reply()
        self._requested = None
        self._active.response_id = response_id if isinstance(response_id, str) else None
        begun = ResponseBegun(self._active.response_id)
        if self._active.is_done:  # cut off before it began
            return [begun, *self._cut_off_all()]
        self._active.status = "in_progress"
        self._audible = True
        return [begun]

    def _on_output_item_done(self, event: Mapping[str, Any]) -> list[Action]:
        self._history.complete(mapping(event.get("item")))
        return self.calls.on_item(event)

    def _on_word_timestamp(self, event: Mapping[str, Any]) -> list[Action]:
        keys = ("item_id", "text", "audio_offset_ms", "audio_duration_ms")
        return [Emit("word_timestamp", {key: event.get(key) for key in keys})]

    def _on_viseme(self, event: Mapping[str, Any]) -> list[Action]:
        keys = ("item_id", "viseme_id", "audio_offset_ms")
        return [Emit("viseme", {key: event.get(key) for key in keys})]

    def _on_agent_text(self, event: Mapping[str, Any]) -> list[Action]:
        in_audio = event.get("type") == "response.audio_transcript.done"
        text = str(event.get("transcript" if in_audio else "text") or "")
        if self._active is not None:
            self._active.text = text
        actions = self._transcripts.agent_done(str(event.get("item_id")), text)
        if not in_audio:
            actions.append(Emit("text_response", {"text": text, "type": "done"}))
        return actions

    def _on_audio_done(self, event: Mapping[str, Any]) -> list[Action]:
        if event.get("response_id") != self.accepted_response_id:
            return []
        return self._agent_done()

    def _on_response_done(self, event: Mapping[str, Any]) -> list[Action]:
        response = mapping(event.get("response"))
        if response.get("id") == self._ended_id and self._ended_id is not None:
            return []
        self._ended_id = response.get("id")
        status = str(response.get("status"))
        actions: list[Action] = []
        ended = self._active if self._is_active(response.get("id")) else None
        if ended is not None:
            self._active = None
            ended.status = status
            ended.usage = response.get("usage")
            actions += self._agent_done()
            self._transcripts.response_ended()
        calls = self.calls.of_response(response, ended) if status == "completed" else []
        actions += calls
        # One that calls functions goes on with what they return.
        if ended is not None and not calls:
            actions.append(ReplyDone(ended))
        done = {"response_id": response.get("id"), "status": status, "usage": response.get("usage")}
        actions.append(Emit("response_done", done))
        if status == "failed":
            details = mapping(mapping(response.get("status_details")).get("error"))
            actions.append(Fault(_service_error(details, "the response failed")))
        return actions + self._next_response()

    def _is_active(self, response_id: object) -> bool:
        return self._active is not None and self._active.response_id == response_id

    def _answer_is_due(self, reply: Reply | None) -> list[Action]:
        """Asks for a response to what tools returned, where none that will know it is sure to come."""
        is_asked = any(waiting.request is None for waiting in self._waiting)
        user_is_answered = self._turn_detection.get("create_response", True)
        if is_asked or (self.user_is_speaking and user_is_answered):
            return [ReplyDone(reply)] if reply else []
        if reply is not None:
            reply.request = None  # what it was asked with was said before the call
        return self.request_response(reply or Reply())

    def _next_response(self) -> list[Action]:
        """Asks for what waits, unless a response is active or on its way."""
        if self._active or self._requested or not self._waiting:
            return []
        return self._request(self._waiting.popleft())

    def _request(self, reply: Reply) -> list[Action]:
        self._requested = reply
        event: dict[str, Any] = {"type": "response.create", "event_id": reply.event_id}
        if reply.request is not None:
            event["response"] = reply.request
        return [Send(event)]

    def _agent_done(self) -> list[Action]:
        if not self._agent_is_speaking:
            return []
        self._agent_is_speaking = False
        return [SpeechComplete()]

    def _cut_off_all(self) -> list[Action]:
        """As the caller wants it: what the active response calls is not answered either."""
        self.calls.silence(self._active.response_id if self._active else None)
        return self._cut_off(cancel=self._active is not None)

    def _cut_off(self, interrupted: Interrupted | None = None, *, cancel: bool) -> list[Action]:
        """Ends what is being said: the service must know how much of it was heard."""
        self._audible = False
        actions: list[Action] = [InterruptPlayback(interrupted)]
        if cancel:
            response_id = self._active.response_id if self._active else None
            actions.append(Send({"type": "response.cancel", "response_id": response_id}))
        self._agent_is_speaking = False
        return actions + self._truncate(interrupted.position if interrupted else self._play_head())

    def _truncate(self, head: PlayHead) -> list[Action]:
        """Tells how much was heard of each item that will not be heard to its end."""
        received_ms = {item_id: self._received_ms(item_id) for item_id in self._received_frames}
        self._received_frames.clear()
        # What came before the item at the play head was heard. Where that is an older one, nothing was.
        items = list(received_ms)
        first = items.index(head.item_id) if head.item_id in received_ms else 0
        actions: list[Action] = []
        for item_id in items[first:]:
            heard_ms = self._heard_ms(head) if item_id == head.item_id else 0
            if heard_ms >= received_ms[item_id]:
                continue
            actions += self._transcripts.cut(item_id, heard_ms / received_ms[item_id])
            if heard_ms and not self._turn_detection.get("auto_truncate"):
                actions.append(_truncation(item_id, head.content_index, heard_ms))
        return actions

    def _heard_share(self, head: PlayHead, item_id: str) -> float:
        received_ms = self._received_ms(item_id)
        return (
            self._heard_ms(head) / received_ms if received_ms and head.item_id == item_id else 0.0
        )

    def _heard_ms(self, head: PlayHead) -> int:
        return max(0, head.audio_end_ms - round(self._listener_lag_ms()))

    def _received_ms(self, item_id: str) -> int:
        # In whole milliseconds, as what was heard: an item that was heard to its end is not cut.
        return self._received_frames.get(item_id, 0) * 1000 // self._sample_rate_hz


def trim_to_whole_samples(text: bytes) -> bytes | None:
    """An audio delta without its last byte where that begins a sample, None for any other text.

    Dropping it keeps the deltas that follow aligned; carrying it over would turn them into noise.
    """
    try:
        event = json.loads(text)
        audio = base64.b64decode(event["delta"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if event.get("type") != "response.audio.delta" or len(audio) % 2 == 0:
        return None
    return json.dumps({**event, "delta": base64.b64encode(audio[:-1]).decode()}).encode()


def _service_error(details: Mapping[str, Any], unsaid: str) -> ServiceError:
    """The error that an event describes; `unsaid` where it has no message."""
    return ServiceError(
        str(details.get("message") or unsaid),
        code=details.get("code"),
        param=details.get("param"),
        event_id=details.get("event_id"),
        kind=details.get("type"),
    )


def _truncation(item_id: str, content_index: int, audio_end_ms: int) -> Send:
    return Send(
        {
            "type": "conversation.item.truncate",
            "item_id": item_id,
            "content_index": content_index,
            "audio_end_ms": audio_end_ms,
        }
    )
