"""What one session costs the simulator's own code: no kernel, no waiting, the same steps in each run.

    .venv/bin/python benches/simulator_work.py [--sessions 50] [--seconds 18] [--message-ms 60]

Sessions append a spoken question and silence by turns, on sockets that are none and a clock that is set
forward. So it can be compared on a machine that is busy, and by `valgrind --tool=callgrind` in instructions.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from simulator_cost import appends, parsed

from voicelane.simulator import Simulator

_SETTLED_AFTER = 12  # turns of the loop
_STEPS = 3  # of the clock, in the time of a message
# Of the clock, in the same: a timer that is due but for a rounding fires in vain until it moves.
_DRIFT_S = 1e-6
_REQUEST = (
    "GET /voice-live/realtime?api-version=2026-07-15&model=gpt-realtime HTTP/1.1",
    "Host: loopback",
    "api-key: {key}",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "",
    "",
)


class Loop(asyncio.SelectorEventLoop):
    """Its clock stands still unless it is set."""

    now_s = 1000.0

    def time(self) -> float:
        return self.now_s


class Socket(asyncio.Transport):
    """Counts what is written."""

    num_writes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.num_writes += 1

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def framed(text: str) -> bytes:
    """A client's text as a websocket frame, masked."""
    payload, mask = text.encode(), b"\1\2\3\4"
    size = len(payload)
    head = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return b"\x81" + head + mask + masked


def receive(wire: asyncio.BufferedProtocol, data: bytes) -> None:
    """Do as the loop does with what came for it."""
    while data:
        buffer = wire.get_buffer(-1)
        num_bytes = min(len(buffer), len(data))
        buffer[:num_bytes] = data[:num_bytes]
        wire.buffer_updated(num_bytes)
        data = data[num_bytes:]


async def settle() -> None:
    for _ in range(_SETTLED_AFTER):
        await asyncio.sleep(0)


async def work(loop: Loop, num_sessions: int, seconds: float, message_ms: int) -> None:
    messages = [framed(text) for text in appends(message_ms)]
    async with Simulator(kept_audio_bytes=0) as simulator:
        request = "\r\n".join(_REQUEST).format(key=simulator.api_key).encode()
        wires, sockets = [], [Socket() for _ in range(num_sessions)]
        for socket in sockets:
            wire = simulator._new_wire()
            assert isinstance(wire, asyncio.BufferedProtocol)
            wire.connection_made(socket)
            receive(wire, request)
            wires.append(wire)
        await settle()
        begun_s, num_writes = time.process_time(), sum(socket.num_writes for socket in sockets)
        for turn in range(int(seconds * 1000 / message_ms)):
            for index, wire in enumerate(wires):
                receive(wire, messages[(turn + 7 * index) % len(messages)])
            await settle()
            loop.now_s += _DRIFT_S
            for _ in range(_STEPS):
                loop.now_s += message_ms / 1000 / _STEPS
                await settle()
        cpu_s = time.process_time() - begun_s
        num_writes = sum(socket.num_writes for socket in sockets) - num_writes
        for wire in wires:
            wire.connection_lost(None)
        await settle()
    per_session = 1 / num_sessions / seconds
    print(
        f"{num_sessions} sessions, {message_ms} ms a message: {cpu_s * per_session * 1000:.2f} ms of CPU "
        f"and {num_writes * per_session:.1f} writes per session and second"
    )


def main() -> None:
    options = parsed(__doc__, sessions=50, seconds=18.0)
    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work(loop, options.sessions, options.seconds, options.message_ms))


if __name__ == "__main__":
    main()
