"""The events of a session.

Handlers registered with ``on`` get the payload of the original plugin, a dict whose type is one of the
``...Payload`` below; `AzureVoiceLive.events` gives the same events as dataclasses.

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
=======
| name | payload | dataclass |
| --- | --- | --- |
| `user_speech_started` | `{"type": "done"}` | `UserSpeechStarted` |
| `user_speech_ended` | `{}` | `UserSpeechEnded` |
| `agent_speech_started` | `{}` | `AgentSpeechStarted`: it is heard |
| `agent_speech_ended` | `{}` | `AgentSpeechEnded`: it was heard, or cut off |
| `realtime_model_transcription` | role, text, is_final | `Transcription` |
| `transcript_cut` | text, heard_text | `TranscriptCut` |
| `text_response` | text, type | `TextResponse` |
| `response_done` | response_id, status, usage | `ResponseDone` |
| `playback_interrupted` | `{}` | `PlaybackInterrupted` |
| `realtime_model_function_started` | name, arguments, call_id | `FunctionStarted` |
| `realtime_model_function_executed` | name, arguments, call_id, output, is_error | `FunctionExecuted` |
| `word_timestamp` | item_id, text, audio_offset_ms, audio_duration_ms | `WordTimestamp` |
| `viseme` | item_id, viseme_id, audio_offset_ms | `Viseme` |
| `reconnecting` | error, attempt, delay_s | `Reconnecting` |
| `reconnected` | `{}` | `Reconnected` |
| `closed` | error (None: by `aclose`) | `Closed` |
| `error` | `errors.ErrorText`, a `str` | `Error` |
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
    """What a speaker said.

    Attributes:
        role: who.
        text: the words from the beginning of what was said.
        is_final: whether that is all; before, it is what is known so far.
    """

    role: Literal["user", "agent"]
    text: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class TranscriptCut:
    """The agent was cut off. It comes again where the text becomes known further.

    Attributes:
        text: as it was last told.
        heard_text: about what was heard of it.
    """

    text: str
    heard_text: str


@dataclass(frozen=True, slots=True)
class TextResponse:
    """What a response without audio says.

    Attributes:
        text: the whole of it.
    """

    text: str


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """A response was received to its end.

    Attributes:
        response_id: the service's id.
        status: completed, cancelled, failed or incomplete.
        usage: tokens, as the service counts them.
    """

    response_id: str | None
    status: str
    usage: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PlaybackInterrupted:
    """What was not heard yet was dropped. Who took audio and has not played it drops it, too."""


@dataclass(frozen=True, slots=True)
class FunctionStarted:
    """A tool begins to run.

    Attributes:
        name: the tool's.
        arguments: the model's JSON text.
        call_id: the service's id of the call.
    """

    name: str
    arguments: str
    call_id: str


@dataclass(frozen=True, slots=True)
class FunctionExecuted:
    """A tool was run.

    Attributes:
        name: the tool's.
        arguments: the model's JSON text.
        call_id: the service's id of the call.
        output: what the model was given.
        is_error: whether that says what went wrong.
    """

    name: str
    arguments: str
    call_id: str
    output: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class WordTimestamp:
    """Where a word stands in the audio of its item.

    Attributes:
        item_id: the item.
        text: the word.
        audio_offset_ms: from the beginning of the item's audio.
        audio_duration_ms: how long the word takes.
    """

    item_id: str
    text: str
    audio_offset_ms: int
    audio_duration_ms: int


@dataclass(frozen=True, slots=True)
class Viseme:
    """Which shape of the mouth goes with the audio from an offset on.

    Attributes:
        item_id: the item.
        viseme_id: the shape, 0 to 21, as Azure Speech numbers them.
        audio_offset_ms: from the beginning of the item's audio.
    """

    item_id: str
    viseme_id: int
    audio_offset_ms: int


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection was lost; it is made again after a delay.

    Attributes:
        error: why it was lost, or why the last attempt failed.
        attempt: counted from 1 for each loss.
        delay_s: how long until then.
    """

    error: str
    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Reconnected:
    """There is a connection again, and it knows the conversation."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The session ended.

    Attributes:
        error: why, where it was not closed by `aclose`.
    """

    error: str | None


@dataclass(frozen=True, slots=True)
class Error:
    """A fault, told once.

    Attributes:
        message: what `error` handlers get.
        error: the exception behind it; None for what is none, such as audio that was dropped.
    """

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
