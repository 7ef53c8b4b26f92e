"""What comes back beside and around the agent's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

from .checks import Milliseconds, Text, integer, list_of, text
from .input_audio import Encoding
from .wire import Option


class OutputFormat(NamedTuple):
    """How the agent's audio arrives."""

    encoding: Encoding
    rate_hz: int


OUTPUT_FORMATS = {
    "pcm16": OutputFormat("pcm16", 24_000),
    "pcm16_16000hz": OutputFormat("pcm16", 16_000),
    "pcm16_8000hz": OutputFormat("pcm16", 8_000),
    "g711_ulaw": OutputFormat("g711_ulaw", 8_000),
    "g711_alaw": OutputFormat("g711_alaw", 8_000),
}
# An OpenAI voice speaks these alone.
OPENAI_OUTPUT_FORMATS = ("pcm16", "g711_ulaw", "g711_alaw")

TOOL_CHOICES = ("auto", "none", "required")
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
INCLUDES = (
    "item.input_audio_transcription.logprobs",
    "item.input_audio_transcription.phrases",
    "file_search_call.results",
)
INTERIM_RESPONSES = ("static_interim_response", "llm_interim_response")


@dataclass(frozen=True, kw_only=True)
class Animation(Option):
    """Data that move a face in time with the speech.

    Attributes:
        outputs: "viseme_id" and "blendshapes".
        model_name: the animation model.
    """

    outputs: Annotated[
        Sequence[Literal["blendshapes", "viseme_id"]] | None, list_of("blendshapes", "viseme_id")
    ] = None
    model_name: Text = None


@dataclass(frozen=True, kw_only=True)
class InterimResponse(Option):
    """Something to say while the answer takes its time.

    Attributes:
        triggers: "latency", "tool" or both; the service's default is latency.
        latency_threshold_ms: how long is too long; default 2000.
    """

    triggers: Annotated[Sequence[Literal["latency", "tool"]] | None, list_of("latency", "tool")] = (
        None
    )
    latency_threshold_ms: Milliseconds = None


@dataclass(frozen=True, kw_only=True)
class StaticInterimResponse(InterimResponse):
    """One of these texts, by chance. With an Azure voice and a cascaded model or an agent.

    Attributes:
        texts: what may be said; with the fields of `InterimResponse`.
    """

    type: ClassVar[str] = "static_interim_response"

    texts: Annotated[Sequence[str], list_of()]


@dataclass(frozen=True, kw_only=True)
class LlmInterimResponse(InterimResponse):
    """What a small model finds to say. With an Azure voice and a cascaded model or an agent.

    Attributes:
        model: the service's default is "gpt-4.1-mini".
        instructions: what it is to say; default the service's own.
        max_completion_tokens: default 50; with the fields of `InterimResponse`.
    """

    type: ClassVar[str] = "llm_interim_response"

    model: Text = None
    instructions: Text = None
    max_completion_tokens: Annotated[int | None, integer(1, 4096)] = None


@dataclass(frozen=True)
class ToolChoiceFunction(Option):
    """Has the model call this function. Not for realtime models.

    Attributes:
        name: of the function tool.
    """

    type: ClassVar[str] = "function"

    name: Annotated[str, text]
