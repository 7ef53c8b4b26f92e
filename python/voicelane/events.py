"""The events of a session.

Handlers registered with ``on`` get the payload of the original plugin, a dict whose type is one of the
``...Payload`` below; `AzureVoiceLive.events` gives the same events as dataclasses.

================================  =============================  =====================================
name                              payload                        dataclass
================================  =============================  =====================================
``user_speech_started``           ``{"type": "done"}``           `UserSpeechStarted`
``user_speech_ended``             ``{}``                         `UserSpeechEnded`
``agent_speech_started``          ``{}``                         `AgentSpeechStarted`: it is heard
``agent_speech_ended``            ``{}``                         `AgentSpeechEnded`: it was heard, or
                                                                 cut off
``realtime_model_transcription``  role, text, is_final           `Transcription`
``transcript_cut``                text, heard_text               `TranscriptCut`
``text_response``                 text, type                     `TextResponse`
``response_done``                 response_id, status, usage     `ResponseDone`
``playback_interrupted``          ``{}``                         `PlaybackInterrupted`
``realtime_model_function_        name, arguments, call_id       `FunctionStarted`
started``
``realtime_model_function_        name, arguments, call_id,      `FunctionExecuted`
executed``                        output, is_error
``word_timestamp``                item_id, text,                 `WordTimestamp`
                                  audio_offset_ms,
                                  audio_duration_ms
``viseme``                        item_id, viseme_id,            `Viseme`
                                  audio_offset_ms
``reconnecting``                  error, attempt, delay_s        `Reconnecting`
``reconnected``                   ``{}``                         `Reconnected`
``closed``                        error (None: by `aclose`)      `Closed`
``error``                         `errors.ErrorText`, a ``str``  `Error`
================================  =============================  =====================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict


class NoPayload(TypedDict):
    """An empty dict."""


class UserSpeechStartedPayload(TypedDict):
    """Of ``user_speech_started``."""

    type: Literal["done"]


class TranscriptionPayload(TypedDict):
    """Of ``realtime_model_transcription``, as `Transcription`."""

    role: Literal["user", "agent"]
    text: str
    is_final: bool


class TextResponsePayload(TypedDict):
    """Of ``text_response``, as `TextResponse`."""

    text: str
    type: Literal["done"]


class ResponseDonePayload(TypedDict):
    """Of ``response_done``, as `ResponseDone`."""

    response_id: str | None
    status: str
    usage: Mapping[str, Any] | None


class FunctionStartedPayload(TypedDict):
    """Of ``realtime_model_function_started``, as `FunctionStarted`."""

    name: str
    arguments: str
    call_id: str


class FunctionExecutedPayload(FunctionStartedPayload):
    """Of ``realtime_model_function_executed``, as `FunctionExecuted`."""

    output: str
    is_error: bool


class VisemePayload(TypedDict):
    """Of ``viseme``, as `Viseme`."""

    item_id: str
    viseme_id: int
    audio_offset_ms: int


class WordTimestampPayload(TypedDict):
    """Of ``word_timestamp``, as `WordTimestamp`."""

    item_id: str
    text: str
    audio_offset_ms: int
    audio_duration_ms: int


class ReconnectingPayload(TypedDict):
    """Of ``reconnecting``, as `Reconnecting`."""

    error: str
    attempt: int
    delay_s: float


class ClosedPayload(TypedDict):
    """Of ``closed``, as `Closed`."""

    error: str | None


@dataclass(frozen=True, slots=True)
class UserSpeechStarted:
    """The user began to speak."""


@dataclass(frozen=True, slots=True)
class UserSpeechEnded:
    """The user stopped."""


@dataclass(frozen=True, slots=True)
class AgentSpeechStarted:
    """The first frames of an answer were handed to the listener."""


@dataclass(frozen=True, slots=True)
class AgentSpeechEnded:
    """The last frames of an answer were handed to the listener, or it was cut off."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """What a speaker said. A text that is not final is what is known so far, from its beginning."""

    role: Literal["user", "agent"]
    text: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class TranscriptCut:
    """The agent was cut off in the text that was last told as ``text``: about ``heard_text`` of it was heard.

    It comes again where the text becomes known further.
    """

    text: str
    heard_text: str


@dataclass(frozen=True, slots=True)
class TextResponse:
    """The whole text of a response without audio."""

    text: str


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """A response was received to its end. ``status``: completed, cancelled, failed or incomplete."""

    response_id: str | None
    status: str
    usage: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PlaybackInterrupted:
    """What was not heard yet was dropped. Who took audio and has not played it drops it, too."""


@dataclass(frozen=True, slots=True)
class FunctionStarted:
    """A tool begins to run. ``arguments`` is the model's JSON text."""

    name: str
    arguments: str
    call_id: str


@dataclass(frozen=True, slots=True)
class FunctionExecuted:
    """A tool was run. ``arguments`` is the model's JSON text, ``output`` what it was given."""

    name: str
    arguments: str
    call_id: str
    output: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class WordTimestamp:
    """Where a word stands in the audio of its item."""

    item_id: str
    text: str
    audio_offset_ms: int
    audio_duration_ms: int


@dataclass(frozen=True, slots=True)
class Viseme:
    """Which shape of the mouth goes with the audio from an offset on."""

    item_id: str
    viseme_id: int
    audio_offset_ms: int


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection was lost; it is made again after a delay."""

    error: str
    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Reconnected:
    """There is a connection again, and it knows the conversation."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The session ended. ``error`` says why where it was not closed by `aclose`."""

    error: str | None


@dataclass(frozen=True, slots=True)
class Error:
    """A fault, told once."""

    message: str
    error: Exception | None = None


Event = (
    UserSpeechStarted
    | UserSpeechEnded
    | AgentSpeechStarted
    | AgentSpeechEnded
    | Transcription
    | TranscriptCut
    | TextResponse
    | ResponseDone
    | PlaybackInterrupted
    | FunctionStarted
    | FunctionExecuted
    | WordTimestamp
    | Viseme
    | Reconnecting
    | Reconnected
    | Closed
    | Error
)

EVENT_TYPES: Mapping[str, type[Event]] = {
    "user_speech_started": UserSpeechStarted,
    "user_speech_ended": UserSpeechEnded,
    "agent_speech_started": AgentSpeechStarted,
    "agent_speech_ended": AgentSpeechEnded,
    "realtime_model_transcription": Transcription,
    "transcript_cut": TranscriptCut,
    "text_response": TextResponse,
    "response_done": ResponseDone,
    "playback_interrupted": PlaybackInterrupted,
    "realtime_model_function_started": FunctionStarted,
    "realtime_model_function_executed": FunctionExecuted,
    "word_timestamp": WordTimestamp,
    "viseme": Viseme,
    "reconnecting": Reconnecting,
    "reconnected": Reconnected,
    "closed": Closed,
    "error": Error,
}


def typed(name: str, payload: Any) -> Event | None:
    """The dataclass for an emitted event, None for a name of the user's own."""
    kind = EVENT_TYPES.get(name)
    if kind is None:
        return None
    if kind is Error:
        return Error(str(payload), getattr(payload, "error", None))
    values = payload if isinstance(payload, Mapping) else {}
    make: Any = kind
    event: Event = make(**{field.name: values.get(field.name) for field in fields(kind)})
    return event
