"""What was asked for, to be awaited until it was heard."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Generator, Mapping
from typing import Any

from .errors import VoiceLiveError


class Reply:
    """An answer of the agent. Awaiting it waits until it was played to its end, or cut off.

    Awaiting raises what kept it from beginning: the service's refusal, a `ServiceError`, or a
    `VoiceLiveError` where too many waited before it.

        reply = await model.send_text_message("What time is it?")
        await reply
        print(reply.text, reply.status)

    Attributes:
        event_id: names the request, so that the service's refusal can say which one it is.
        request: the ``response`` object it was asked for with, None for the service's defaults.
        response_id: the service's id, None until it began.
        status: "waiting", "in_progress", and in the end as the service says: "completed", "cancelled",
            "failed" or "incomplete" (also where the connection was lost in the middle).
        text: what was said, as far as it is known.
        usage: tokens, as the service counts them.
    """

    def __init__(self, request: Mapping[str, Any] | None = None) -> None:
        self.event_id = f"voicelane-{secrets.token_hex(6)}"
        self.request = request
        self.response_id: str | None = None
        self.status = "waiting"
        self.text = ""
        self.usage: Mapping[str, Any] | None = None
        self._error: VoiceLiveError | None = None
        self._played = asyncio.Event()

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left of it to be heard."""
        return self._played.is_set()

    def __await__(self) -> Generator[Any, None, Reply]:
        return self._wait().__await__()

    async def _wait(self) -> Reply:
        await self._played.wait()
        if self._error is not None:
            raise self._error
        return self

    def finish(self, status: str | None = None, error: VoiceLiveError | None = None) -> None:
        """Lets go whoever waits. The first call counts."""
        if self._played.is_set():
            return
        self.status = status or self.status
        self._error = error
        self._played.set()

    def __repr__(self) -> str:
        return f"<Reply {self.response_id or 'not begun'}: {self.status}>"
