"""What the service tells of the words of a spoken turn."""

from __future__ import annotations

from .events import Event, tokens_of
from .items import Item

_KIND = "conversation.item.input_audio_transcription"
# The text is ours: no source has recorded one.
_FAILURE: Event = {
    "type": "transcription_error",
    "code": "audio_unintelligible",
    "message": "The audio could not be transcribed.",
    "param": None,
}


def transcribe(item: Item, text: str | None, *, language: str | None) -> list[Event]:
    """Put the words into the item of a spoken turn; return the events that tell them.

    Args:
        item: The turn.
        text: The words, None if they could not be understood.
        language: Told with the words of a cascaded model, which come in one; None: not told.
    """
    where = {"item_id": item.id, "content_index": 0}
    if text is None:
        return [{"type": f"{_KIND}.failed", **where, "error": _FAILURE}]
    part = item.data["content"][0] | {"transcript": text}
    item.data = item.data | {"content": [part]}
    completed: Event = {"type": f"{_KIND}.completed", **where, "transcript": text}
    if language is not None:
        return [completed | {"language": language}]
    deltas: list[Event] = [
        {"type": f"{_KIND}.delta", **where, "delta": word} for word in tokens_of(text)
    ]
    return [*deltas, completed]
