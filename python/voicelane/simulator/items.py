"""Items of a conversation, and reading the ones that a client makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .events import (
    Event,
    Ids,
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
        is_clients: The client has made it.
    """

    data: Event
    audio_ms: int = 0
    is_clients: bool = False

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


def spoken_item(item_id: str, audio_ms: int) -> Item:
    """Return what the user said in a turn, before it is transcribed."""
    data: Event = {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    return Item(data, audio_ms)


def item_from_request(request: Event, new_id: str, *, path: str = "item.") -> Item:
    """Check an item that a client makes and return it as the service keeps it.

    Args:
        request: The item as the client sent it.
        new_id: Its id, unless it brings its own.
        path: What leads to it in the client's event.

    Raises:
        RequestError: A field is missing, or has a value that it cannot have.
    """
    kind = required_str(request, "type", path=path)
    if kind not in _ITEM_TYPES:
        raise not_one_of(f"{path}type", kind, _ITEM_TYPES)
    given_id = request.get("id")
    item_id = new_id if given_id is None else required_str(request, "id", path=path)
    data: Event = {"id": item_id, "object": "realtime.item", "type": kind}
    keys: tuple[str, ...]
    match kind:
        case "message":
            role, content = _message(request, path)
            data |= {"status": "completed", "role": role, "content": content}
            return Item(data, is_clients=True)
        case "function_call":
            data["status"] = "completed"
            keys = ("name", "call_id", "arguments")
        case "function_call_output":
            keys = ("call_id", "output")
        case _:
            approve = request.get("approve")
            if not isinstance(approve, bool):
                raise wrong_type(f"{path}approve", "a boolean", approve)
            data["approve"] = approve
            keys = ("approval_request_id",)
    data |= {key: required_str(request, key, path=path) for key in keys}
    return Item(data, is_clients=True)


def items_from_params(params: Event, key: str, ids: Ids) -> list[Item] | None:
    """Return the items under `key` of a `response.create`'s response, None if there is no such key.

    Raises:
        RequestError: One of them is none.
    """
    if params.get(key) is None:
        return None
    items = []
    for index, request in enumerate(required_array(params, key, path="response.")):
        path = f"response.{key}[{index}]"
        if not isinstance(request, dict):
            raise wrong_type(path, "an object", request)
        items.append(item_from_request(request, ids.new("item"), path=f"{path}."))
    return items


def _message(request: Event, path: str) -> tuple[str, list[Event]]:
    role = required_str(request, "role", path=path)
    if role not in _CONTENT_TYPES:
        raise not_one_of(f"{path}role", role, tuple(_CONTENT_TYPES))
    content = required_array(request, "content", path=path)
    return role, [
        _content_part(role, part, f"{path}content[{index}]") for index, part in enumerate(content)
    ]


def _content_part(role: str, part: Any, path: str) -> Event:
    if not isinstance(part, dict):
        raise wrong_type(path, "an object", part)
    kind = required_str(part, "type", path=f"{path}.")
    kind = "text" if kind == "output_text" else kind  # taken, and told, as the other
    if kind not in _CONTENT_TYPES[role]:
        raise not_one_of(f"{path}.type", kind, _CONTENT_TYPES[role])
    if kind == "input_audio":
        required_base64(part, "audio", path=f"{path}.")
        return {"type": kind, "transcript": part.get("transcript")}
    if kind == "input_image":
        return part
    return {"type": kind, "text": required_str(part, "text", path=f"{path}.")}
