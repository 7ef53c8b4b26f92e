"""The transport of the Rust engine: audio in both directions stays there."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self
from weakref import WeakSet

from .. import _core
from .._core import PlaybackBuffer
from ..errors import NO_CLOSE_CODE, ConnectError, ConnectionLostError
from ..playout import INTERRUPT_FADE_MS
from ..uplink import Uplink, as_text
from . import CLOSE_TIMEOUT_S, HEARTBEAT_S, ConnectOptions, Received
from .handshake import host_of, request_for
from .mailbox import LoopMailbox
from .refusals import no_websocket, refused, timed_out, unreachable

_ENGINE_DELAY_S = 1.0
_ROOM_POLL_S = 0.005

# The engine's threads live in Rust and do not follow into a forked child.
os.register_at_fork(after_in_child=_core.engine_forked)


class NativeTransport:
    """An open connection of the engine; made by `NativeTransport.connect`."""

    def __init__(self, mailbox: LoopMailbox, *, writes_playback: bool) -> None:
        self.writes_playback = writes_playback
        self.ended: ConnectionLostError | None = None
        self._mailbox = mailbox
        self._number = mailbox.enter(self)
        # None once it is over: its threads and descriptors do not wait for the garbage collector.
        self._core: _core.Connection | None = None
        self._mail = asyncio.Event()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._connection: Any = None

    @classmethod
    async def connect(cls, options: ConnectOptions, playback: PlaybackBuffer | None) -> Self:
        """Opens a connection whose audio goes to `playback`; to `receive` where there is none.

        Raises:
            AuthenticationError: HTTP 401 or 403, or no token.
            ConnectTimeoutError: no answer within `connect_timeout_s`.
            ConnectError: no connection for another reason.
        """
        host = host_of(options.endpoint)
        try:
            mailbox = LoopMailbox.of_running_loop()
        except OSError as error:
            raise no_websocket(host, str(error)) from None
        transport = cls(mailbox, writes_playback=playback is not None)
        try:
            async with asyncio.timeout(options.connect_timeout_s):
                await transport._open(options, playback)
        except TimeoutError as error:
            transport._release()
            raise timed_out(host, options.connect_timeout_s) from error
        except BaseException:
            transport._release()
            raise
        return transport

    async def _open(self, options: ConnectOptions, playback: PlaybackBuffer | None) -> None:
        request = await request_for(options)
        try:
            self._core = _core.Connection(
                self._number,
                self._mailbox.core,
                request.url,
                request.headers,
                connect_timeout_s=options.connect_timeout_s,
                heartbeat_s=HEARTBEAT_S,
                close_timeout_s=CLOSE_TIMEOUT_S,
                ca_file=options.ca_file,
                playback=playback,
                interrupt_fade_ms=INTERRUPT_FADE_MS,
            )
        except ValueError as error:
            raise ConnectError(str(error)) from None
        except OSError as error:  # no descriptor or no thread left
            raise no_websocket(host_of(options.endpoint), str(error)) from None
        _open_connections.add(self)
        # An error's traceback keeps this frame: the connection and the service's words must not be in it.
        while self._core.standing[0] == "connecting":
            await self._wait(self._changed)
        if self._core.standing[0] == "failed":
            raise _connect_error(
                host_of(options.endpoint), options.connect_timeout_s, *self._core.standing[1:]
            )

    @property
    def connection(self) -> Any:
        """azure-ai-voicelive's connection over this one, made when it is first asked for."""
        if self._connection is None:
            from .websocket import connection_over

            self._connection = connection_over(self)
        return self._connection

    async def receive(self) -> Sequence[Received]:
        while not (received := self.receive_nowait()):
            self._look()
            if self.ended is not None:
                # What came before the end is told before it.
                if received := self.receive_nowait():
                    return received
                raise self.ended
            await self._wait(self._mail)
        return received

    def receive_nowait(self) -> Sequence[Received]:
        return self._core.take() if self._core is not None else ()

    def silence(self, response_id: str) -> None:
        if self._core is not None:
            self._core.silence(response_id)

    async def send(self, event: Mapping[str, Any]) -> None:
        await self.send_text(as_text(event))

    async def send_text(self, text: str) -> None:
        """As `send`, of what is text already."""
        self._look()
        while self.ended is None and self._core is not None and not self._core.send(text):
            await asyncio.sleep(_ROOM_POLL_S)
            self._look()
        if self.ended is not None:
            raise self.ended

    async def serve(self, uplink: Uplink) -> None:
        self._attach(uplink)
        try:
            await self._over.wait()  # which the one who receives finds out
        finally:
            self._attach(None)
        assert self.ended is not None, "over, and not ended"
        raise self.ended

    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Closes with that close frame."""
        if self._core is None:
            return
        self._core.close(code, reason)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S + _ENGINE_DELAY_S):
                while self._core is not None and self._core.is_here and self._is_open():
                    await self._wait(self._changed)
        except TimeoutError:
            pass  # cut off, then
        finally:
            self._release()

    def wake(self) -> None:
        """The engine has something: events, or another standing."""
        self._mail.set()
        self._changed.set()

    def cut_off(self) -> None:
        """Ends the connection without a word."""
        if self._core is not None:
            self._core.abort("the process ended")

    def _attach(self, uplink: Uplink | None) -> None:
        if self._core is not None:
            self._core.attach(uplink.core if uplink is not None else None)

    def _is_open(self) -> bool:
        return self._core is not None and self._core.standing[0] == "open"

    def _look(self) -> None:
        if self.ended is None and self._core is not None:
            standing = self._core.standing
            if standing[0] == "ended":
                self.ended = ConnectionLostError(*standing[1:])
                self._over.set()

    def _release(self) -> None:
        self._look()
        self.ended = self.ended or ConnectionLostError(NO_CLOSE_CODE)
        self._over.set()
        self._core = None
        self._mailbox.leave(self._number)
        self.wake()

    async def _wait(self, event: asyncio.Event) -> None:
        await event.wait()
        event.clear()


_open_connections: WeakSet[NativeTransport] = WeakSet()


@atexit.register
def _cut_off() -> None:
    """Who leaves without closing: the engine's threads end before the interpreter does."""
    for transport in [*_open_connections]:
        transport.cut_off()


def _connect_error(
    host: str, timeout_s: float, kind: str, text: str, status: int | None, retry_after: str | None
) -> ConnectError:
    match kind:
        case "timeout":
            return timed_out(host, timeout_s)
        case "refused":
            assert status is not None
            return refused(host, status, retry_after)
        case "unreachable":
            return unreachable(host, text)
        case _:
            return no_websocket(host, text)
