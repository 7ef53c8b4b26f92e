"""What a session asks for."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.ai.voicelive import models

from config_talk import CASCADED, added, update
from support import EventLog, beside_client_1_3
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, config
from voicelane.simulator import Simulator

# --- the original's fields ---------------------------------------------------------------------


def test_the_originals_fields_keep_their_places_and_defaults() -> None:
    given = AzureVoiceLiveConfig("alloy", ["text"], "g711_ulaw", "pcm16", 0.4, 250, 600, 0.9, 77)
    assert given == AzureVoiceLiveConfig(
        voice="alloy",
        modalities=["text"],
        input_audio_format="g711_ulaw",
        output_audio_format="pcm16",
        turn_detection_threshold=0.4,
        turn_detection_prefix_padding_ms=250,
        turn_detection_silence_duration_ms=600,
        temperature=0.9,
        max_completion_tokens=77,
    )
    assert list(vars(AzureVoiceLiveConfig()).items())[:9] == [
        ("voice", "en-US-AvaNeural"),
        ("modalities", ["text", "audio"]),
        ("input_audio_format", "pcm16"),
        ("output_audio_format", "pcm16"),
        ("turn_detection_threshold", 0.5),
        ("turn_detection_prefix_padding_ms", 300),
        ("turn_detection_silence_duration_ms", 500),
        ("temperature", None),
        ("max_completion_tokens", None),
    ]


def test_only_what_was_set_is_sent() -> None:
    assert set(update()) == {
        "modalities", "instructions", "voice", "input_audio_format", "input_audio_sampling_rate",
        "output_audio_format", "turn_detection", "input_audio_transcription",
    }  # fmt: skip
    detection = {
        "type": "server_vad",
        "threshold": 0.3,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
    }
    assert added(turn_detection_threshold=0.3) == {"turn_detection": detection}


@beside_client_1_3
def test_the_sdks_enumerations_are_as_good_as_strings() -> None:
    sent = update(
        modalities=[models.Modality.TEXT, models.Modality.AUDIO],
        input_audio_format=models.InputAudioFormat.G711_ULAW,
        output_audio_format=models.OutputAudioFormat.PCM16_16000_HZ,
        turn_detection=models.TurnDetectionType.AZURE_SEMANTIC_VAD,
        tool_choice=models.ToolChoiceLiteral.REQUIRED,
        reasoning_effort=models.ReasoningEffort.LOW,
        include=[models.SessionIncludeOption.FILE_SEARCH_CALL_RESULTS],
        output_audio_timestamp_types=[models.AudioTimestampType.WORD],
    )
    assert sent["modalities"] == ["text", "audio"]
    assert (sent["input_audio_format"], sent["input_audio_sampling_rate"]) == ("g711_ulaw", 8000)
    assert sent["turn_detection"] == {"type": "azure_semantic_vad"}
    assert set(map(type, every_text(sent))) == {str}
    assert "OutputAudioFormat" not in repr(sent)


def every_text(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *every_text(list(value.values()))]
    if isinstance(value, list):
        return [text for item in value for text in every_text(item)]
    return [value] if isinstance(value, str) else []


# --- the forms that a setting may have --------------------------------------------------------


@pytest.mark.parametrize("none", [None, "none"])
def test_no_turn_detection_is_said_by_null(none: str | None) -> None:
    assert added(turn_detection=none) == {"turn_detection": None}


@beside_client_1_3
def test_null_is_how_the_client_says_no_turn_detection() -> None:
    assert models.RequestSession(turn_detection=None).as_dict() == {"turn_detection": None}


def test_a_text_alone_is_the_type_of_an_option() -> None:
    kind = "azure_semantic_vad_multilingual"
    assert added(turn_detection=kind) == {"turn_detection": {"type": kind}}
    echo = "server_echo_cancellation"
    assert added(input_audio_echo_cancellation=echo) == {
        "input_audio_echo_cancellation": {"type": echo}
    }


def test_a_voice_with_a_locale_is_azures() -> None:
    assert update()["voice"] == {"type": "azure-standard", "name": "en-US-AvaNeural"}
    assert update(voice="alloy")["voice"] == "alloy"


def test_the_token_limit_is_sent_by_either_name() -> None:
    assert added(max_completion_tokens=9) == {"max_response_output_tokens": 9}
    assert added(max_response_output_tokens="inf") == {"max_response_output_tokens": "inf"}
    assert added(max_response_output_tokens=9, max_completion_tokens=9)


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        ("gpt-realtime-mini", "auto", {"model": "whisper-1"}),
        (CASCADED, "auto", {"model": "azure-speech"}),
        ("phi4-mm-realtime", "auto", {"model": "azure-speech"}),
        (CASCADED, "mai-transcribe-1", {"model": "mai-transcribe-1"}),
        ("m", {"model": "x", "language": "de"}, {"model": "x", "language": "de"}),
        ("m", None, None),
    ],
)
def test_the_transcription_goes_with_the_model(model: str, wanted: Any, sent: Any) -> None:
    assert update(model, input_audio_transcription=wanted).get("input_audio_transcription") == sent


def test_the_transcription_goes_with_what_stands_behind_the_model() -> None:
    agent = {"agent_name": "a", "project_name": "p"}
    own: dict[str, Any] = {"byom_profile": "byom-azure-openai-realtime"}
    assert update("", agent=agent)["input_audio_transcription"] == {"model": "azure-speech"}
    assert update("mine", **own)["input_audio_transcription"] == {"model": "whisper-1"}
    own["byom_profile"] = "byom-azure-openai-chat-completion"
    assert update("my-realtime", **own)["input_audio_transcription"] == {"model": "azure-speech"}


def test_an_agent_gets_no_instructions() -> None:
    agent = config.FoundryAgent(agent_name="a", project_name="p")
    assert "instructions" not in update("", agent=agent)


def test_extra_settings_come_last_and_are_refused_nothing() -> None:
    tomorrow = {"temperature": 1.9, "smell": {"type": "rose"}, "truncation_strategy": None}
    sent = update(temperature=0.5, extra_session=tomorrow)
    assert {key: sent[key] for key in tomorrow} == tomorrow


def test_what_was_sent_is_nobodys_but_the_receivers() -> None:
    avatar: dict[str, Any] = {"character": "lisa", "video": {"bitrate": 1}}
    settings = AzureVoiceLiveConfig(avatar=avatar, metadata={"a": "b"})
    sent = settings.session_update(model="m", instructions="x")
    sent["avatar"]["video"]["bitrate"] = 2
    sent["metadata"]["a"] = "c"
    assert (avatar["video"]["bitrate"], settings.metadata) == (1, {"a": "b"})
    assert copy.deepcopy(settings) == replace(settings) == settings


@pytest.mark.parametrize(
    ("settings", "encoding", "rate_hz"),
    [
        ({}, "pcm16", 24_000),
        ({"output_audio_format": "pcm16_16000hz"}, "pcm16", 16_000),
        ({"output_audio_format": "pcm16_8000hz"}, "pcm16", 8_000),
        ({"output_audio_format": "g711_ulaw"}, "g711_ulaw", 8_000),
        ({"output_audio_format": models.OutputAudioFormat.G711_ALAW}, "g711_alaw", 8_000),
    ],
)
def test_the_output_format_says_how_to_read_it(
    settings: dict[str, Any], encoding: str, rate_hz: int
) -> None:
    given = AzureVoiceLiveConfig(**settings)
    assert (given.output_encoding, given.output_rate_hz) == (encoding, rate_hz)


@pytest.mark.parametrize(
    ("settings", "rate_hz", "channels"),
    [
        ({}, 24_000, 1),
        ({"input_audio_format": "g711_alaw"}, 8_000, 1),
        ({"input_audio_sampling_rate": 16_000}, 16_000, 1),
        ({"input_audio_echo_cancellation": config.EchoCancellation()}, 24_000, 1),
        ({"input_audio_echo_cancellation": {"type": "server_echo_cancellation",
          "reference_source": "client", "channels": 2}}, 24_000, 2),
    ],
)  # fmt: skip
def test_the_input_format_says_what_to_send(
    settings: dict[str, Any], rate_hz: int, channels: int
) -> None:
    given = AzureVoiceLiveConfig(**settings)
    assert (given.input_rate_hz, given.input_channels) == (rate_hz, channels)
    assert update(**settings)["input_audio_sampling_rate"] == rate_hz


async def test_the_simulator_takes_all_of_it() -> None:
    settings = AzureVoiceLiveConfig(
        modalities=["text"],
        voice=config.AzureStandardVoice("en-US-AvaNeural", style="cheerful", rate="1.1"),
        turn_detection=config.AzureSemanticVadMultilingual(
            threshold=0.4, end_of_utterance_detection=config.EndOfUtterance(timeout_ms=800)
        ),
        input_audio_noise_reduction="far_field",
        input_audio_echo_cancellation=config.EchoCancellation(),
        output_audio_timestamp_types=["word"],
        animation=config.Animation(outputs=["viseme_id"]),
        interim_response=config.StaticInterimResponse(texts=["Hm."]),
        tool_choice="none",
        parallel_tool_calls=True,
        max_response_output_tokens=100,
        reasoning_effort="low",
        metadata={"a": "b"},
    )
    async with Simulator() as sim:
        model = AzureVoiceLive(
            model=CASCADED, endpoint=sim.endpoint, api_key=sim.api_key, config=settings
        )
        log = EventLog(model)
        async with model:
            assert model.session_ready
            changes = settings.session_changes(
                session_model=CASCADED, instructions="Shorter.", temperature=0.6, tool_choice=None,
                animation=None, parallel_tool_calls=None, max_response_output_tokens=None,
                reasoning_effort=None, metadata=None, turn_detection=None, include=None,
                input_audio_noise_reduction=None, interim_response=None,
                input_audio_transcription=None, output_audio_timestamp_types=None,
            )  # fmt: skip
            await model.connection.session.update(session=changes)
            await sim.connections[0].wait_until(lambda it: it.sent["session.updated"] == 2)
        assert log.all("error") == []


# --- the document ------------------------------------------------------------------------------

DOCUMENT = Path(__file__).parent.parent / "docs" / "configuration.md"


def test_the_document_names_every_setting_and_option() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    kinds = {"Encoding", "Option", "SupportsAsDict", *(n for n in config.__all__ if n.isupper())}
    for name in {*vars(AzureVoiceLiveConfig()), *config.__all__} - kinds:
        assert re.search(rf"\b{name}\b", text), name
