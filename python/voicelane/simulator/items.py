"""The conversation's items, and reading the ones that a client creates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .events import (
    Event,
    RequestError,
    not_one_of,
    required_array,
    required_base64,
    required_str,
    tokens_of,
    wrong_type,
)

_CONTENT_TYPES = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("text",),
}
_ITEM_TYPES = ("message", "function_call", "function_call_output", "mcp_approval_response")
_INPUT_AUDIO_TOKENS_PER_S = 10


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        data: Its wire form. Replaced, never changed in place: events that were sent share it.
        audio_ms: How much audio it has; of an assistant's, what was sent so far.
    """

    data: Event
    audio_ms: int = 0

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.data["id"])

    @property
    def is_assistant_audio(self) -> bool:
        """Whether it can be truncated."""
        content = self.data.get("content") or [{}]
        return self.data.get("role") == "assistant" and content[0].get("type") == "audio"

    def truncate(self, audio_end_ms: int) -> None:
        """Keep the first `audio_end_ms`, and that share of the words: the rest was not heard."""
        part = self.data["content"][0]
        words = tokens_of(part["transcript"])
        heard = words[: len(words) * audio_end_ms // self.audio_ms] if self.audio_ms else []
        self.data = self.data | {"content": [part | {"transcript": "".join(heard)}]}
        self.audio_ms = audio_end_ms

    def input_tokens(self) -> tuple[int, int]:
        """Return the text and the audio tokens that a model is given for this item."""
        if self.audio_ms:
            return 0, self.audio_ms * _INPUT_AUDIO_TOKENS_PER_S // 1000
        parts = self.data.get("content", ())
        texts = [part.get(key) for part in parts for key in ("text", "transcript")]
        texts += [self.data.get("output"), self.data.get("arguments")]
        return sum(len(tokens_of(text)) for text in texts if isinstance(text, str)), 0


class History:
    """The items of a conversation, in order. It lives and grows as long as its session."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    @property
    def last_id(self) -> str | None:
        """The id of the last item, None if there is none."""
        return self.items[-1].id if self.items else None

    def find(self, item_id: str) -> Item | None:
        """Return the item with this id, None if there is none."""
        return next((item for item in reversed(self.items) if item.id == item_id), None)

    def insert(self, item: Item, after_id: str | None) -> str | None:
        """Put `item` after the item `after_id` ("root": first; None: last).

        Returns:
            The id of the item before it, None if it is the first.

        Raises:
            RequestError: There is no item `after_id`, or there is one with the new item's id.
        """
        if self.find(item.id) is not None:
            message = f"Error adding item: an item with ID '{item.id}' already exists."
            raise RequestError(message, code="item_create_duplicate_item_id", param="item.id")
        if after_id is None:
            index = len(self.items)
        elif after_id == "root":
            index = 0
        else:
            previous = self.find(after_id)
            if previous is None:
                raise RequestError(
                    f"Error adding item: the previous item with id '{after_id}' does not exist.",
                    code="item_create_invalid_previous_item_id",
                    param="previous_item_id",
                )
            index = self.items.index(previous) + 1
        self.items.insert(index, item)
        return self.items[index - 1].id if index else None

    def input_tokens(self) -> tuple[int, int]:
        """Return the text and the audio tokens of all items."""
        pairs = [item.input_tokens() for item in self.items]
        return sum(text for text, _ in pairs), sum(audio for _, audio in pairs)


def item_from_request(request: Event, new_id: str) -> Item:
    """Check the `item` of a `conversation.item.create` and return it as the service keeps it.

    Args:
        request: The item as the client sent it.
        new_id: Its id, unless it brings its own.

    Raises:
        RequestError: A field is missing, or has a value that it cannot have.
    """
    kind = required_str(request, "type", path="item.")
    if kind not in _ITEM_TYPES:
        raise not_one_of("item.type", kind, _ITEM_TYPES)
    given_id = request.get("id")
    item_id = new_id if given_id is None else required_str(request, "id", path="item.")
    data: Event = {"id": item_id, "object": "realtime.item", "type": kind}
    keys: tuple[str, ...]
    match kind:
        case "message":
            role, content = _message(request)
            return Item(data | {"status": "completed", "role": role, "content": content})
        case "function_call":
            data["status"] = "completed"
            keys = ("name", "call_id", "arguments")
        case "function_call_output":
            keys = ("call_id", "output")
        case _:
            approve = request.get("approve")
            if not isinstance(approve, bool):
                raise wrong_type("item.approve", "a boolean", approve)
            data["approve"] = approve
            keys = ("approval_request_id",)
    return Item(data | {key: required_str(request, key, path="item.") for key in keys})


def _message(request: Event) -> tuple[str, list[Event]]:
    role = required_str(request, "role", path="item.")
    if role not in _CONTENT_TYPES:
        raise not_one_of("item.role", role, tuple(_CONTENT_TYPES))
    content = required_array(request, "content", path="item.")
    return role, [
        _content_part(role, part, f"item.content[{index}]") for index, part in enumerate(content)
    ]


def _content_part(role: str, part: Any, path: str) -> Event:
    if not isinstance(part, dict):
        raise wrong_type(path, "an object", part)
    kind = required_str(part, "type", path=f"{path}.")
    if kind not in _CONTENT_TYPES[role]:
        raise not_one_of(f"{path}.type", kind, _CONTENT_TYPES[role])
    if kind == "input_audio":
        required_base64(part, "audio", path=f"{path}.")
        return {"type": kind, "transcript": part.get("transcript")}
    if kind == "input_image":
        return part
    return {"type": kind, "text": required_str(part, "text", path=f"{path}.")}
