"""A server that says bytes: what no websocket library would send."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from support import TIMEOUT_S

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
READY = b'{"type":"session.updated","session":{"id":"s"}}'
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, is_masked: bool = False
) -> bytes:
    """A frame of RFC 6455, 5.2, right or wrong."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    mask_bit = is_masked << 7
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += struct.pack("!BH", mask_bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", mask_bit | 127, len(payload))
    # The mask of zeros changes nothing.
    return head + bytes(4 * is_masked) + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> str:
        """The head of the client's HTTP request."""
        return (await self._reader.readuntil(b"\r\n\r\n")).decode()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def upgrade(self, *more_headers: str) -> None:
        """Answers the request with the switch to websocket."""
        headers = (line.partition(": ") for line in (await self.request()).split("\r\n")[1:])
        key = next(value for name, _, value in headers if name.lower() == "sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}",
            *more_headers,
        )
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def accept(self, *more_headers: str) -> None:
        """Opens the websocket and accepts the session."""
        await self.upgrade(*more_headers)
        while (await self.receive())[0] != TEXT:
            pass  # a ping, where the heart beats fast and this machine does not
        await self.send(frame(TEXT, READY))

    async def receive(self) -> tuple[int, bytes]:
        """The opcode and the payload of the client's next frame, unmasked.

        Raises:
            IncompleteReadError: the client is gone.
        """
        first, second = await self._reader.readexactly(2)
        assert second & 0x80, "a client masks its frames"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4)
        payload = await self._reader.readexactly(size)
        whole = mask * (size // 4 + 1)
        number = int.from_bytes(payload, "big") ^ int.from_bytes(whole[:size], "big")
        return first & 0x0F, number.to_bytes(size, "big")

    async def close_code(self) -> int | None:
        """The code of the client's close frame; None where it goes without one, or without a code."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                opcode, payload = await self.receive()
                if opcode == CLOSE:
                    return struct.unpack("!H", payload[:2])[0] if payload else None
        return None

    async def gone(self) -> None:
        """Waits until the client has closed its end."""
        with suppress(ConnectionError):
            while await self._reader.read(1 << 16):
                pass

    def reset(self) -> None:
        """Ends the connection by a RST."""
        socket = self._writer.get_extra_info("socket")
        socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
        self._writer.transport.abort()


@asynccontextmanager
async def raw_server(
    behave: Callable[[Peer], Awaitable[object]],
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """A server on a port of the system's choice that obeys `behave` and hangs up; gives host and port.

    What `behave` raises is raised at the end, but for a client that went away.
    """
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await behave(Peer(reader, writer))
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"{name}:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.gather(*served)
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)
        await server.wait_closed()
