"""Between the simulator and its socket: what goes out together, and what of it an end still lets through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from voicelane.simulator.faults import NO_FAULTS, Faults
from voicelane.simulator.wire import Wire

CUT = Faults(close_after_bytes=3, close_code=None)


class Socket(asyncio.Transport):
    """Notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.calls.append(bytes(data))

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.calls


def connected(faults: Faults = NO_FAULTS) -> tuple[Wire, Socket]:
    wire, socket = Wire(asyncio.Protocol(), faults), Socket()
    wire.connection_made(socket)
    return wire, socket


async def test_what_is_gathered_goes_out_in_one_write() -> None:
    wire, socket = connected()
    with wire.gathering():
        wire.write(b"ab")
        wire.write(b"cd")
        assert (socket.calls, wire.num_sent_bytes) == ([], 4)
    with wire.gathering():
        pass
    wire.write(b"e")
    assert socket.calls == [b"abcd", b"e"]


@pytest.mark.parametrize(
    ("end", "faults", "left"),
    [
        (Wire.close, NO_FAULTS, [b"abcd", "close"]),
        (Wire.abort, NO_FAULTS, [b"abcd", "abort"]),
        (lambda _: None, CUT, [b"abc", "close"]),
    ],
)
async def test_an_end_amid_it_comes_after_what_was_written(
    end: Callable[[Wire], None], faults: Faults, left: list[bytes | str]
) -> None:
    wire, socket = connected(faults)
    with wire.gathering():
        wire.write(b"ab")
        wire.write(b"cd")
        end(wire)
    assert socket.calls == left
