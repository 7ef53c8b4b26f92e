"""What a configuration refuses, by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.ai.voicelive import models
from hypothesis import given
from hypothesis import strategies as st

from config_talk import update
from voicelane import AzureVoiceLiveConfig, config

BAD: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"voice": ""}, ValueError),
    ({"voice": None}, TypeError),
    ({"voice": {"name": "no type"}}, ValueError),
    ({"voice": config.OpenAIVoice}, TypeError),
    ({"modalities": []}, ValueError),
    ({"modalities": "text"}, TypeError),
    ({"modalities": ["smell"]}, ValueError),
    ({"modalities": ["animation"]}, ValueError),
    ({"input_audio_format": "mp3"}, ValueError),
    ({"input_audio_format": 16}, TypeError),
    ({"output_audio_format": "pcm16_48000hz"}, ValueError),
    ({"turn_detection_threshold": 1.5}, ValueError),
    ({"turn_detection_threshold": float("nan")}, ValueError),
    ({"turn_detection_threshold": "loud"}, TypeError),
    ({"turn_detection_prefix_padding_ms": -1}, ValueError),
    ({"turn_detection_silence_duration_ms": True}, TypeError),
    ({"turn_detection_silence_duration_ms": 1.5}, TypeError),
    ({"temperature": 1.3}, ValueError),
    ({"temperature": "hot"}, TypeError),
    ({"max_completion_tokens": 0}, ValueError),
    ({"max_completion_tokens": 5000}, ValueError),
    ({"input_audio_transcription": 7}, TypeError),
    ({"input_audio_transcription": {"language": "de"}}, ValueError),
    ({"turn_detection": "loud"}, ValueError),
    ({"turn_detection": 0.5}, TypeError),
    ({"turn_detection": {"threshold": 0.5}}, ValueError),
    ({"input_audio_sampling_rate": 11_025}, ValueError),
    ({"input_audio_sampling_rate": "16000"}, TypeError),
    ({"input_audio_noise_reduction": "some"}, ValueError),
    ({"input_audio_noise_reduction": True}, TypeError),
    ({"input_audio_echo_cancellation": "client"}, ValueError),
    ({"output_audio_timestamp_types": ["phoneme"]}, ValueError),
    ({"output_audio_timestamp_types": "word"}, TypeError),
    ({"animation": "viseme_id"}, TypeError),
    ({"avatar": "lisa"}, TypeError),
    ({"avatar": {"bitrate": float("inf")}}, ValueError),
    ({"avatar": {"picture": b"png"}}, TypeError),
    ({"interim_response": "hm"}, ValueError),
    ({"interim_response": {"texts": ["Hm."]}}, ValueError),
    ({"tool_choice": "maybe"}, ValueError),
    ({"tool_choice": 1}, TypeError),
    ({"parallel_tool_calls": 1}, TypeError),
    ({"max_response_output_tokens": 4097}, ValueError),
    ({"max_response_output_tokens": "Inf"}, ValueError),
    ({"max_response_output_tokens": 1.0}, TypeError),
    ({"reasoning_effort": "huge"}, ValueError),
    ({"include": ["everything"]}, ValueError),
    ({"metadata": {"a": 1}}, TypeError),
    ({"metadata": {str(n): "" for n in range(17)}}, ValueError),
    ({"metadata": {"k" * 65: ""}}, ValueError),
    ({"metadata": {"k": "v" * 513}}, ValueError),
    ({"agent": "a"}, TypeError),
    ({"agent": {"agent_name": "a"}}, ValueError),
    ({"agent": {"agent_name": "a", "project_name": "p", "colour": "red"}}, ValueError),
    ({"byom_profile": "byom"}, ValueError),
    ({"foundry_resource_override": ""}, ValueError),
    ({"api_version": "v1"}, ValueError),
    ({"api_version": 2026}, TypeError),
    ({"query": {"a": 1}}, TypeError),
    ({"query": "a=1"}, TypeError),
    ({"headers": {"a b": "c"}}, ValueError),
    ({"headers": {"": "c"}}, ValueError),
    ({"headers": {"a": "b\r\nc: d"}}, ValueError),
    ({"headers": [("a", "b")]}, TypeError),
    ({"credential_scopes": []}, ValueError),
    ({"credential_scopes": 7}, TypeError),
    ({"extra_session": []}, TypeError),
    ({"extra_session": {"x": ...}}, TypeError),
    ({"extra_session": {"model": "other"}}, ValueError),
    ({"extra_session": {"input_audio_format": "pcm16"}}, ValueError),
    # What cannot work together; the first name is the one that is told.
    ({"turn_detection_threshold": 0.7, "turn_detection": config.ServerVad()}, ValueError),
    ({"turn_detection_prefix_padding_ms": 9, "turn_detection": None}, ValueError),
    ({"max_completion_tokens": 9, "max_response_output_tokens": 10}, ValueError),
    ({"input_audio_sampling_rate": 16_000, "input_audio_format": "g711_ulaw"}, ValueError),
    ({"input_audio_echo_cancellation": {"type": "t", "channels": 2}}, ValueError),
    ({"input_audio_echo_cancellation": {"type": "t", "reference_source": "client"}}, ValueError),
    (
        {
            "input_audio_format": "g711_alaw",
            "input_audio_echo_cancellation": config.EchoCancellation(
                reference_source="client", channels=2
            ),
        },
        ValueError,
    ),
    ({"output_audio_format": "pcm16_8000hz", "voice": "alloy"}, ValueError),
    ({"output_audio_timestamp_types": ["word"], "voice": "alloy"}, ValueError),
    (
        {"interim_response": "llm_interim_response", "voice": config.OpenAIVoice("alloy")},
        ValueError,
    ),
]


def shown(case: Any) -> str:
    return repr(case)[:60]


@pytest.mark.parametrize(("settings", "error"), BAD, ids=shown)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{next(iter(settings))}: expected .*got") as caught:
        AzureVoiceLiveConfig(**settings)
    assert type(caught.value) is error


def test_every_setting_is_refused_something() -> None:
    refused = {name for settings, _ in BAD for name in settings}
    assert refused == set(vars(AzureVoiceLiveConfig()))


@pytest.mark.parametrize(
    ("option", "argument", "value", "error"),
    [
        (config.ServerVad, "threshold", 2, ValueError),
        (config.ServerVad, "prefix_padding_ms", 1.5, TypeError),
        (config.ServerVad, "silence_duration_ms", -1, ValueError),
        (config.ServerVad, "speech_duration_ms", "1", TypeError),
        (config.ServerVad, "end_of_utterance_detection", "v0", ValueError),
        (config.ServerVad, "end_of_utterance_detection", {"timeout_ms": 1}, ValueError),
        (config.ServerVad, "auto_truncate", 1, TypeError),
        (config.ServerVad, "create_response", "no", TypeError),
        (config.ServerVad, "interrupt_response", 0, TypeError),
        (config.ServerVad, "idle_timeout_ms", -1, ValueError),
        (config.AzureSemanticVadEn, "remove_filler_words", "um", TypeError),
        (config.AzureSemanticVad, "languages", "en", TypeError),
        (config.AzureSemanticVad, "languages", [], ValueError),
        (config.AzureSemanticVad, "appended_text_after_truncation", 3, TypeError),
        (config.EndOfUtterance, "model", "v0", ValueError),
        (config.EndOfUtterance, "model", None, TypeError),
        (config.EndOfUtterance, "threshold_level", "higher", ValueError),
        (config.EndOfUtterance, "timeout_ms", -1, ValueError),
        (config.EchoCancellation, "reference_source", "room", ValueError),
        (config.EchoCancellation, "channels", 2, ValueError),
        (config.EchoCancellation, "channels", 3, ValueError),
        (config.Transcription, "model", "", ValueError),
        (config.Transcription, "language", 7, TypeError),
        (config.Transcription, "phrase_list", ["x"] * 500, ValueError),
        (config.Transcription, "custom_speech", {str(n): "x" for n in range(11)}, ValueError),
        (config.AzureStandardVoice, "name", " ", ValueError),
        (config.AzureStandardVoice, "temperature", 1.1, ValueError),
        (config.AzureStandardVoice, "rate", "1.6", ValueError),
        (config.AzureStandardVoice, "rate", 1.2, TypeError),
        (config.AzureStandardVoice, "prefer_locales", [7], TypeError),
        (config.AzureCustomVoice, "endpoint_id", "", ValueError),
        (config.AzurePersonalVoice, "model", None, TypeError),
        (config.OpenAIVoice, "name", 5, TypeError),
        (config.Animation, "outputs", ["smile"], ValueError),
        (config.StaticInterimResponse, "texts", [], ValueError),
        (config.StaticInterimResponse, "triggers", ["mood"], ValueError),
        (config.LlmInterimResponse, "max_completion_tokens", 0, ValueError),
        (config.LlmInterimResponse, "latency_threshold_ms", 60_001, ValueError),
        (config.ToolChoiceFunction, "name", "", ValueError),
        (config.FoundryAgent, "project_name", "", ValueError),
        (config.FoundryAgent, "agent_version", 2, TypeError),
    ],
)
def test_bad_options_are_refused_by_name(
    option: Any, argument: str, value: Any, error: type[Exception]
) -> None:
    needed = {
        config.Transcription: {"model": "m"},
        config.AzureStandardVoice: {"name": "n"},
        config.AzureCustomVoice: {"name": "n", "endpoint_id": "e"},
        config.AzurePersonalVoice: {"name": "n", "model": "m"},
        config.StaticInterimResponse: {"texts": ["t"]},
        config.FoundryAgent: {"agent_name": "a", "project_name": "p"},
    }.get(option, {})
    with pytest.raises(error, match=f"^{argument}: expected .*got"):
        option(**{**needed, argument: value})


BOUNDS = [
    (AzureVoiceLiveConfig, "turn_detection_threshold", 0, 1),
    (AzureVoiceLiveConfig, "turn_detection_silence_duration_ms", 0, 60_000),
    (AzureVoiceLiveConfig, "temperature", 0, 1.2),
    (AzureVoiceLiveConfig, "max_response_output_tokens", 1, 4096),
    (config.ServerVad, "threshold", 0, 1),
    (config.ServerVad, "idle_timeout_ms", 0, 3_600_000),
    (config.AzureSemanticVad, "speech_duration_ms", 0, 60_000),
    (config.EndOfUtterance, "timeout_ms", 0, 60_000),
    (config.LlmInterimResponse, "max_completion_tokens", 1, 4096),
]


@pytest.mark.parametrize(("option", "argument", "least", "most"), BOUNDS)
@given(data=st.data())
def test_every_number_has_bounds(
    option: Any, argument: str, least: float, most: float, data: st.DataObject
) -> None:
    numbers = st.integers() | st.integers(int(least) - 2, int(most) + 2)
    value = data.draw(numbers | st.sampled_from([int(least), int(most)]))
    if least <= value <= most:
        assert getattr(option(**{argument: value}), argument) == value
    else:
        with pytest.raises(ValueError, match=f"^{argument}: expected {least} to {most}, got"):
            option(**{argument: value})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("name", [*vars(AzureVoiceLiveConfig())])
@given(value=ANYTHING)
def test_anything_is_sent_as_json_or_refused_by_name(name: str, value: Any) -> None:
    try:
        settings = AzureVoiceLiveConfig(**{name: value})
    except (TypeError, ValueError) as error:
        assert str(error).startswith(f"{name}: expected ")  # noqa: PT017
    else:
        json.dumps(settings.session_update(model="m", instructions="x"), allow_nan=False)
        assert all(type(text) is str for text in settings.connect_query("m").values())


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("gpt-realtime", "turn_detection",
         config.ServerVad(end_of_utterance_detection=config.EndOfUtterance())),
        ("gpt-realtime-mini", "turn_detection",
         models.AzureSemanticVad(end_of_utterance_detection=models.AzureSemanticDetection())),
        ("gpt-realtime", "interim_response", config.LlmInterimResponse()),
        ("gpt-realtime", "tool_choice", config.ToolChoiceFunction("book")),
        ("gpt-4.1", "voice", config.AzureRealtimeNativeVoice("ava")),
        ("gpt-realtime", "input_audio_transcription", "azure-speech"),
        ("gpt-4o", "input_audio_transcription", "whisper-1"),
        ("gpt-5-mini", "input_audio_transcription", {"model": "gpt-4o-transcribe"}),
    ],
)  # fmt: skip
def test_what_does_not_go_with_the_model_is_refused_with_the_model(
    model: str, name: str, value: Any
) -> None:
    settings = AzureVoiceLiveConfig(**{name: value})
    with pytest.raises(ValueError, match=f"^{name}: expected .*{model}"):
        settings.session_update(model=model, instructions="x")
    extra = AzureVoiceLiveConfig(extra_session={name: config.wire.wire(name, value)})
    extra.session_update(model=model, instructions="x")  # who insists is let through


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("gpt-4.1", {"turn_detection": config.ServerVad(end_of_utterance_detection={"model": "x"})}),
        ("azure-realtime", {"voice": config.AzureRealtimeNativeVoice("ava")}),
        ("my-realtime", {"interim_response": config.LlmInterimResponse(),
                         "byom_profile": "byom-foundry-anthropic-messages"}),
        ("", {"interim_response": config.LlmInterimResponse(),
              "agent": {"agent_name": "a", "project_name": "p"}}),
        ("gpt-realtime", {"interim_response": config.LlmInterimResponse(),
                          "agent": {"agent_name": "a", "project_name": "p"}}),
        ("gpt-realtime", {"input_audio_transcription": "mai-transcribe-1"}),
        ("unknown", {"input_audio_transcription": "whisper-1"}),
    ],
)  # fmt: skip
def test_what_goes_with_the_model_is_not_refused(model: str, settings: dict[str, Any]) -> None:
    update(model, **settings)


def test_a_bad_value_that_was_assigned_later_is_refused_when_it_is_sent() -> None:
    settings = AzureVoiceLiveConfig()
    settings.temperature = 9
    with pytest.raises(ValueError, match=r"^temperature: expected"):
        settings.session_update(model="m", instructions="x")


def test_no_secret_is_shown() -> None:
    secret = "s3cret"
    settings = AzureVoiceLiveConfig(
        query={"agent-access-token": secret},
        headers={"Authorization": f"Bearer {secret}"},
        extra_session={"tools": [{"authorization": secret}]},
        avatar={"ice_servers": [{"credential": secret}]},
        voice=config.AzureStandardVoice("x", custom_lexicon_url=f"https://x?sig={secret}"),
    )
    assert secret not in repr(settings)
    for name, value in [
        ("headers", {"a": f"{secret}\n"}),
        ("query", {"a": [secret]}),
        ("extra_session", {"a": {secret}}),
        ("metadata", {"a": secret * 100}),
        ("avatar", {"a": secret.encode()}),
    ]:
        with pytest.raises((ValueError, TypeError)) as caught:
            AzureVoiceLiveConfig(**{name: value})  # type: ignore[arg-type]
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None
