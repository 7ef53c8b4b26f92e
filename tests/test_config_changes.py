"""What may change in the course of a session."""

from __future__ import annotations

from typing import Any

import pytest

from voicelane import AzureVoiceLiveConfig, config


def changes(before: AzureVoiceLiveConfig | None = None, **changed: Any) -> dict[str, Any]:
    return (before or AzureVoiceLiveConfig()).session_changes(**changed)


def test_changes_say_what_changes_and_nothing_else() -> None:
    assert changes() == {}
    assert changes(instructions="Be brief.", temperature=0.7) == {
        "instructions": "Be brief.",
        "temperature": 0.7,
    }
    assert changes(voice="alloy", modalities=["text"]) == {"voice": "alloy", "modalities": ["text"]}
    assert changes(max_completion_tokens=9) == {"max_response_output_tokens": 9}
    assert changes(turn_detection=config.AzureSemanticVad(threshold=0.2)) == {
        "turn_detection": {"type": "azure_semantic_vad", "threshold": 0.2}
    }
    assert changes(turn_detection_threshold=0.2)["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.2,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
    }
    assert changes(extra_session={"a": 1}, tool_choice="none") == {"tool_choice": "none", "a": 1}


def test_none_goes_back_to_the_services_default() -> None:
    assert changes(
        AzureVoiceLiveConfig(max_completion_tokens=9),
        max_response_output_tokens=None,
        tool_choice=None,
        parallel_tool_calls=None,
        turn_detection=None,
        input_audio_noise_reduction=None,
    ) == {
        "max_response_output_tokens": "inf",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "turn_detection": None,
        "input_audio_noise_reduction": None,
    }


def test_a_change_takes_the_place_of_what_said_the_same() -> None:
    before = AzureVoiceLiveConfig(turn_detection_threshold=0.2, max_completion_tokens=9)
    assert changes(before, turn_detection="azure_semantic_vad", max_response_output_tokens=10) == {
        "turn_detection": {"type": "azure_semantic_vad"},
        "max_response_output_tokens": 10,
    }
    before = AzureVoiceLiveConfig(extra_session={"temperature": 1.9, "a": 1}, headers={"h": "v"})
    after = before.with_changes(temperature=0.5, extra_session={"b": 2})
    assert after.session_update(model="m", instructions="x") == AzureVoiceLiveConfig(
        temperature=0.5, extra_session={"a": 1, "b": 2}
    ).session_update(model="m", instructions="x")
    assert after.headers == {"h": "v"}
    assert before.extra_session == {"temperature": 1.9, "a": 1}


def test_the_transcription_may_follow_the_model() -> None:
    changed = changes(input_audio_transcription="auto", session_model="gpt-4.1")
    assert changed == {"input_audio_transcription": {"model": "azure-speech"}}
    with pytest.raises(ValueError, match=r"^input_audio_transcription: expected .*got 'auto'"):
        changes(input_audio_transcription="auto")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"model": "gpt-4.1"}, ValueError),
        ({"input_audio_format": "g711_ulaw"}, ValueError),
        ({"input_audio_sampling_rate": 16_000}, ValueError),
        ({"output_audio_format": "g711_ulaw"}, ValueError),
        ({"agent": None}, ValueError),
        ({"byom_profile": None}, ValueError),
        ({"foundry_resource_override": "x"}, ValueError),
        ({"api_version": "2026-07-15"}, ValueError),
        ({"query": {"a": "s3cret"}}, ValueError),
        ({"headers": {"a": "s3cret"}}, ValueError),
        ({"credential_scopes": "x"}, ValueError),
        ({"voice": "alloy", "agent_has_spoken": True}, ValueError),
        ({"voise": "alloy"}, TypeError),
        ({"_": None}, TypeError),
        ({"temperature": 9}, ValueError),
        ({"instructions": 9}, TypeError),
        ({"turn_detection": "loud"}, ValueError),
        ({"turn_detection": {"type": "server_vad", "end_of_utterance_detection": {"model": "m"}},
          "session_model": "gpt-realtime"}, ValueError),
        ({"input_audio_echo_cancellation": {"type": "t", "reference_source": "client",
                                            "channels": 2}}, ValueError),
    ],
)  # fmt: skip
def test_what_cannot_change_is_refused_by_name(
    changed: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"^{next(iter(changed))}: expected .*got") as caught:
        changes(**changed)
    assert "s3cret" not in str(caught.value)


def test_an_agents_instructions_cannot_change() -> None:
    agent = config.FoundryAgent(agent_name="a", project_name="p")
    with pytest.raises(ValueError, match=r"^instructions: expected none with an agent"):
        changes(AzureVoiceLiveConfig(agent=agent), instructions="x")
