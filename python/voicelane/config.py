"""What a session asks of the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

AZURE_VOICE_LIVE_SAMPLE_RATE = 24_000

DEFAULT_INSTRUCTIONS = (
    "You are a helpful voice assistant that can answer questions and help with tasks."
)


@dataclass
class AzureVoiceLiveConfig:
    """The settings of a session, sent in its first ``session.update``.

    Enumerations of ``azure.ai.voicelive.models`` and plain strings are equally good.

    Attributes:
        voice: an Azure voice ("en-US-AvaNeural") or an OpenAI one ("alloy").
        modalities: "text" and "audio", or "text" alone.
        input_audio_format: what is sent: "pcm16", "g711_ulaw" or "g711_alaw".
        output_audio_format: what is received: "pcm16" (24 kHz).
        turn_detection_threshold: server VAD, 0 to 1.
        turn_detection_prefix_padding_ms: audio kept from before the speech.
        turn_detection_silence_duration_ms: silence that ends a turn.
        temperature: of the model; None leaves it to the service.
        max_completion_tokens: per response, 1 to 4096; None is no limit.
        input_audio_transcription: the model that transcribes the user, or a mapping with "model",
            "language" and what else the service knows; "auto" takes one that goes with the session's
            model, None asks for no transcripts of the user.
    """

    voice: str = "en-US-AvaNeural"
    modalities: Sequence[str] = field(default_factory=lambda: ["text", "audio"])
    input_audio_format: str = "pcm16"
    output_audio_format: str = "pcm16"
    turn_detection_threshold: float = 0.5
    turn_detection_prefix_padding_ms: int = 300
    turn_detection_silence_duration_ms: int = 500
    temperature: float | None = None
    max_completion_tokens: int | None = None
    input_audio_transcription: str | Mapping[str, Any] | None = "auto"

    def __post_init__(self) -> None:
        unknown = [text for text in map(plain, self.modalities) if text not in ("text", "audio")]
        if unknown or not self.modalities:
            raise ValueError(f"modalities: expected 'text' and 'audio', got {self.modalities!r}")
        _check_choice("input_audio_format", self.input_audio_format, ENCODINGS)
        _check_choice("output_audio_format", self.output_audio_format, ("pcm16",))
        _check_range("turn_detection_threshold", self.turn_detection_threshold, 0, 1)
        _check_range(
            "turn_detection_prefix_padding_ms", self.turn_detection_prefix_padding_ms, 0, 60_000
        )
        _check_range(
            "turn_detection_silence_duration_ms", self.turn_detection_silence_duration_ms, 0, 60_000
        )
        if self.max_completion_tokens is not None:
            _check_range("max_completion_tokens", self.max_completion_tokens, 1, 4096)

    @property
    def has_audio(self) -> bool:
        """Whether the session hears and speaks."""
        return "audio" in map(plain, self.modalities)

    @property
    def input_encoding(self) -> Encoding:
        """How microphone audio is sent."""
        return cast(Encoding, plain(self.input_audio_format))

    @property
    def input_rate_hz(self) -> int:
        """The rate at which it is sent: G.711 is 8 kHz."""
        return AZURE_VOICE_LIVE_SAMPLE_RATE if self.input_encoding == "pcm16" else 8_000

    def session_update(self, *, model: str, instructions: str) -> dict[str, Any]:
        """The ``session`` object of the first ``session.update``."""
        session: dict[str, Any] = {
            "modalities": [plain(text) for text in self.modalities],
            "instructions": instructions,
            "voice": voice_of(self.voice),
            "input_audio_format": self.input_encoding,
            "input_audio_sampling_rate": self.input_rate_hz,
            "output_audio_format": plain(self.output_audio_format),
            "turn_detection": {
                "type": "server_vad",
                "threshold": self.turn_detection_threshold,
                "prefix_padding_ms": self.turn_detection_prefix_padding_ms,
                "silence_duration_ms": self.turn_detection_silence_duration_ms,
            },
        }
        if self.temperature is not None:
            session["temperature"] = self.temperature
        if self.max_completion_tokens is not None:
            session["max_response_output_tokens"] = self.max_completion_tokens
        if self.input_audio_transcription is not None and self.has_audio:
            session["input_audio_transcription"] = self._transcription(model)
        return session

    def _transcription(self, model: str) -> dict[str, Any]:
        wanted = self.input_audio_transcription
        if isinstance(wanted, Mapping):
            return dict(wanted)
        if wanted == "auto":
            # whisper-1 goes with the gpt-realtime models, azure-speech with all others.
            return {"model": "whisper-1" if model.startswith("gpt-realtime") else "azure-speech"}
        return {"model": wanted}


Encoding = Literal["pcm16", "g711_ulaw", "g711_alaw"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)


def plain(value: object) -> str:
    """The wire text of an enumeration member or a string."""
    return str(getattr(value, "value", value))


def voice_of(name: str) -> str | dict[str, str]:
    """An Azure voice has a locale, hence a hyphen, in its name; an OpenAI voice has none."""
    return {"type": "azure-standard", "name": name} if "-" in name else name


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if plain(value) not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {plain(value)!r}")


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: expected a number from {least} to {most}, got {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name}: expected {least} to {most}, got {value!r}")
