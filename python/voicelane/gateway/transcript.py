"""Numbers what the speakers say, so that a page knows which text replaces which."""

from __future__ import annotations

from typing import Any


class TranscriptLines:
    """One open text for each speaker at most."""

    def __init__(self) -> None:
        self._last_id = 0
        self._open: dict[str, int] = {}

    def said(self, role: str, text: str, is_final: bool) -> dict[str, Any]:
        """The message for what is known of a text."""
        line = self._open.get(role)
        if line is None:
            self._last_id += 1
            line = self._open[role] = self._last_id
        if is_final:
            del self._open[role]
        message = {"type": "transcript", "id": line, "role": role, "text": text}
        return {**message, "is_final": is_final}

    def cut(self) -> dict[str, Any] | None:
        """The message that the agent's open text was cut off; None where there is none."""
        line = self._open.get("agent")
        return None if line is None else {"type": "transcript_cut", "id": line}

    def end(self, role: str) -> None:
        """What that speaker says next is another text."""
        self._open.pop(role, None)
