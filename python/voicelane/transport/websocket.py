"""What azure-ai-voicelive's connection takes for its websocket, over a native connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp

from ..errors import ConnectionLostError

if TYPE_CHECKING:
    from .native import NativeTransport


class NativeWebSocket:
    """As much of `aiohttp.ClientWebSocketResponse` as ``VoiceLiveConnection`` uses."""

    def __init__(self, transport: NativeTransport) -> None:
        self._transport = transport

    @property
    def closed(self) -> bool:
        """Whether the connection ended."""
        return self._transport.ended is not None

    @property
    def close_code(self) -> int | None:
        """The close code, None while it is open."""
        ended = self._transport.ended
        return ended.code if ended is not None else None

    async def send_str(self, data: str) -> None:
        """Sends a text.

        Raises:
            aiohttp.ClientConnectionResetError: the connection ended.
        """
        try:
            await self._transport.send_text(data)
        except ConnectionLostError as error:
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport") from error

    async def receive(self) -> NoReturn:
        """The session receives: a second receiver is refused, as aiohttp does it."""
        raise RuntimeError("Concurrent call to receive() is not allowed: the session receives")

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        """Closes the connection."""
        await self._transport.close(code=code, reason=message.decode("utf-8", "replace"))
        return True


class _NoClientSession:
    """In the place of the `aiohttp.ClientSession` that a connection of the SDK's closes with itself."""

    async def close(self) -> None:
        await asyncio.sleep(0)


def connection_over(transport: NativeTransport) -> Any:
    """The ``VoiceLiveConnection`` on top of it."""
    from azure.ai.voicelive.aio import VoiceLiveConnection

    session: Any = _NoClientSession()
    websocket: Any = NativeWebSocket(transport)
    return VoiceLiveConnection(session, websocket)
