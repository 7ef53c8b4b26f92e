"""What a session tells: to handlers, whose payload the event's name decides, and to async iterators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar, overload
from weakref import WeakSet

from .emitter import EventEmitter, Handler
from .errors import ErrorText
from .event_stream import EventStream
from .events import (
    ClosedPayload,
    FunctionExecutedPayload,
    FunctionStartedPayload,
    NoPayload,
    ReconnectingPayload,
    ResponseDonePayload,
    TextResponsePayload,
    TranscriptCutPayload,
    TranscriptionPayload,
    UserSpeechStartedPayload,
    VisemePayload,
    WordTimestampPayload,
    typed,
)

Payload = TypeVar("Payload")
PayloadOf = TypeVar("PayloadOf", covariant=True)
Result = TypeVar("Result")
# Payloads are dicts: who does not care which takes just that.
Takes = Callable[[Payload], Result] | Callable[[dict[str, Any]], Result] | Callable[[], Result]


class Decorator(Protocol[PayloadOf]):
    """Registers the handler that it decorates, and returns it."""

    def __call__(self, handler: Takes[PayloadOf, Result], /) -> Callable[..., Result]: ...


_Bare = Literal[
    "user_speech_ended",
    "agent_speech_started",
    "agent_speech_ended",
    "playback_interrupted",
    "reconnected",
]


class SessionEvents(EventEmitter):
    """Handlers and iterators of the events in `voicelane.events`, and of events of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self._streams: WeakSet[EventStream] = WeakSet()  # gone with who iterates

    @overload  # type: ignore[override]  # it asks more of a handler than any emitter does
    def on(
        self,
        event: Literal["user_speech_started"],
        handler: Takes[UserSpeechStartedPayload, object],
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["user_speech_started"], handler: None = None
    ) -> Decorator[UserSpeechStartedPayload]: ...
    @overload
    def on(self, event: _Bare, handler: Takes[NoPayload, object]) -> Handler: ...
    @overload
    def on(self, event: _Bare, handler: None = None) -> Decorator[NoPayload]: ...
    @overload
    def on(
        self,
        event: Literal["realtime_model_transcription"],
        handler: Takes[TranscriptionPayload, object],
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["realtime_model_transcription"], handler: None = None
    ) -> Decorator[TranscriptionPayload]: ...
    @overload
    def on(
        self, event: Literal["transcript_cut"], handler: Takes[TranscriptCutPayload, object]
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["transcript_cut"], handler: None = None
    ) -> Decorator[TranscriptCutPayload]: ...
    @overload
    def on(
        self, event: Literal["text_response"], handler: Takes[TextResponsePayload, object]
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["text_response"], handler: None = None
    ) -> Decorator[TextResponsePayload]: ...
    @overload
    def on(
        self, event: Literal["response_done"], handler: Takes[ResponseDonePayload, object]
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["response_done"], handler: None = None
    ) -> Decorator[ResponseDonePayload]: ...
    @overload
    def on(
        self,
        event: Literal["realtime_model_function_started"],
        handler: Takes[FunctionStartedPayload, object],
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["realtime_model_function_started"], handler: None = None
    ) -> Decorator[FunctionStartedPayload]: ...
    @overload
    def on(
        self,
        event: Literal["realtime_model_function_executed"],
        handler: Takes[FunctionExecutedPayload, object],
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["realtime_model_function_executed"], handler: None = None
    ) -> Decorator[FunctionExecutedPayload]: ...
    @overload
    def on(
        self, event: Literal["word_timestamp"], handler: Takes[WordTimestampPayload, object]
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["word_timestamp"], handler: None = None
    ) -> Decorator[WordTimestampPayload]: ...
    @overload
    def on(self, event: Literal["viseme"], handler: Takes[VisemePayload, object]) -> Handler: ...
    @overload
    def on(self, event: Literal["viseme"], handler: None = None) -> Decorator[VisemePayload]: ...
    @overload
    def on(
        self, event: Literal["reconnecting"], handler: Takes[ReconnectingPayload, object]
    ) -> Handler: ...
    @overload
    def on(
        self, event: Literal["reconnecting"], handler: None = None
    ) -> Decorator[ReconnectingPayload]: ...
    @overload
    def on(self, event: Literal["closed"], handler: Takes[ClosedPayload, object]) -> Handler: ...
    @overload
    def on(self, event: Literal["closed"], handler: None = None) -> Decorator[ClosedPayload]: ...
    @overload
    def on(self, event: Literal["error"], handler: Takes[ErrorText, object]) -> Handler: ...
    @overload
    def on(self, event: Literal["error"], handler: None = None) -> Decorator[ErrorText]: ...
    @overload
    def on(self, event: str, handler: Takes[object, object]) -> Handler: ...
    @overload
    def on(self, event: str, handler: None = None) -> Decorator[object]: ...
    def on(self, event: str, handler: Handler | None = None) -> Handler:
        """Registers a handler, sync or async, which takes the event's payload or nothing.

        Without a handler it is a decorator. ``events.TranscriptionPayload`` and the like are the payloads.
        """
        return super().on(event, handler)

    def emit(self, event: str, payload: Any = None) -> None:
        """Calls the handlers of an event, and hands it to those who iterate over `events`."""
        super().emit(event, payload)
        if self._streams and (event_object := typed(event, payload)) is not None:
            for stream in self._streams:
                stream.put(event_object)

    def events(self) -> EventStream:
        """The events from now on, as an async iterator of the dataclasses of `voicelane.events`."""
        stream = EventStream()
        self._streams.add(stream)
        return stream

    def end_streams(self) -> None:
        """Ends the iterators, each after what waits for it."""
        for stream in self._streams:
            stream.end()
        self._streams.clear()
