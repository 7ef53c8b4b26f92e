"""What is to be sent to one client: in order, bounded."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from aiohttp import web

from .close_codes import CallEndedError, CloseCode

MAX_WAITING_BYTES = 256 * 1024


class Outbox:
    """Lets nobody wait for a slow client but its own sender.

    Args:
        websocket: the client's.
    """

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket
        self._waiting: deque[str | bytes] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()

    def put(self, message: dict[str, Any] | bytes) -> None:
        """Appends a message: JSON, or audio."""
        data = message if isinstance(message, bytes) else json.dumps(message)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._filled.set()

    def drop_audio(self) -> None:
        """Forgets the audio that waits."""
        self._waiting = deque(data for data in self._waiting if isinstance(data, str))
        self._waiting_bytes = sum(map(len, self._waiting))

    async def send(self) -> None:
        """Sends what is put, until the connection is lost."""
        while True:
            self._filled.clear()
            while self._waiting:
                data = self._waiting.popleft()
                if isinstance(data, str):
                    await self._websocket.send_str(data)
                else:
                    await self._websocket.send_bytes(data)
                self._waiting_bytes = sum(map(len, self._waiting))
            await self._filled.wait()

    def check(self) -> None:
        """Refuses a client that does not read.

        Raises:
            CallEndedError: it does not.
        """
        if self._waiting_bytes > MAX_WAITING_BYTES:
            reason = f"expected to be read, got {self._waiting_bytes} bytes behind"
            raise CallEndedError(CloseCode.NOT_READING, reason)
