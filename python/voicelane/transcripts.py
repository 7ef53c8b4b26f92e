"""What the speakers say, as text: partial and final, told to the handlers and kept in the history."""

from __future__ import annotations

from collections import OrderedDict, deque
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
        # Of the agent's items, the whole of it.
        self._agent_texts: OrderedDict[str, str] = OrderedDict()
        # Of items that were cut off, the share that was heard: their text may be completed later.
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
        if not text:
            return []
        self._agent_texts[item_id] = text
        while len(self._agent_texts) > _REMEMBERED_TEXTS:
            self._agent_texts.popitem(last=False)
        said: list[Action] = [_transcription("agent", text, is_final=True)]
        if item_id in self._heard_shares:
            said += self.cut(item_id, self._heard_shares[item_id])
        return said

    def cut(self, item_id: str, heard_share: float) -> list[Action]:
        """The agent was cut off after this share of an item."""
        self._heard_shares[item_id] = heard_share
        partial = self._partial_texts.get(("agent", item_id), "")
        text = self._agent_texts.get(item_id, partial)
        if not text:
            return []
        heard_text = _heard(text, heard_share)
        self._history.set_text(item_id, heard_text)
        return [Emit("transcript_cut", {"text": text, "heard_text": heard_text})]

    def response_ended(self) -> None:
        """Texts of a response that was cut off may never be completed."""
        self._partial_texts = {k: v for k, v in self._partial_texts.items() if k[0] == "user"}
        self._heard_shares.clear()

    def abandon(self, heard_share: Callable[[str], float]) -> None:
        """The connection is lost: of what the agent was saying, what was heard is kept."""
        for (role, item_id), text in self._partial_texts.items():
            if role == "agent" and item_id not in self._heard_shares:
                self._history.set_text(item_id, _heard(text, heard_share(item_id)))

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


def _heard(text: str, share: float) -> str:
    """So many words of a text, by the share of its audio."""
    words = text.split(" ")
    return " ".join(words[: int(len(words) * share)])


def _transcription(role: str, text: str, *, is_final: bool) -> Emit:
    payload = {"role": role, "text": text, "is_final": is_final}
    return Emit("realtime_model_transcription", payload)
