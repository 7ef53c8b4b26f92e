"""Who speaks.

Names of voices and models are not checked against a list: the catalogue is the service's, and grows.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Any, ClassVar

from .checks import Fraction, Text, Texts, plain, text
from .wire import Option, wire_object

_RATES = (0.5, 1.5)


def _rate(name: str, value: Any) -> None:
    """A plain number has bounds; "+20%" and "fast" are the service's to read."""
    text(name, value)
    try:
        factor = float(value)
    except ValueError:
        return
    if not _RATES[0] <= factor <= _RATES[1]:
        raise ValueError(f"{name}: expected '0.5' to '1.5', got {value!r}")


@dataclass(frozen=True, kw_only=True)
class VoiceTuning(Option):
    """What every Azure voice can be told.

    Attributes:
        temperature: variation in how it speaks, 0 to 1.
        custom_lexicon_url: where the pronunciation lexicon is.
        custom_text_normalization_url: where the rules for numbers, dates and the like are.
        prefer_locales: the accent per language ("en-GB"); other languages keep their default one.
        locale: the one accent for everything; silence for what it cannot speak.
        style: a speaking style of the voice, e.g. "cheerful".
        pitch: "high", "+10%", "-2st" or "200Hz".
        rate: "fast", "+20%", or a factor from "0.5" to "1.5".
        volume: "loud", "+10", "-6dB", or "0" to "100".
    """

    temperature: Fraction = None
    # Such URLs carry their own signature: not for a log.
    custom_lexicon_url: Text = field(default=None, repr=False)
    custom_text_normalization_url: Text = field(default=None, repr=False)
    prefer_locales: Texts = None
    locale: Text = None
    style: Text = None
    pitch: Text = None
    rate: Annotated[str | None, _rate] = None
    volume: Text = None


@dataclass(frozen=True)
class AzureStandardVoice(VoiceTuning):
    """A voice of Azure's catalogue, with the fields of `VoiceTuning`.

    Attributes:
        name: "en-US-AvaNeural", "en-US-Ava:DragonHDLatestNeural".
    """

    type: ClassVar[str] = "azure-standard"

    name: Annotated[str, text]


@dataclass(frozen=True)
class AzureCustomVoice(VoiceTuning):
    """A professional voice of your own, with the fields of `VoiceTuning`.

    Attributes:
        name: the voice's.
        endpoint_id: of the deployment that speaks it.
    """

    type: ClassVar[str] = "azure-custom"

    name: Annotated[str, text]
    _: KW_ONLY
    endpoint_id: Annotated[str, text]


@dataclass(frozen=True)
class AzurePersonalVoice(VoiceTuning):
    """A voice made from a short sample, with the fields of `VoiceTuning`.

    Attributes:
        name: the speaker profile.
        model: "DragonLatestNeural", "PhoenixLatestNeural", "PhoenixV2Neural",
            "DragonHDOmniLatestNeural" or "MAI-Voice-1".
    """

    type: ClassVar[str] = "azure-personal"

    name: Annotated[str, text]
    _: KW_ONLY
    model: Annotated[str, text]


@dataclass(frozen=True)
class AvatarSyncVoice(VoiceTuning):
    """The voice that belongs to the avatar, with the fields of `VoiceTuning`.

    Attributes:
        model: as of `AzurePersonalVoice`.
    """

    type: ClassVar[str] = "avatar-voice-sync"

    model: Annotated[str, text]


@dataclass(frozen=True)
class AzureRealtimeNativeVoice(Option):
    """A voice of the model ``azure-realtime``, and of no other.

    Attributes:
        name: "ava" (the service's default), "andrew", "elsa", ...
    """

    type: ClassVar[str] = "azure-realtime-native"

    name: Annotated[str, text]


@dataclass(frozen=True)
class OpenAIVoice(Option):
    """A voice of OpenAI's models.

    Attributes:
        name: "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar".
    """

    type: ClassVar[str] = "openai"

    name: Annotated[str, text]


def voice_of(name: str, value: Any) -> str | dict[str, Any]:
    """The wire form. An Azure voice has a locale, hence a hyphen, in its name; an OpenAI voice has none."""
    if not isinstance(value, str):
        return wire_object(name, value)
    text(name, value)
    given = plain(value)
    return {"type": "azure-standard", "name": given} if "-" in given else given


def is_openai(voice: str | dict[str, Any]) -> bool:
    """Whether this wire form is an OpenAI voice."""
    return isinstance(voice, str) or voice["type"] == "openai"
