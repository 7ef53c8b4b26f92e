"""What settings become on the wire."""

from __future__ import annotations

from typing import Any

from voicelane import AzureVoiceLiveConfig

CASCADED = "gpt-4.1"  # a model that hears by transcription and speaks by synthesis


def update(model: str = "gpt-realtime", **settings: Any) -> dict[str, Any]:
    """What is sent with these settings."""
    return AzureVoiceLiveConfig(**settings).session_update(model=model, instructions="x")


def added(**settings: Any) -> dict[str, Any]:
    """What these settings add to, or change in, what is sent anyway."""
    usual = update(CASCADED)
    return {
        key: value
        for key, value in update(CASCADED, **settings).items()
        if key not in usual or usual[key] != value
    }
