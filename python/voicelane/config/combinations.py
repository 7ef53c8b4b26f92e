"""Settings that are right alone and cannot work together.

All of it is about the wire form: options, models of the client and mappings are treated alike. Where the
service's documents contradict each other, nothing is refused here: the service decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .input_audio import check_echo_pair
from .output import OPENAI_OUTPUT_FORMATS
from .voices import is_openai

Settings = Mapping[str, Any]

_NATIVE_VOICE_MODEL = "azure-realtime"


def check_settings(settings: Settings) -> None:
    """What can be said before the model is known."""
    _check_input(settings)
    if is_openai(settings["voice"]):
        _check_openai_voice(settings)


def _check_input(settings: Settings) -> None:
    encoding, rate_hz = settings["input_audio_format"], settings["input_audio_sampling_rate"]
    if encoding != "pcm16" and rate_hz != 8_000:
        raise ValueError(f"input_audio_sampling_rate: expected 8000 with {encoding}, got {rate_hz}")
    echo = settings.get("input_audio_echo_cancellation")
    if echo is not None:
        check_echo_pair("input_audio_echo_cancellation", echo)
        if echo.get("channels") == 2 and encoding != "pcm16":
            raise ValueError(
                "input_audio_format: expected 'pcm16' with echo cancellation of two channels, "
                f"got {encoding!r}"
            )


def _check_openai_voice(settings: Settings) -> None:
    output = settings["output_audio_format"]
    if output not in OPENAI_OUTPUT_FORMATS:
        raise ValueError(
            f"output_audio_format: expected one of {', '.join(OPENAI_OUTPUT_FORMATS)} with an "
            f"OpenAI voice, got {output!r}"
        )
    for name in ("output_audio_timestamp_types", "interim_response"):
        if settings.get(name) is not None:
            raise ValueError(f"{name}: expected an Azure voice with it, got an OpenAI voice")


def is_realtime(model: str, query: Mapping[str, str]) -> bool:
    """Whether the model hears and speaks itself; all others are cascaded: speech to text to speech."""
    if has_agent(query):
        return False
    profile = query.get("profile")
    return "realtime" in (model if profile is None else profile)


def has_agent(query: Mapping[str, str]) -> bool:
    """Whether an agent stands in the model's place."""
    return "agent-name" in query or "agent-id" in query


def transcriber_for(model: str, query: Mapping[str, str]) -> str:
    """The transcription model that goes with the session's."""
    return "whisper-1" if _transcribes_like_openai(model, query) else "azure-speech"


def _transcribes_like_openai(model: str, query: Mapping[str, str]) -> bool:
    if has_agent(query) or "profile" in query:
        return is_realtime(model, query)
    return model.startswith("gpt-realtime")


def check_for_model(settings: Settings, model: str, query: Mapping[str, str]) -> None:
    """What can be said once the model is known."""
    if is_realtime(model, query):
        _check_realtime(settings, model)
    voice = settings["voice"]
    is_named = not has_agent(query) and "profile" not in query
    if (
        is_named
        and not is_openai(voice)
        and voice["type"] == "azure-realtime-native"
        and not model.startswith(_NATIVE_VOICE_MODEL)
    ):
        raise ValueError(
            f"voice: expected the model {_NATIVE_VOICE_MODEL} with an azure-realtime-native voice, "
            f"got the model {model!r}"
        )
    _check_transcription(settings, model, query)


def _check_realtime(settings: Settings, model: str) -> None:
    detection = settings["turn_detection"] or {}
    if detection.get("end_of_utterance_detection"):
        raise ValueError(
            "turn_detection: expected no end_of_utterance_detection with a realtime model, which "
            f"rejects it, got the model {model!r}"
        )
    if settings.get("interim_response") is not None:
        raise ValueError(
            "interim_response: expected a cascaded model or an agent with it, "
            f"got the model {model!r}"
        )
    if isinstance(settings.get("tool_choice"), dict):
        raise ValueError(
            "tool_choice: expected 'auto', 'none' or 'required' with a realtime model, "
            f"got {settings['tool_choice']} and the model {model!r}"
        )


def _check_transcription(settings: Settings, model: str, query: Mapping[str, str]) -> None:
    transcriber = (settings.get("input_audio_transcription") or {}).get("model", "")
    like_openai = _transcribes_like_openai(model, query)
    if like_openai and transcriber == "azure-speech":
        raise ValueError(
            f"input_audio_transcription: expected no azure-speech with the model {model!r} "
            "(whisper-1, gpt-4o-transcribe and mai-transcribe-1 go with it), got 'azure-speech'"
        )
    # Of a model that nobody here knows, the service knows best.
    is_known = has_agent(query) or "profile" in query or model.startswith(("gpt-4", "gpt-5"))
    if is_known and not like_openai and transcriber.startswith(("whisper-", "gpt-4o-")):
        raise ValueError(
            "input_audio_transcription: expected azure-speech or mai-transcribe-1 with the model "
            f"{model!r}, which is no realtime model, got {transcriber!r}"
        )
