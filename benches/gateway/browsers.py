"""Clients in the shape of browsers, so cheap that it is the gateway that is measured.

One thread, one loop, no library: what the microphones say are frames made before (masked with zeros, which
the gateway unmasks like any others), and one clock sends the next frame of the next client.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

FRAME_S = 0.020
RATE_HZ = 48_000
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_TIMEOUT_S = 20.0
# Of the load server: benches/sessions/server/script.rs.
_DELTA_S, _DELTA_BYTES = 0.100, 4_800
_JITTER_S = 0.060  # of the page's player
_REPORT_FRAMES = 5  # `played` every 100 ms, as the page
# As the page: what waits longer would come as a flood, which the gateway refuses.
_MAX_WAITING_BYTES = 96_000
_READ_BYTES = 65_536
# So many are sent at most before what has come is read.
_BURST = 32


def frame(opcode: int, payload: bytes) -> bytes:
    """A websocket frame of a client."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


class Browser:
    """One call, connected and greeted.

    Args:
        address: of the gateway.
        reply: what the agent says in each answer, s16le.
    """

    def __init__(self, address: tuple[str, int], reply: bytes) -> None:
        self.close_code: int | None = None
        self.num_sent = 0
        """Of the microphone's frames."""
        self.num_dropped = 0
        """Of them, as the gateway did not read."""
        self.late_s: list[float] = []
        """How late each delta of the service's came, against the first of its answer."""
        self.num_gaps = 0
        self.num_answers = 0
        """Heard to their end."""
        self.num_wrong = 0
        """Messages of audio that are not what the agent said next."""
        self.num_cut = 0
        """Answers that the user's next words cut off: the gateway was 400 ms late, or more."""
        self._reply = reply
        self._place: int | None = None  # in the reply; None before the first answer
        self._is_answer = self._is_whole = False
        self._received = bytearray()
        self._unsent = bytearray()
        self._clear = 0
        self._heard_frames = self._reported_frames = 0  # since that clear
        self._began_s = self._dry_s = 0.0
        self.socket = socket.create_connection(address, timeout=_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready = self._begin(address)
        self._rate_hz = ready["output_sample_rate_hz"]
        self.socket.setblocking(False)

    def _begin(self, address: tuple[str, int]) -> dict[str, Any]:
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._received:
            self._read()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.decode())
        hello = {"type": "hello", "protocol": 1, "input_sample_rate_hz": RATE_HZ}
        self.socket.sendall(frame(_TEXT, json.dumps(hello).encode()))
        while not (frames := self._frames()):
            self._read()
        opcode, payload = frames[0]
        if opcode != _TEXT:
            raise ConnectionError(f"expected ready, got {payload!r}")
        ready: dict[str, Any] = json.loads(payload)
        return ready

    # --- what it says ------------------------------------------------------------------------

    def speak(self, audio: bytes, now_s: float) -> None:
        """The next 20 ms of its microphone, as a frame."""
        if len(self._unsent) > _MAX_WAITING_BYTES:
            self.num_dropped += 1
            return
        self.num_sent += 1
        self._send(audio)
        if self.num_sent % _REPORT_FRAMES == 0:
            self._report(now_s)

    def close(self) -> None:
        """Ends the call as a page does."""
        if self.close_code is None:
            self._send(frame(_CLOSE, (1000).to_bytes(2, "big")))
        self.socket.close()

    def _report(self, now_s: float) -> None:
        held = max(0, round((self._dry_s - now_s) * self._rate_hz))
        played = max(0, self._heard_frames - held)
        if played != self._reported_frames:
            self._reported_frames = played
            told = f'{{"type":"played","clear":{self._clear},"frames":{played}}}'
            self._send(frame(_TEXT, told.encode()))

    def _send(self, data: bytes) -> None:
        self._unsent += data
        try:
            del self._unsent[: self.socket.send(self._unsent)]
        except BlockingIOError:
            pass  # goes with the next
        except ConnectionError:
            self._lost()

    # --- what it hears -----------------------------------------------------------------------

    def receive(self, now_s: float) -> None:
        """Takes what has come."""
        try:
            self._read()
        except ConnectionError:
            self._lost()
        for opcode, payload in self._frames():
            if opcode == _BINARY:
                self._hear(payload, now_s)
            elif opcode == _TEXT:
                self._told(json.loads(payload))
            elif opcode == _PING:
                self._send(frame(_PONG, payload))
            elif opcode == _CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big")

    def _read(self) -> None:
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the gateway closed")
        self._received += data

    def _lost(self) -> None:
        self.close_code = self.close_code or 1006

    def _frames(self) -> list[tuple[int, bytes]]:
        """The whole frames that have come; a server's are not masked, and aiohttp's not cut."""
        data, at = self._received, 0
        frames = []
        while len(data) >= at + 2:
            size, body = data[at + 1], at + 2
            if size >= 126:
                body += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : body], "big")
            if len(data) < body + size:
                break
            frames.append((data[at] & 0x0F, bytes(data[body : body + size])))
            at = body + size
        del data[:at]
        return frames

    def _hear(self, pcm: bytes, now_s: float) -> None:
        audio_s = len(pcm) / 2 / self._rate_hz
        self._heard_frames += len(pcm) // 2
        is_first, self._is_answer = not self._is_answer, True
        if is_first:
            self._began_s = now_s
        if is_first or now_s > self._dry_s:
            self.num_gaps += not is_first
            self._dry_s = now_s + _JITTER_S
        self._dry_s += audio_s
        if is_first:
            # A call may begin in the middle of an answer, and nothing else may.
            self._place = max(0, self._reply.find(pcm)) if self._place is None else 0
            self._is_whole = self._place == 0
        self.num_wrong += self._reply[self._place : self._place + len(pcm)] != pcm
        # Each delta goes on with the tick in which it comes: a client is never full by then.
        delta = -(-self._place // _DELTA_BYTES)
        self._place += len(pcm)
        if self._is_whole and delta > 1 and delta * _DELTA_BYTES < self._place:
            due_s = self._began_s + (delta - 1) * _DELTA_S  # the first two come together
            self.late_s.append(max(0.0, now_s - due_s))

    def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == "clear":
            self._clear = message["clear"]
            self._heard_frames = self._reported_frames = 0
            self._end_answer()
        elif message["type"] == "state" and message["state"] != "speaking":
            self._end_answer()

    def _end_answer(self) -> None:
        if self._is_answer:
            is_whole = self._place == len(self._reply)
            self.num_answers += is_whole
            self.num_cut += not is_whole
            self._is_answer = False


def talk(
    browsers: Sequence[Browser],
    microphone: Sequence[bytes],
    start_s: float,
    seconds: float,
    progress: Callable[[float], None],
) -> list[float]:
    """All speak from `start_s` on, spread over a frame, and listen; then they listen for a second more.

    Args:
        microphone: frames of 20 ms, of which each client says others at a time.
        progress: is told the time since the start, about every five seconds.

    Returns:
        How late each frame was sent, in seconds.
    """
    own_late_s = []
    count, step_s = len(browsers), FRAME_S / len(browsers)
    total = round(seconds / FRAME_S) * count
    number, told_s = 0, 0.0
    with selectors.DefaultSelector() as selector:
        for browser in browsers:
            selector.register(browser.socket, selectors.EVENT_READ, browser)
        end_s = start_s + seconds + 1
        while (now_s := time.monotonic()) < end_s:
            for _ in range(_BURST):
                due_s = start_s + number * step_s
                if number == total or now_s < due_s:
                    break
                own_late_s.append(now_s - due_s)
                turn, index = divmod(number, count)
                if browsers[index].close_code is None:
                    browsers[index].speak(microphone[(turn + 31 * index) % len(microphone)], now_s)
                number += 1
                now_s = time.monotonic()
            until_s = end_s if number == total else start_s + number * step_s
            for key, _ in selector.select(max(0.0, until_s - now_s)):
                key.data.receive(time.monotonic())
                if key.data.close_code is not None:
                    selector.unregister(key.fileobj)
            if now_s - start_s > told_s + 5:
                told_s = now_s - start_s
                progress(told_s)
    return own_late_s
