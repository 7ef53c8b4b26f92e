"""Between a client's socket and the server: passes bytes on, or does with them what faults say."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from .faults import Faults

_FULL_BYTES = 64 * 1024
_READ_BYTES = 16 * 1024
_PIECES_PER_S = 50


class Lane:
    """One direction: the same bytes in the same order, perhaps later.

    Args:
        deliver: Takes what arrives.
        is_full: Is told when too much waits (True), and when there is room again (False).
    """

    def __init__(self, deliver: Callable[[bytes], None], is_full: Callable[[bool], None]) -> None:
        self._deliver = deliver
        self._tell_full = is_full
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._waiting_bytes = 0
        self._is_full = False
        self._sent_s = 0.0  # when the last byte has left, and when it arrives
        self._arrival_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._when_empty: Callable[[], None] | None = None

    def configure(self, faults: Faults, direction: str) -> None:
        """From now on, delay by these."""
        self._faults = faults
        self._random = random.Random(f"{faults.seed} {direction}")
        self._is_prompt = not (faults.latency_ms or faults.jitter_ms or faults.bytes_per_s)

    def put(self, data: bytes) -> None:
        """Take what the sender sends."""
        if self._is_prompt and not self._waiting:
            self._deliver(data)
            return
        faults = self._faults
        rate = faults.bytes_per_s
        piece_bytes = max(1, rate // _PIECES_PER_S) if rate else len(data)
        for start in range(0, len(data), piece_bytes):
            piece = data[start : start + piece_bytes]
            self._sent_s = max(self._sent_s, self._loop.time()) + (len(piece) / rate if rate else 0)
            delay_ms = faults.latency_ms + faults.jitter_ms * self._random.random()
            self._arrival_s = max(self._arrival_s, self._sent_s + delay_ms / 1000)
            self._waiting.append((self._arrival_s, piece))
            self._waiting_bytes += len(piece)
        self._look_at_room()
        self._wait()

    def when_empty(self, callback: Callable[[], None]) -> None:
        """Call back once everything has arrived."""
        self._when_empty = callback
        self._wait()

    def hurry(self) -> None:
        """Deliver at once what waits."""
        while self._waiting:
            self._pass_on()

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        if self._waiting:
            if self._timer is None:
                self._timer = self._loop.call_at(self._waiting[0][0], self._arrive)
        elif self._when_empty is not None:
            self._when_empty()

    def _arrive(self) -> None:
        self._timer = None
        while self._waiting and self._waiting[0][0] <= self._loop.time():
            self._pass_on()
        self._look_at_room()
        self._wait()

    def _pass_on(self) -> None:
        data = self._waiting.popleft()[1]
        self._waiting_bytes -= len(data)
        self._deliver(data)

    def _look_at_room(self) -> None:
        is_full = self._waiting_bytes > _FULL_BYTES
        if is_full is not self._is_full:
            self._is_full = is_full
            self._tell_full(is_full)


class Wire(asyncio.Transport, asyncio.BufferedProtocol):
    """To the socket the server's protocol, to the server's protocol the socket.

    Args:
        server: The protocol that serves the connection.
        faults: What goes wrong.
    """

    def __init__(self, server: asyncio.Protocol, faults: Faults) -> None:
        super().__init__()
        self._server = server
        self._down = Lane(self._to_client, self._hold_server)
        self._up = Lane(self._server.data_received, self._hold_client)
        self._num_holds = 0
        self._gathered: list[bytes] | None = None
        self._socket: asyncio.Transport | None = None
        # asyncio would make one of 256 KiB for each read, and the system map some of them anew.
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self.configure(faults)

    def configure(self, faults: Faults) -> None:
        """From now on these faults; what they count begins anew."""
        self.faults = faults
        self._silent_after_bytes = _limit(faults.silent_after_bytes)
        self._deaf_after_bytes = _limit(faults.stop_reading_after_bytes)
        # With a code it is the connection that closes, between two frames.
        is_cut = faults.close_code is None
        self._cut_after_bytes = _limit(faults.close_after_bytes if is_cut else None)
        self._room_bytes = min(self._silent_after_bytes, self._cut_after_bytes)
        self.num_sent_bytes = 0
        self._num_received_bytes = 0
        self._down.configure(faults, "down")
        self._up.configure(faults, "up")
        if self._socket is not None:
            self._look()

    @property
    def is_dead(self) -> bool:
        """Whether the client cannot answer any more, though nobody closed."""
        return self._is_silent or self._is_deaf

    @property
    def _is_silent(self) -> bool:
        return self.num_sent_bytes >= self._silent_after_bytes

    @property
    def _is_deaf(self) -> bool:
        return self._num_received_bytes >= self._deaf_after_bytes

    # From and to the client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._server.connection_made(self)
        self._look()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._num_received_bytes += nbytes
        if not self._is_silent:
            self._up.put(bytes(self._buffer[:nbytes]))
        self._look()

    def eof_received(self) -> bool | None:
        self._up.hurry()
        return self._server.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._down.drop()
        self._up.hurry()
        self._up.drop()
        self._server.connection_lost(exc)

    def pause_writing(self) -> None:
        self._hold_server(True)

    def resume_writing(self) -> None:
        self._hold_server(False)

    def _to_client(self, data: bytes) -> None:
        if self._is_silent:
            return
        if self.num_sent_bytes + len(data) > self._room_bytes:
            data = data[: int(self._room_bytes) - self.num_sent_bytes]
        if self.faults.corrupt_byte is not None:
            data = _corrupt(data, self.faults.corrupt_byte - self.num_sent_bytes)
        self.num_sent_bytes += len(data)
        if self._gathered is None:
            self._transport.write(data)
        else:
            self._gathered.append(data)
        self._look()

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Give the socket at once what is written meanwhile: a call costs more than the bytes."""
        self._gathered = []
        try:
            yield
        finally:
            self._pass_gathered()
            self._gathered = None

    def _pass_gathered(self) -> None:
        if self._gathered:
            self._transport.write(b"".join(self._gathered))
            self._gathered.clear()

    def _look(self) -> None:
        """Do what is due by the bytes that went through."""
        if self._is_deaf and not self._transport.is_closing():
            self._transport.pause_reading()
        if self.num_sent_bytes >= self._cut_after_bytes:
            self._close_socket()

    def _close_socket(self) -> None:
        self._pass_gathered()
        self._transport.close()

    def _hold_server(self, hold: bool) -> None:
        # The lane and the socket may both be full.
        self._num_holds += 1 if hold else -1
        if self._num_holds == int(hold):
            (self._server.pause_writing if hold else self._server.resume_writing)()

    def _hold_client(self, hold: bool) -> None:
        (self.pause_reading if hold else self.resume_reading)()

    @property
    def _transport(self) -> asyncio.Transport:
        assert self._socket is not None, "the connection was made"
        return self._socket

    # What the server asks of a transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._down.put(bytes(data))

    def close(self) -> None:
        self._down.when_empty(self._close_socket)

    def abort(self) -> None:
        self._down.drop()
        self._pass_gathered()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._is_deaf:
            self._transport.resume_reading()


def _limit(num_bytes: int | None) -> float:
    return math.inf if num_bytes is None else num_bytes


def _corrupt(data: bytes, index: int) -> bytes:
    if not 0 <= index < len(data):
        return data
    return data[:index] + bytes([data[index] ^ 0xFF]) + data[index + 1 :]
