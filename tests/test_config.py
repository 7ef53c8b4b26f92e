"""What a session asks for, and what it refuses to ask for."""

from __future__ import annotations

from typing import Any

import pytest
from azure.ai.voicelive.models import InputAudioFormat, Modality

from voicelane import AzureVoiceLiveConfig


def update(model: str = "gpt-realtime", **settings: Any) -> dict[str, Any]:
    return AzureVoiceLiveConfig(**settings).session_update(model=model, instructions="x")


def test_the_sdks_enumerations_are_as_good_as_strings() -> None:
    config = AzureVoiceLiveConfig(
        modalities=[Modality.TEXT, Modality.AUDIO],
        input_audio_format=InputAudioFormat.G711_ULAW,  # type: ignore[arg-type]
    )
    sent = config.session_update(model="m", instructions="x")
    assert sent["modalities"] == ["text", "audio"]
    assert type(sent["modalities"][0]) is str
    assert (sent["input_audio_format"], sent["input_audio_sampling_rate"]) == ("g711_ulaw", 8000)


def test_a_voice_with_a_locale_is_azures() -> None:
    assert update()["voice"] == {"type": "azure-standard", "name": "en-US-AvaNeural"}
    assert update(voice="alloy")["voice"] == "alloy"


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        ("gpt-realtime-mini", "auto", {"model": "whisper-1"}),
        ("gpt-4.1", "auto", {"model": "azure-speech"}),
        ("gpt-4.1", "mai-transcribe-1", {"model": "mai-transcribe-1"}),
        ("m", {"model": "x", "language": "de"}, {"model": "x", "language": "de"}),
        ("m", None, None),
    ],
)
def test_the_transcription_goes_with_the_model(model: str, wanted: Any, sent: Any) -> None:
    assert update(model, input_audio_transcription=wanted).get("input_audio_transcription") == sent


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"modalities": []}, ValueError),
        ({"modalities": ["smell"]}, ValueError),
        ({"input_audio_format": "mp3"}, ValueError),
        ({"output_audio_format": "g711_ulaw"}, ValueError),
        ({"turn_detection_threshold": 1.5}, ValueError),
        ({"turn_detection_threshold": "loud"}, TypeError),
        ({"turn_detection_prefix_padding_ms": -1}, ValueError),
        ({"turn_detection_silence_duration_ms": True}, TypeError),
        ({"max_completion_tokens": 0}, ValueError),
        ({"max_completion_tokens": 5000}, ValueError),
    ],
)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{next(iter(settings))}: expected"):
        AzureVoiceLiveConfig(**settings)
