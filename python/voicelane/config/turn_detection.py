"""How the service finds out that the user speaks, and that the user has finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from .checks import Flag, Fraction, Milliseconds, Text, Texts, integer, one_of
from .wire import Option, SupportsAsDict, object_of

EndOfUtteranceModel = Literal[
    "semantic_detection_v1", "semantic_detection_v1_en", "semantic_detection_v1_multilingual"
]
ThresholdLevel = Literal["low", "medium", "high", "default"]

_MODELS = get_args(EndOfUtteranceModel)
_LEVELS = get_args(ThresholdLevel)
_HOUR_MS = 3_600_000

TURN_DETECTION_TYPES = (
    "server_vad",
    "azure_semantic_vad",
    "azure_semantic_vad_en",
    "azure_semantic_vad_multilingual",
)


@dataclass(frozen=True)
class EndOfUtterance(Option):
    """Waits through pauses in which the sentence is not complete. For cascaded models only.

    Attributes:
        model: "semantic_detection_v1", or "..._en" or "..._multilingual".
        threshold_level: how sure it must be: "low", "medium", "high" or "default" (medium).
        timeout_ms: the longest wait; the service's default is 1000.
    """

    model: Annotated[EndOfUtteranceModel, one_of(*_MODELS)] = "semantic_detection_v1"
    threshold_level: Annotated[ThresholdLevel | None, one_of(*_LEVELS)] = None
    timeout_ms: Milliseconds = None


@dataclass(frozen=True, kw_only=True)
class TurnDetection(Option):
    """What all kinds have in common.

    Attributes:
        threshold: how loud or how sure, 0 to 1; the service's default is 0.5.
        prefix_padding_ms: audio kept from before the speech; default 400, multilingual 420.
        silence_duration_ms: silence that ends a turn; default 500.
        speech_duration_ms: speech that starts one; default 200, Azure semantic 80.
        end_of_utterance_detection: an `EndOfUtterance`, a mapping or the name of its model; default
            none.
        auto_truncate: on a barge-in the service truncates its item itself, taking the audio to have
            been played in real time; default False.
        create_response: the end of a turn has the model answer; default True.
        interrupt_response: speech stops the running answer; default True.
        idle_timeout_ms: silence after which the model speaks up by itself; default never.
    """

    threshold: Fraction = None
    prefix_padding_ms: Milliseconds = None
    silence_duration_ms: Milliseconds = None
    speech_duration_ms: Milliseconds = None
    end_of_utterance_detection: Annotated[
        SupportsAsDict | Mapping[str, Any] | str | None, object_of("model", _MODELS)
    ] = None
    auto_truncate: Flag = None
    create_response: Flag = None
    interrupt_response: Flag = None
    idle_timeout_ms: Annotated[int | None, integer(0, _HOUR_MS)] = None

    def as_dict(self) -> dict[str, Any]:
        made = super().as_dict()
        if isinstance(self.end_of_utterance_detection, str):
            made["end_of_utterance_detection"] = {"model": made["end_of_utterance_detection"]}
        return made


@dataclass(frozen=True, kw_only=True)
class ServerVad(TurnDetection):
    """Speech is what is loud. Its fields are those of `TurnDetection`."""

    type: ClassVar[str] = "server_vad"


@dataclass(frozen=True, kw_only=True)
class AzureSemanticVadEn(TurnDetection):
    """Speech is what sounds like speech, in English. Beside the fields of `TurnDetection`:

    Attributes:
        remove_filler_words: "um" and "uh" neither start nor prolong a turn; default False.
        speech_duration_assistant_speaking_ms: `speech_duration_ms` while the agent speaks.
    """

    type: ClassVar[str] = "azure_semantic_vad_en"

    remove_filler_words: Flag = None
    speech_duration_assistant_speaking_ms: Milliseconds = None


@dataclass(frozen=True, kw_only=True)
class AzureSemanticVad(AzureSemanticVadEn):
    """Speech is what sounds like speech. Beside the fields of `AzureSemanticVadEn`:

    Attributes:
        languages: those expected, as BCP-47 ("en-US"); default any.
        appended_text_after_truncation: what the conversation shows where an answer was cut off.
    """

    type: ClassVar[str] = "azure_semantic_vad"

    languages: Texts = None
    appended_text_after_truncation: Text = None


@dataclass(frozen=True, kw_only=True)
class AzureSemanticVadMultilingual(AzureSemanticVad):
    """As `AzureSemanticVad`, for several languages in one conversation."""

    type: ClassVar[str] = "azure_semantic_vad_multilingual"
