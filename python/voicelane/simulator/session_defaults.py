"""What a session is where the client says nothing, as the live service was recorded to tell it.

Of a cascaded model: recordings of gpt-4.1 and gpt-5 in pydantic/pydantic-ai,
tests/realtime/cassettes/test_azure_voice_live_ws/test_cascade_*.yaml, 2026-10.
"""

from __future__ import annotations

from .events import Event
from .models import is_cascaded, is_reasoning

_DETECTION_MS: Event = {"threshold": 0.5, "prefix_padding_ms": 400, "silence_duration_ms": 500}
_AZURE_STANDARD_VOICE: Event = dict.fromkeys(
    (
        "temperature", "custom_lexicon_url", "custom_text_normalization_url", "prefer_locales",
        "locale", "style", "pitch", "rate", "volume",
    )
)  # fmt: skip
_SEMANTIC_DETECTION_TUNING: Event = {
    "profile": "classic", "neg_threshold": None, "window_size": None, "distinct_ci_phones": None,
    "require_vowel": None, "require_vowel_assistant_speaking": None,
}  # fmt: skip
_END_OF_UTTERANCE: Event = {
    "threshold": None, "threshold_level": "default", "timeout": None, "timeout_ms": 1000,
}  # fmt: skip


def detection_values(kind: str) -> Event:
    """Return the threshold, padding and silence of a turn detection that does not tell them."""
    if kind == "azure_semantic_vad_multilingual":
        return _DETECTION_MS | {"prefix_padding_ms": 420}
    return _DETECTION_MS


def filled_turn_detection(given: Event, model: str) -> Event:
    """Return the turn detection of an update as the service tells it: with what was left out."""
    kind = given["type"]
    defaults: Event = {
        "type": kind,
        "create_response": True,
        "interrupt_response": True,
        "idle_timeout_ms": None,
        "speech_duration_ms": None,
        "auto_truncate": False,
        "appended_text_after_truncation": None,
    }
    if kind.startswith("azure_semantic_vad"):
        defaults |= {"remove_filler_words": False, "languages": None}
    if not is_cascaded(model):
        return defaults | detection_values(kind) | {"end_of_utterance_detection": None} | given
    # They hold, and are not told.
    defaults |= dict.fromkeys(_DETECTION_MS)
    if kind.startswith("azure_semantic_vad"):
        defaults |= _SEMANTIC_DETECTION_TUNING
    end = given.get("end_of_utterance_detection")
    return (
        defaults | given | ({"end_of_utterance_detection": _END_OF_UTTERANCE | end} if end else {})
    )


def filled_transcription(given: Event, model: str) -> Event:
    """Return the transcription of an update with what was left out."""
    return _transcription("" if is_cascaded(model) else None) | given


def _transcription(language: str | None) -> Event:
    nothing = dict.fromkeys(("model", "prompt", "delay", "custom_speech", "phrase_list"))
    return nothing | {"language": language}


def filled_voice(given: Event) -> Event:
    """Return a voice with what was left out."""
    return _AZURE_STANDARD_VOICE | given if given["type"] == "azure-standard" else given


def filled_echo_cancellation(given: Event) -> Event:
    """Return an echo cancellation with what was left out."""
    return {"reference_source": "server", "channels": 1} | given


def new_session(session_id: str, *, model: str, expires_at_s: int) -> Event:
    """Return the session of `session.created`."""
    session: Event = {
        "id": session_id,
        "model": model,
        "modalities": ["audio"],
        "instructions": "You are a helpful, friendly assistant. Speak briefly.",
        "voice": {"name": "alloy", "type": "openai"},
        "input_audio_format": "pcm16",
        "output_audio_format": None,
        "input_audio_transcription": None,
        "input_audio_noise_reduction": None,
        # Shorter than the defaults of an update: so it is recorded.
        "turn_detection": filled_turn_detection({"type": "server_vad"}, model)
        | {"prefix_padding_ms": 300, "silence_duration_ms": 200},
        "tools": [],
        "tool_choice": "auto",
        "max_response_output_tokens": "inf",
        "expires_at": expires_at_s,
        "object": "realtime.session",
        "input_audio_sampling_rate": 24000,
        "animation": None,
        "input_audio_echo_cancellation": None,
        "avatar": None,
        "output_audio_timestamp_types": None,
        "truncation_strategy": None,
        "include": None,
        "greeting": None,
        "handoff": None,
    }
    return session | _cascaded_options(model) if is_cascaded(model) else session


def _cascaded_options(model: str) -> Event:
    options: Event = {
        "modalities": ["audio", "text"],
        "voice": filled_voice({"name": "en-US-AvaNeural", "type": "azure-standard"}),
        "output_audio_format": "pcm16",
        "input_audio_transcription": _transcription(None) | {"model": "azure-speech"},
        "turn_detection": filled_turn_detection({"type": "server_vad"} | _DETECTION_MS, model),
        "temperature": 0.8,
    }
    if is_reasoning(model):
        options |= {"temperature": 1.0, "reasoning_effort": "minimal"}
    return options
