"""What was said and done so far, to be told again to a new connection."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_ITEMS = 200


@dataclass(slots=True)
class _Item:
    """One conversation item: a message whose text is known by now, or a tool's call or output."""

    role: str
    text: str = ""
    other: Mapping[str, Any] | None = None

    def client_item(self, item_id: str) -> dict[str, Any] | None:
        if self.other is not None:
            return {"id": item_id, **self.other}
        if not self.text:
            return None
        kind = "text" if self.role == "assistant" else "input_text"
        content = [{"type": kind, "text": self.text}]
        return {"id": item_id, "type": "message", "role": self.role, "content": content}


class History:
    """The conversation as text, the last `max_items` items of it.

    Audio is not kept: a spoken turn is replayed as its transcript, and what was cut off as the part of it
    that was heard.
    """

    def __init__(self, max_items: int = MAX_ITEMS) -> None:
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._max_items = max_items

    def __len__(self) -> int:
        return len(self._items)

    def clear(self) -> None:
        """Forgets everything: the next session is another conversation."""
        self._items.clear()

    def add(self, item: Mapping[str, Any]) -> None:
        """Notes an item that the service created; one that is known stays as it is."""
        item_id = item.get("id")
        if not isinstance(item_id, str) or item_id in self._items:
            return
        match item.get("type"):
            case "message":
                self._items[item_id] = _Item(str(item.get("role")), _text_of(item.get("content")))
            case "function_call_output":
                keys = ("type", "call_id", "output")
                self._items[item_id] = _Item("", other={key: item.get(key) for key in keys})
            case "function_call":
                # Its arguments are not known yet: `complete` brings them.
                self._items[item_id] = _Item("")
        while len(self._items) > self._max_items:
            self._items.popitem(last=False)

    def complete(self, item: Mapping[str, Any]) -> None:
        """Notes the call in a finished function call item."""
        known = self._items.get(str(item.get("id")))
        if known is not None and item.get("type") == "function_call":
            keys = ("type", "name", "call_id", "arguments")
            known.other = {key: item.get(key) for key in keys}

    def set_text(self, item_id: str, text: str) -> None:
        """Notes what was said in an item."""
        if item_id in self._items:
            self._items[item_id].text = text

    def remove(self, item_id: str) -> None:
        """Forgets an item."""
        self._items.pop(item_id, None)

    def replay(self) -> list[dict[str, Any]]:
        """The client events that tell it to a new connection."""
        items = (item.client_item(item_id) for item_id, item in self._items.items())
        return [{"type": "conversation.item.create", "item": item} for item in items if item]


def _text_of(content: object) -> str:
    parts = content if isinstance(content, list) else []
    texts = (
        part.get("text") or part.get("transcript") for part in parts if isinstance(part, Mapping)
    )
    return " ".join(str(text) for text in texts if text)


def user_item(content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the user says, with an id of ours: so the item is known before the service has confirmed it."""
    item_id = f"item_{secrets.token_hex(10)}"
    return {"id": item_id, "type": "message", "role": "user", "content": list(content)}


def input_text(message: str) -> dict[str, Any]:
    """A text as a part of what the user says.

    Raises:
        TypeError: it is no text.
    """
    return {"type": "input_text", "text": _checked(message)}


def assistant_item(message: str) -> dict[str, Any]:
    """What the agent says.

    Raises:
        TypeError: it is no text.
    """
    content = [{"type": "text", "text": _checked(message)}]
    return {"type": "message", "role": "assistant", "content": content}


def _checked(message: str) -> str:
    if not isinstance(message, str):
        raise TypeError(f"message: expected a str, got {type(message).__name__}")
    return message
