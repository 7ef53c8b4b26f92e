"""Numbers what the speakers say, so that a page knows which text replaces which."""

from __future__ import annotations

from typing import Any

# How many of the agent's texts may still be cut: none that is much older is still being heard.
_REMEMBERED_TEXTS = 64


class TranscriptLines:
    """One open text for each speaker at most."""

    def __init__(self) -> None:
        self._last_id = 0
        self._open: dict[str, int] = {}
        self._agent_texts: dict[int, str] = {}

    def said(self, role: str, text: str, is_final: bool) -> dict[str, Any]:
        """The message for what is known of a text."""
        line = self._open.get(role)
        if line is None:
            self._last_id += 1
            line = self._open[role] = self._last_id
        if is_final:
            del self._open[role]
        if role == "agent":
            self._agent_texts[line] = text
            while len(self._agent_texts) > _REMEMBERED_TEXTS:
                del self._agent_texts[next(iter(self._agent_texts))]
        message = {"type": "transcript", "id": line, "role": role, "text": text}
        return {**message, "is_final": is_final}

    def cut(self, text: str, heard_text: str) -> dict[str, Any] | None:
        """The message that the agent was cut off in its last text like this; None where there is none."""
        for line, said in reversed(self._agent_texts.items()):
            if said == text:
                return {"type": "transcript_cut", "id": line, "text": heard_text}
        return None

    def end(self, role: str) -> None:
        """What that speaker says next is another text."""
        self._open.pop(role, None)
