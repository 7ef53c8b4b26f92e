"""What `session.update` may change in the session object.

A nested object that an update names replaces the old one and is filled up with defaults, as the
service does it; top-level keys that it does not name stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from .events import Event, RequestError, json_name, not_one_of, required_str, wrong_type
from .formats import OUTPUT_FORMATS
from .models import is_cascaded
from .session_defaults import (
    detection_values,
    filled_echo_cancellation,
    filled_transcription,
    filled_turn_detection,
    filled_voice,
)
from .speech import TurnSettings

MODALITIES = ("text", "audio", "animation", "avatar")
INPUT_FORMATS = ("pcm16", "g711_ulaw", "g711_alaw")
OPENAI_VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
VOICE_TYPES = (
    "openai", "azure-standard", "azure-custom", "azure-personal", "avatar-voice-sync",
    "azure-realtime-native",
)  # fmt: skip
TURN_DETECTION_TYPES = (
    "server_vad", "azure_semantic_vad", "azure_semantic_vad_en", "azure_semantic_vad_multilingual",
    "semantic_vad",
)  # fmt: skip
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")

_DEFAULT_SPEECH_DURATION_MS = {"server_vad": 200, "semantic_vad": 200}
_SEMANTIC_SPEECH_DURATION_MS = 80


def input_channels(session: Event) -> int:
    """Return how many channels the client sends: two where it brings an echo reference along."""
    return int((session["input_audio_echo_cancellation"] or {}).get("channels", 1))


def turn_settings(session: Event) -> TurnSettings | None:
    """Return how this session finds turns; None where the client says when they end."""
    detection = session["turn_detection"]
    if detection is None:
        return None
    speech_duration_ms = detection["speech_duration_ms"]
    if speech_duration_ms is None:
        speech_duration_ms = _DEFAULT_SPEECH_DURATION_MS.get(
            detection["type"], _SEMANTIC_SPEECH_DURATION_MS
        )
    values = {
        key: default if detection[key] is None else detection[key]
        for key, default in detection_values(detection["type"]).items()
    }
    return TurnSettings(**values, speech_duration_ms=speech_duration_ms)


def merged_session(
    session: Event, update: Event, *, audio_received: bool, audio_sent: bool
) -> Event:
    """Return `session` with `update` in it; `session` stays as it was.

    Args:
        session: The session so far.
        update: The `session` of a `session.update`.
        audio_received: The client has sent audio: its format is fixed.
        audio_sent: The service has sent audio: its voice is fixed.

    Raises:
        RequestError: A key is unknown, or a value is none that it can have (now).
    """
    merged = dict(session)
    for key, value in update.items():
        check = _CHECKS.get(key)
        if check is None:
            message = f"Unknown parameter: 'session.{key}'."
            raise RequestError(message, code="unknown_parameter", param=f"session.{key}")
        merged[key] = check(f"session.{key}", value)
        if merged[key] is not None and key in _FILLED:
            merged[key] = _FILLED[key](merged[key], session["model"])
    _check_fixed(session, merged, "model")
    if audio_received:
        _check_fixed(session, merged, "input_audio_format")
        _check_fixed(session, merged, "input_audio_sampling_rate")
    if audio_sent and merged["voice"] != session["voice"]:
        raise RequestError(
            "Cannot update a conversation's voice if assistant audio is present.",
            code="cannot_update_voice",
            param="session.voice",
        )
    if merged["input_audio_format"] != "pcm16":
        _check_g711_rate(merged, update)
    _check_end_of_utterance(merged)
    return merged


def _check_fixed(session: Event, merged: Event, key: str) -> None:
    if merged[key] != session[key]:
        message = f"Cannot change 'session.{key}' during a session (it is {session[key]!r})."
        raise RequestError(message, param=f"session.{key}")


def _check_g711_rate(merged: Event, update: Event) -> None:
    """G.711 has one rate: it is set where the client does not say another."""
    rate_hz = update.get("input_audio_sampling_rate", 8000)
    if rate_hz != 8000:
        message = f"Invalid value: {rate_hz}. {merged['input_audio_format']} has 8000 Hz."
        raise RequestError(message, param="session.input_audio_sampling_rate")
    merged["input_audio_sampling_rate"] = 8000


def _check_end_of_utterance(merged: Event) -> None:
    detection = merged["turn_detection"]
    wanted = detection and detection.get("end_of_utterance_detection")
    if wanted and not is_cascaded(merged["model"]):
        raise RequestError(
            f"End of utterance detection is not supported by {merged['model']}.",
            param="session.turn_detection.end_of_utterance_detection",
        )


def modalities(param: str, value: Any) -> list[str]:
    """Check a list of modalities, in a session or a response."""
    if not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    for modality in value:
        if modality not in MODALITIES:
            raise not_one_of(param, modality, MODALITIES)
    if not value:
        raise RequestError(f"Invalid '{param}': it is empty.", param=param)
    return value


def voice(param: str, value: Any) -> Event:
    """Check a voice, in a session or a response; a name alone is an OpenAI voice."""
    if isinstance(value, str):
        value = {"name": value, "type": "openai"}
    if not isinstance(value, dict):
        raise wrong_type(param, "a string or an object", value)
    kind = required_str(value, "type", path=f"{param}.")
    if kind not in VOICE_TYPES:
        raise not_one_of(f"{param}.type", kind, VOICE_TYPES)
    name = required_str(value, "name", path=f"{param}.") if kind != "avatar-voice-sync" else None
    if kind == "openai" and name not in OPENAI_VOICES:
        raise not_one_of(f"{param}.name", name, OPENAI_VOICES)
    return filled_voice(value)


def output_audio_format(param: str, value: Any) -> str | None:
    """Check an output format, in a session or a response."""
    if value is None:
        return None
    if value not in tuple(OUTPUT_FORMATS):
        raise not_one_of(param, value, OUTPUT_FORMATS)
    return str(value)


def max_output_tokens(param: str, value: Any) -> int | str:
    """Check a limit of output tokens, in a session or a response."""
    if value == "inf":
        return "inf"
    return int(_number(1, 4096, kind=int)(param, value))


def _turn_detection(param: str, value: Any) -> Event | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    kind = required_str(value, "type", path=f"{param}.")
    if kind not in TURN_DETECTION_TYPES:
        raise not_one_of(f"{param}.type", kind, TURN_DETECTION_TYPES)
    for key, check in _TURN_DETECTION_CHECKS.items():
        if key in value:
            check(f"{param}.{key}", value[key])
    return value


def _transcription(param: str, value: Any) -> Event | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    required_str(value, "model", path=f"{param}.")
    return value


def _echo_cancellation(param: str, value: Any) -> Event | None:
    if _OPTIONAL_OBJECT(param, value) is None:
        return None
    filled = filled_echo_cancellation(value)
    _one_of(1, 2)(f"{param}.channels", filled["channels"])
    return filled


def _tools(param: str, value: Any) -> list[Event]:
    if not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    for index, tool in enumerate(value):
        path = f"{param}[{index}]"
        if not isinstance(tool, dict):
            raise wrong_type(path, "an object", tool)
        kind = required_str(tool, "type", path=f"{path}.")
        if kind == "function":
            required_str(tool, "name", path=f"{path}.")
        elif kind == "mcp":
            _check_mcp_server(tool, path)
        elif kind != "foundry_agent":
            raise not_one_of(f"{path}.type", kind, ("function", "mcp", "foundry_agent"))
    return value


def _check_mcp_server(tool: Event, path: str) -> None:
    required_str(tool, "server_label", path=f"{path}.")
    required_str(tool, "server_url", path=f"{path}.")
    _optional(_names)(f"{path}.allowed_tools", tool.get("allowed_tools"))
    rule = tool.get("require_approval")
    if isinstance(rule, dict):
        for key, names in rule.items():
            _names(f"{path}.require_approval.{key}", names)
    else:
        _optional(_one_of("always", "never"))(f"{path}.require_approval", rule)


def _names(param: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise wrong_type(param, "an array", value)
    for index, name in enumerate(value):
        if not isinstance(name, str):
            raise wrong_type(f"{param}[{index}]", "a string", name)
    return value


def _tool_choice(param: str, value: Any) -> str | Event:
    if isinstance(value, dict):
        required_str(value, "type", path=f"{param}.")
        return value
    return str(_one_of("auto", "none", "required")(param, value))


def metadata(param: str, value: Any) -> Event | None:
    """Check metadata: up to 16 pairs, keys of up to 64 and values of up to 512 characters."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    if len(value) > 16:
        raise RequestError(f"Invalid '{param}': {len(value)} pairs, at most 16.", param=param)
    for key, text in value.items():
        if not isinstance(text, str):
            raise wrong_type(f"{param}.{key}", "a string", text)
        if len(key) > 64 or len(text) > 512:
            raise RequestError(f"Invalid '{param}.{key}': too long.", param=f"{param}.{key}")
    return value


_Check = Callable[[str, Any], Any]


def _one_of(*supported: object) -> _Check:
    def check(param: str, value: Any) -> Any:
        # Type and value: True is no 1, and a list is in no set.
        if not any(type(value) is type(one) and value == one for one in supported):
            raise not_one_of(param, value, supported)
        return value

    return check


def _number(lowest: float, highest: float, *, kind: type[float] = float) -> _Check:
    def check(param: str, value: Any) -> Any:
        accepted: Collection[type] = (int,) if kind is int else (int, float)
        if type(value) not in accepted:
            raise wrong_type(param, "an integer" if kind is int else "a number", value)
        if not lowest <= value <= highest:
            message = f"Invalid '{param}': expected {lowest} to {highest}, but got {value}."
            raise RequestError(message, param=param)
        return value

    return check


def _typed(*accepted: type) -> _Check:
    names = " or ".join(json_name(kind()) for kind in accepted)

    def check(param: str, value: Any) -> Any:
        if type(value) not in accepted:
            raise wrong_type(param, names, value)
        return value

    return check


def _optional(check: _Check) -> _Check:
    return lambda param, value: None if value is None else check(param, value)


_DURATION_MS = _number(0, 60_000, kind=int)
_TURN_DETECTION_CHECKS: dict[str, _Check] = {
    "threshold": _optional(_number(0, 1)),
    "prefix_padding_ms": _optional(_DURATION_MS),
    "silence_duration_ms": _optional(_DURATION_MS),
    "speech_duration_ms": _optional(_DURATION_MS),
    "create_response": _typed(bool),
    "interrupt_response": _typed(bool),
    "auto_truncate": _typed(bool),
    "end_of_utterance_detection": _optional(_typed(dict)),
}
_OPTIONAL_OBJECT = _optional(_typed(dict))
_OPTIONAL_ARRAY = _optional(_typed(list))
_CHECKS: dict[str, _Check] = {
    "model": _typed(str),
    "modalities": modalities,
    "instructions": _typed(str),
    "voice": voice,
    "input_audio_format": _one_of(*INPUT_FORMATS),
    "input_audio_sampling_rate": _one_of(8000, 16000, 24000, 44100),
    "output_audio_format": output_audio_format,
    "turn_detection": _turn_detection,
    "input_audio_noise_reduction": _OPTIONAL_OBJECT,
    "input_audio_echo_cancellation": _echo_cancellation,
    "input_audio_transcription": _transcription,
    "output_audio_timestamp_types": _OPTIONAL_ARRAY,
    "animation": _OPTIONAL_OBJECT,
    "avatar": _OPTIONAL_OBJECT,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _typed(bool),
    "temperature": _optional(_number(0, 1.2)),  # documented as 0 to 1 and as 0.6 to 1.2
    "max_response_output_tokens": max_output_tokens,
    "reasoning_effort": _optional(_one_of(*REASONING_EFFORTS)),
    "interim_response": _OPTIONAL_OBJECT,
    "include": _OPTIONAL_ARRAY,
    "metadata": metadata,
    "truncation_strategy": _OPTIONAL_OBJECT,
}
# Then what the update leaves out is told, by the model.
_FILLED = {
    "turn_detection": filled_turn_detection,
    "input_audio_transcription": filled_transcription,
}
