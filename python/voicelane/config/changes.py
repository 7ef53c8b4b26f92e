"""What a session's settings may become in its course."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .checks import text

VAD_FIELDS = (
    "turn_detection_threshold",
    "turn_detection_prefix_padding_ms",
    "turn_detection_silence_duration_ms",
)

# What one setting takes the place of.
REPLACES = {
    "turn_detection": VAD_FIELDS,
    "max_response_output_tokens": ("max_completion_tokens",),
    "max_completion_tokens": ("max_response_output_tokens",),
}
# The session's key, where the setting has another name.
_KEYS = {
    **dict.fromkeys(VAD_FIELDS, "turn_detection"),
    "max_completion_tokens": "max_response_output_tokens",
}
# How the service's default is asked for again; null for all others.
_DEFAULTS = {
    "max_response_output_tokens": "inf",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}

_INPUT = "the service fixes the format of its input"
_CONNECT = "it is said when connecting"
_FIXED = {
    "model": "the service fixes it",
    "input_audio_format": _INPUT,
    "input_audio_sampling_rate": _INPUT,
    "output_audio_format": "audio on its way would be read in the wrong format",
    "agent": _CONNECT,
    "byom_profile": _CONNECT,
    "foundry_resource_override": _CONNECT,
    "api_version": _CONNECT,
    "query": _CONNECT,
    "headers": _CONNECT,
    "credential_scopes": _CONNECT,
}


def check_changes(changes: Mapping[str, Any], *, known: Collection[str]) -> None:
    """Refuses what cannot change during a session.

    Raises:
        ValueError: it cannot.
        TypeError: there is no such setting.
    """
    for name, value in changes.items():
        if name in _FIXED:
            raise ValueError(
                f"{name}: expected no change during a session ({_FIXED[name]}), got one"
            )
        if name == "instructions":
            text(name, value)
        elif name not in known:
            raise TypeError(f"{name}: expected the name of a setting, got an unknown one")


def changed_keys(settings: Mapping[str, Any], changed: Iterable[str]) -> dict[str, Any]:
    """The part of `settings` that says these changes."""
    keys = [_KEYS.get(name, name) for name in changed]
    return {key: settings.get(key, _DEFAULTS.get(key)) for key in keys}
