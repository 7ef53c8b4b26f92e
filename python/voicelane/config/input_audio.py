"""What becomes of the user's audio on its way to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from .checks import Text, list_of, one_of, text, text_map
from .wire import Option

Encoding = Literal["pcm16", "g711_ulaw", "g711_alaw"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

# The client's list is 8, 16 and 24 kHz, the how-to's 16 and 24; the client's live tests send 44.1 too.
PCM_RATES_HZ = (8_000, 16_000, 24_000, 44_100)
G711_RATE_HZ = 8_000

NOISE_REDUCTIONS = ("azure_deep_noise_suppression", "near_field", "far_field")
ECHO_CANCELLATIONS = ("server_echo_cancellation",)


@dataclass(frozen=True, kw_only=True)
class EchoCancellation(Option):
    """Takes the agent's own voice out of what the microphone hears.

    Attributes:
        reference_source: "server" (the service's default) takes what the service has sent, which must
            be played within about 2 s; "client" takes the second channel of the input.
        channels: 1 with "server"; 2 with "client": microphone and playback, interleaved pcm16.
    """

    type: ClassVar[str] = "server_echo_cancellation"

    reference_source: Annotated[Literal["server", "client"] | None, one_of("server", "client")] = (
        None
    )
    channels: Annotated[Literal[1, 2] | None, one_of(1, 2)] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_echo_pair("channels", self.as_dict())


def check_echo_pair(name: str, echo: Mapping[str, Any]) -> None:
    """Only two combinations of source and channels work."""
    source = echo.get("reference_source") or "server"
    channels = echo.get("channels") or 1
    expected = {"server": 1, "client": 2}.get(source, channels)
    if channels != expected:
        raise ValueError(
            f"{name}: expected {expected} with reference_source {source!r}, got {channels}"
        )


def _language(name: str, value: Any) -> None:
    (text if isinstance(value, str) else list_of())(name, value)


@dataclass(frozen=True)
class Transcription(Option):
    """Has the user's speech written down.

    Attributes:
        model: "azure-speech", "mai-transcribe-1", "whisper-1", "gpt-4o-transcribe",
            "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize", or another of the service's.
        language: "en" or "en-US"; several, to be told apart, as a list; default found out.
        phrase_list: words to listen for, fewer than 500.
        custom_speech: your own model per locale, 10 at most: {"en-US": "<model id>"}.
        prompt: a hint at what is spoken about.
    """

    model: Annotated[str, text]
    language: Annotated[str | Sequence[str] | None, _language] = None
    phrase_list: Annotated[Sequence[str] | None, list_of(least=0, most=499)] = None
    custom_speech: Annotated[Mapping[str, str] | None, text_map(most=10)] = None
    prompt: Text = None

    def as_dict(self) -> dict[str, Any]:
        made = super().as_dict()
        if isinstance(made.get("language"), list):
            made["language"] = ",".join(made["language"])
        return made
