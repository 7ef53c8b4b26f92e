"""Which models are cascaded: speech to text, a text model, text to speech.

All others hear and speak themselves. The names are those of the service's overview of models
(Microsoft Learn, 2026-09-29); an agent is cascaded, too.
"""

from __future__ import annotations

_CASCADED = ("gpt-4o", "gpt-4.1", "gpt-5", "agent")
_REASONING = "gpt-5"


def is_cascaded(model: str) -> bool:
    """Whether a model of this name is cascaded; a name that is in no list is a realtime model's."""
    return model.startswith(_CASCADED) and "realtime" not in model


def is_reasoning(model: str) -> bool:
    """Whether it has a reasoning effort."""
    return is_cascaded(model) and model.startswith(_REASONING)
