"""What is to be sent to one client: in order, bounded."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .close_codes import CallEndedError, CloseCode

MAX_WAITING_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Message:
    data: str | bytes
    is_audio: bool


class Outbox:
    """Lets nobody wait for a slow client but its own sender.

    Args:
        websocket: the client's.
    """

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket
        self._waiting: deque[_Message] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()

    def put(self, message: dict[str, Any]) -> None:
        """Appends a JSON message."""
        self._append(_Message(json.dumps(message), is_audio=False))

    def put_audio(self, data: str | bytes) -> None:
        """Appends what `drop_audio` forgets."""
        self._append(_Message(data, is_audio=True))

    def drop_audio(self) -> bool:
        """Forgets the audio that waits. Returns whether there was any."""
        num_waiting = len(self._waiting)
        self._waiting = deque(message for message in self._waiting if not message.is_audio)
        self._waiting_bytes = sum(len(message.data) for message in self._waiting)
        return len(self._waiting) < num_waiting

    async def send(self) -> None:
        """Sends what is put, until the connection is lost."""
        while True:
            self._filled.clear()
            while self._waiting:
                data = self._waiting.popleft().data
                self._waiting_bytes -= len(data)
                if isinstance(data, str):
                    await self._websocket.send_str(data)
                else:
                    await self._websocket.send_bytes(data)
            await self._filled.wait()

    def check(self) -> None:
        """Refuses a client that does not read.

        Raises:
            CallEndedError: it does not.
        """
        if self._waiting_bytes > MAX_WAITING_BYTES:
            reason = f"expected to be read, got {self._waiting_bytes} bytes behind"
            raise CallEndedError(CloseCode.NOT_READING, reason)

    def _append(self, message: _Message) -> None:
        self._waiting.append(message)
        self._waiting_bytes += len(message.data)
        self._filled.set()
