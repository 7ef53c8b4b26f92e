"""The events of a session, as handlers registered with ``on`` receive them.

====================================  =================================================================
``user_speech_started``               ``{"type": "done"}``
``user_speech_ended``                 ``{}``
``agent_speech_started``              ``{}``: the first audio of a response is here
``agent_speech_ended``                ``{}``: the last audio of a response is here
``realtime_model_transcription``      `Transcription`
``text_response``                     `TextResponse`: the text of a response without audio
``response_done``                     `ResponseDone`
``realtime_model_function_executed``  `FunctionExecuted`: a tool was run
``error``                             ``str``
====================================  =================================================================
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

EventName = Literal[
    "user_speech_started",
    "user_speech_ended",
    "agent_speech_started",
    "agent_speech_ended",
    "realtime_model_transcription",
    "text_response",
    "response_done",
    "realtime_model_function_executed",
    "error",
]


class Transcription(TypedDict):
    """What a speaker said. A text that is not final is what is known so far, from its beginning."""

    role: Literal["user", "agent"]
    text: str
    is_final: bool


class TextResponse(TypedDict):
    """The whole text of a response without audio."""

    text: str
    type: Literal["done"]


class ResponseDone(TypedDict):
    """A response ended. ``status``: completed, cancelled, failed or incomplete."""

    response_id: str
    status: str
    usage: dict[str, Any] | None


class FunctionExecuted(TypedDict):
    """A tool was run. ``arguments`` is the model's JSON text, ``output`` what it was given."""

    name: str
    arguments: str
    call_id: str
    output: str
    is_error: bool
