"""The options, beside the models of azure-ai-voicelive made of the same intent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.ai.voicelive import models

from config_talk import CASCADED, added, update
from voicelane import config

SPEECH = {"temperature": 0.4, "custom_lexicon_url": "https://lexicon", "locale": "en-GB",
          "custom_text_normalization_url": "https://normal", "prefer_locales": ["en-GB", "es-ES"],
          "style": "cheerful", "pitch": "+10%", "rate": "1.2", "volume": "-6dB"}  # fmt: skip
VAD = {"threshold": 0.6, "prefix_padding_ms": 200, "silence_duration_ms": 700,
       "auto_truncate": True, "create_response": False, "interrupt_response": False}  # fmt: skip
SEMANTIC = {**VAD, "speech_duration_ms": 120, "remove_filler_words": True}
END = {"threshold_level": "high", "timeout_ms": 900}

PAIRS: list[tuple[str, Any, Any]] = [
    ("turn_detection", config.ServerVad(**VAD), models.ServerVad(**VAD)),
    (
        "turn_detection",
        config.ServerVad(end_of_utterance_detection=config.EndOfUtterance(**END)),  # type: ignore[arg-type]
        models.ServerVad(end_of_utterance_detection=models.AzureSemanticDetection(**END)),
    ),
    (
        "turn_detection",
        config.AzureSemanticVad(**SEMANTIC, languages=["en", "de"]),
        models.AzureSemanticVad(**SEMANTIC, languages=["en", "de"]),
    ),
    (
        "turn_detection",
        config.AzureSemanticVadEn(
            **SEMANTIC, end_of_utterance_detection="semantic_detection_v1_en"
        ),
        models.AzureSemanticVadEn(
            **SEMANTIC, end_of_utterance_detection=models.AzureSemanticDetectionEn()
        ),
    ),
    (
        "turn_detection",
        config.AzureSemanticVadMultilingual(
            languages=("en", "fr"),
            end_of_utterance_detection=models.AzureSemanticDetectionMultilingual(timeout_ms=5),
        ),
        models.AzureSemanticVadMultilingual(
            languages=["en", "fr"],
            end_of_utterance_detection=models.AzureSemanticDetectionMultilingual(timeout_ms=5),
        ),
    ),
    ("voice", config.OpenAIVoice("marin"), models.OpenAIVoice(name="marin")),
    (
        "voice",
        config.AzureStandardVoice("en-US-X", **SPEECH),
        models.AzureStandardVoice(name="en-US-X", **SPEECH),
    ),
    (
        "voice",
        config.AzureCustomVoice("mine", endpoint_id="e", **SPEECH),
        models.AzureCustomVoice(name="mine", endpoint_id="e", **SPEECH),
    ),
    (
        "voice",
        config.AzurePersonalVoice("me", model="DragonLatestNeural", **SPEECH),
        models.AzurePersonalVoice(name="me", model="DragonLatestNeural", **SPEECH),
    ),
    (
        "voice",
        config.AvatarSyncVoice("PhoenixV2Neural", **SPEECH),
        models.AzureAvatarVoiceSyncVoice(model="PhoenixV2Neural", **SPEECH),
    ),
    (
        "input_audio_noise_reduction",
        "azure_deep_noise_suppression",
        models.AudioNoiseReduction(type="azure_deep_noise_suppression"),
    ),
    (
        "input_audio_echo_cancellation",
        config.EchoCancellation(),
        models.AudioEchoCancellation(),
    ),
    (
        "input_audio_echo_cancellation",
        config.EchoCancellation(reference_source="client", channels=2),
        models.AudioEchoCancellation(reference_source="client", channels=2),
    ),
    (
        "input_audio_transcription",
        config.Transcription(
            "azure-speech",
            language=["en-US", "de-DE"],
            phrase_list=["Contoso"],
            custom_speech={"en-US": "id"},
        ),
        models.AudioInputTranscriptionOptions(
            model="azure-speech",
            language="en-US,de-DE",
            phrase_list=["Contoso"],
            custom_speech={"en-US": "id"},
        ),
    ),
    (
        "animation",
        config.Animation(outputs=["viseme_id"], model_name="face"),
        models.Animation(outputs=["viseme_id"], model_name="face"),
    ),
    (
        "interim_response",
        config.StaticInterimResponse(texts=["One moment."], triggers=["tool", "latency"]),
        models.StaticInterimResponseConfig(texts=["One moment."], triggers=["tool", "latency"]),
    ),
    (
        "interim_response",
        config.LlmInterimResponse(
            model="m", instructions="i", max_completion_tokens=9, latency_threshold_ms=800
        ),
        models.LlmInterimResponseConfig(
            model="m", instructions="i", max_completion_tokens=9, latency_threshold_ms=800
        ),
    ),
    (
        "tool_choice",
        config.ToolChoiceFunction("book"),
        models.ToolChoiceFunctionSelection(name="book"),
    ),
    (
        "avatar",
        {"character": "lisa", "customized": False, "type": "photo-avatar", "model": "vasa-1"},
        models.AvatarConfig(
            character="lisa", customized=False, avatar_type="photo-avatar", model="vasa-1"
        ),
    ),
]


@pytest.mark.parametrize(("name", "ours", "theirs"), PAIRS)
def test_an_option_says_what_the_clients_model_says(name: str, ours: Any, theirs: Any) -> None:
    wanted = models.RequestSession(**{name: theirs}).as_dict()
    assert added(**{name: ours}) == wanted
    assert added(**{name: theirs}) == wanted  # the model itself is as good
    assert added(**{name: wanted[name]}) == wanted  # and so is a mapping
    json.dumps(wanted)


def test_a_whole_session_is_the_clients_request_session() -> None:
    ours = update(
        CASCADED,
        voice=config.AzureStandardVoice("en-US-Ava:DragonHDLatestNeural", temperature=0.8),
        output_audio_format="pcm16_16000hz",
        temperature=0.7,
        turn_detection=config.AzureSemanticVad(languages=["en"]),
        input_audio_sampling_rate=16_000,
        input_audio_noise_reduction="near_field",
        input_audio_transcription="azure-speech",
        output_audio_timestamp_types=["word"],
        tool_choice="required",
        parallel_tool_calls=False,
        max_response_output_tokens=200,
        reasoning_effort="minimal",
        include=["item.input_audio_transcription.phrases"],
        metadata={"call": "7"},
    )
    assert (
        ours
        == models.RequestSession(
            modalities=["text", "audio"],
            instructions="x",
            voice=models.AzureStandardVoice(name="en-US-Ava:DragonHDLatestNeural", temperature=0.8),
            input_audio_format="pcm16",
            input_audio_sampling_rate=16_000,
            output_audio_format="pcm16_16000hz",
            temperature=0.7,
            turn_detection=models.AzureSemanticVad(languages=["en"]),
            input_audio_noise_reduction=models.AudioNoiseReduction(type="near_field"),
            input_audio_transcription=models.AudioInputTranscriptionOptions(model="azure-speech"),
            output_audio_timestamp_types=["word"],
            tool_choice="required",
            parallel_tool_calls=False,
            max_response_output_tokens=200,
            reasoning_effort="minimal",
            include=["item.input_audio_transcription.phrases"],
            metadata={"call": "7"},
        ).as_dict()
    )


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        (
            config.ServerVad(speech_duration_ms=200, idle_timeout_ms=5000),
            {"type": "server_vad", "speech_duration_ms": 200, "idle_timeout_ms": 5000},
        ),
        (
            config.AzureSemanticVad(
                appended_text_after_truncation="...", speech_duration_assistant_speaking_ms=300
            ),
            {
                "type": "azure_semantic_vad",
                "appended_text_after_truncation": "...",
                "speech_duration_assistant_speaking_ms": 300,
            },
        ),
        (
            config.AzureRealtimeNativeVoice("ava"),
            {"type": "azure-realtime-native", "name": "ava"},
        ),
        (config.Transcription("whisper-1", prompt="p"), {"model": "whisper-1", "prompt": "p"}),
    ],
)
def test_what_the_clients_models_lack_is_sent_all_the_same(
    option: config.Option, sent: dict[str, Any]
) -> None:
    assert option.as_dict() == sent
