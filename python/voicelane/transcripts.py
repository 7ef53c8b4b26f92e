"""What the speakers say, as text: partial and final, told to the handlers and kept in the history."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .actions import Action, Emit
from .history import History
from .wire_values import mapping

# How many texts the bookkeeping looks back: a conversation may last an hour.
_REMEMBERED_TEXTS = 64


class Transcripts:
    """The texts of one connection.

    Args:
        history: takes them; outlives the connection.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._partial_texts: dict[tuple[str, str], str] = {}
        self._finished_user_items: deque[str] = deque(maxlen=_REMEMBERED_TEXTS)
        # Of items that were cut off before their text was complete: the share that was heard.
        self._heard_shares: dict[str, float] = {}

    def user_delta(self, event: Mapping[str, Any]) -> list[Action]:
        """More of what the user says."""
        return self._partial("user", event)

    def user_done(self, event: Mapping[str, Any]) -> list[Action]:
        """What the user said."""
        return self._user_text(str(event.get("item_id")), str(event.get("transcript") or ""))

    def user_item(self, item: Mapping[str, Any]) -> list[Action]:
        """An item of the user: cascaded models give the words here, realtime models null."""
        content = item.get("content")
        first = mapping(content[0]) if isinstance(content, list) and content else {}
        if item.get("role") != "user":
            return []
        return self._user_text(str(item.get("id")), str(first.get("transcript") or ""))

    def agent_delta(self, event: Mapping[str, Any]) -> list[Action]:
        """More of what the agent says."""
        return self._partial("agent", event)

    def agent_done(self, item_id: str, text: str) -> list[Action]:
        """What the agent says in all: also where it was cut off."""
        self._partial_texts.pop(("agent", item_id), None)
        self._history.set_text(item_id, text)
        if item_id in self._heard_shares:
            self._history.cut(item_id, self._heard_shares.pop(item_id))
        return [_transcription("agent", text, is_final=True)] if text else []

    def cut(self, item_id: str, heard_share: float) -> None:
        """The agent was cut off after this share of an item."""
        self._heard_shares[item_id] = heard_share
        self._history.cut(item_id, heard_share)

    def response_ended(self) -> None:
        """Texts of a response that was cut off may never be completed."""
        self._partial_texts = {k: v for k, v in self._partial_texts.items() if k[0] == "user"}
        self._heard_shares.clear()

    def abandon(self, heard_share: Callable[[str], float]) -> None:
        """The connection is lost: of what the agent was saying, what was heard is kept."""
        for role, item_id in self._partial_texts:
            if role == "agent":
                self._history.set_text(item_id, self._partial_texts[role, item_id])
                self._history.cut(item_id, heard_share(item_id))

    def _user_text(self, item_id: str, text: str) -> list[Action]:
        self._partial_texts.pop(("user", item_id), None)
        if item_id in self._finished_user_items or not text:
            return []
        self._finished_user_items.append(item_id)
        self._history.set_text(item_id, text)
        return [_transcription("user", text, is_final=True)]

    def _partial(self, role: str, event: Mapping[str, Any]) -> list[Action]:
        key = (role, str(event.get("item_id")))
        text = self._partial_texts.get(key, "") + str(event.get("delta") or "")
        self._partial_texts[key] = text
        while len(self._partial_texts) > _REMEMBERED_TEXTS:
            del self._partial_texts[next(iter(self._partial_texts))]
        return [_transcription(role, text, is_final=False)] if text else []


def _transcription(role: str, text: str, *, is_final: bool) -> Emit:
    payload = {"role": role, "text": text, "is_final": is_final}
    return Emit("realtime_model_transcription", payload)
