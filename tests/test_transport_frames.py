"""RFC 6455 as a client meets it (5.2 to 5.7, 7.4, 8.1): a breach ends the session with its code.

The cases are those of the Autobahn test suite that a server can put to a client, and a few more.
"""

from __future__ import annotations

import asyncio
import struct
from typing import NamedTuple

import pytest

from raw_server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Peer,
    close_frame,
    frame,
    raw_server,
)
from support import EventLog, secretive
from voicelane import AzureVoiceLive

pytestmark = pytest.mark.usefixtures("bystander")

EVENT = b'{"type":"input_audio_buffer.speech_started"}'
MAX_MESSAGE_BYTES = 10 << 20
NUM_PINGS = 20_000


def with_log(host: str) -> tuple[AzureVoiceLive, EventLog]:
    model = secretive(host)
    return model, EventLog(model)


def fragments(opcode: int, *payloads: bytes) -> bytes:
    """A message in as many frames."""
    opcodes = [opcode] + [CONTINUATION] * (len(payloads) - 1)
    last = len(payloads) - 1
    frames = zip(opcodes, payloads, strict=True)
    return b"".join(frame(op, one, fin=i == last) for i, (op, one) in enumerate(frames))


def padded(size: int) -> bytes:
    return EVENT[:-1] + b',"x":"' + b"x" * (size - len(EVENT) - 7) + b'"}'


class Breach(NamedTuple):
    """What a server says, and the code that it is told for it."""

    said: bytes
    code: int = 1002
    is_taken_by_aiohttp: bool = False


BREACHES = {
    # 5.2
    **{f"RSV {rsv}": Breach(frame(TEXT, EVENT, rsv=rsv)) for rsv in range(1, 8)},
    "RSV in a ping": Breach(frame(PING, rsv=4)),
    **{f"opcode {opcode}": Breach(frame(opcode)) for opcode in (*range(3, 8), *range(11, 16))},
    "masked": Breach(frame(TEXT, EVENT, is_masked=True), is_taken_by_aiohttp=True),
    "longer than all memory": Breach(b"\x81\x7f" + b"\x7f" * 8, 1009),
    "longer than allowed": Breach(b"\x82\x7f" + struct.pack("!Q", MAX_MESSAGE_BYTES + 1), 1009),
    "longer than allowed, in fragments": Breach(fragments(TEXT, *[b" " * (1 << 20)] * 11), 1009),
    # 5.4
    "continued from nothing": Breach(frame(CONTINUATION, EVENT)),
    "continued after its end": Breach(fragments(TEXT, b"{", b"}") + frame(CONTINUATION, b"}")),
    "a message within a message": Breach(frame(TEXT, b"{", fin=False) + frame(TEXT, EVENT)),
    # 5.5
    "a fragmented ping": Breach(frame(PING, b"x", fin=False)),
    "a fragmented pong": Breach(frame(PONG, b"x", fin=False)),
    "a fragmented close": Breach(frame(CLOSE, b"\x03\xe8", fin=False)),
    "a long ping": Breach(frame(PING, bytes(126))),
    "a long close": Breach(close_frame(1000, b"r" * 124)),
    "a close of one byte": Breach(frame(CLOSE, b"\x03")),
    # 7.4
    **{
        f"close code {code}": Breach(close_frame(code, b"bye"), is_taken_by_aiohttp=code == 1006)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999)
    },
    # 8.1
    **{
        f"UTF-8 {text!r}": Breach(frame(TEXT, b'{"type":"' + text + b'"}'), 1007)
        for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xce")
    },
    "UTF-8 cut off": Breach(fragments(TEXT, b'{"type":"\xce', b'"}'), 1007),
    "UTF-8 of a close": Breach(close_frame(1000, b"\xff"), 1007),
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES)
async def test_a_breach_ends_the_session_with_its_code(breach: Breach, transport: str) -> None:
    if breach.is_taken_by_aiohttp and transport == "sdk":
        pytest.skip("aiohttp takes it as it is")
    told = []

    async def break_it(peer: Peer) -> None:
        await peer.accept()
        await peer.send(frame(TEXT, EVENT) + breach.said)
        told.append(await peer.close_code())

    async with raw_server(break_it) as host:
        model, log = with_log(host)
        async with model:
            lost = await model.wait_closed()
    assert lost is not None
    assert (lost.code, lost.retryable) == (breach.code, False)
    assert lost.reason
    assert lost.by_us
    assert str(lost).startswith(
        "The connection to Azure Voice Live was closed from this side (code "
    )
    assert len(log.all("user_speech_started")) == 1, "what came before it is told"
    assert told == [breach.code]


LETTERS = '{"type":"error","error":{"message":"Größe ☎ 𝄞"}}'.encode()

# What a server may say, and how many events of speech that are.
FINE = {
    "a frame": (frame(TEXT, EVENT), 1),
    "frames at once": (frame(TEXT, EVENT) * 300, 300),
    "a frame of 126 bytes": (frame(TEXT, padded(126)), 1),
    "a frame of 64 KiB": (frame(TEXT, padded(65_536)), 1),
    "nearly all that is allowed": (frame(TEXT, padded(MAX_MESSAGE_BYTES - 1)), 1),
    "nearly all that is allowed, in fragments": (
        fragments(TEXT, *(bytes([b]) for b in EVENT), b" " * (MAX_MESSAGE_BYTES - 1 - len(EVENT))),
        1,
    ),
    "binary": (frame(BINARY, EVENT), 1),
    "binary fragments": (fragments(BINARY, EVENT[:7], b"", EVENT[7:]), 1),
    "byte by byte": (fragments(TEXT, *(bytes([byte]) for byte in EVENT)), 1),
    "empty fragments": (fragments(TEXT, b"", b"", EVENT, b""), 1),
    "thousands of empty fragments": (fragments(TEXT, EVENT, *[b""] * 5000), 1),
    "a pong unasked": (frame(PONG) + frame(PONG, bytes(125)) + frame(TEXT, EVENT), 1),
    "a pong between fragments": (
        frame(TEXT, EVENT[:9], fin=False) + frame(PONG) + frame(CONTINUATION, EVENT[9:]),
        1,
    ),
}


@pytest.mark.parametrize(("said", "num_events"), FINE.values(), ids=FINE)
async def test_what_the_rfc_permits_is_understood(said: bytes, num_events: int) -> None:
    codes = []

    async def speak(peer: Peer) -> None:
        await peer.accept()
        await peer.send(said)
        codes.append(await peer.close_code())

    async with raw_server(speak) as host:
        model, log = with_log(host)
        async with model:
            await log.wait_for("user_speech_started", num_events)
            assert log.all("error") == []
    assert len(log.all("user_speech_started")) == num_events
    assert codes == [1000]


@pytest.mark.parametrize("cut", range(1, len(LETTERS), 3))
async def test_a_letter_may_be_cut_between_fragments(cut: int) -> None:
    async def speak(peer: Peer) -> None:
        await peer.accept()
        await peer.send(fragments(TEXT, LETTERS[:cut], LETTERS[cut:]))
        await peer.close_code()

    async with raw_server(speak) as host:
        model, log = with_log(host)
        async with model:
            assert "Größe ☎ 𝄞" in await log.wait_for("error")


NO_EVENTS = {
    "nothing": frame(TEXT),
    "no JSON": frame(TEXT, b"hello"),
    "half of it": frame(TEXT, EVENT[:-1]),
    "an array": frame(TEXT, b"[]"),
    "a number": frame(TEXT, b"1e999"),
    "no type": frame(TEXT, b"{}"),
    "a type that is none": frame(TEXT, b'{"type":7}'),
    "nested too deep": frame(TEXT, b"[" * 100_000),
    "an event that is nested too deep": frame(TEXT, EVENT[:-1] + b',"x":' + b"[" * 100_000),
    "a lone surrogate": frame(TEXT, rb'{"type":"error","error":{"message":"\ud800"}}'),
    "no UTF-8, in binary": frame(BINARY, b"\xff\xfe\x00"),
    "audio that is none": frame(TEXT, b'{"type":"response.audio.delta","delta":"?"}'),
}


@pytest.mark.parametrize("said", NO_EVENTS.values(), ids=NO_EVENTS)
async def test_what_is_no_event_is_survived(said: bytes) -> None:
    async def speak(peer: Peer) -> None:
        await peer.accept()
        await peer.send(said + frame(TEXT, EVENT))
        await peer.close_code()

    async with raw_server(speak) as host:
        model, log = with_log(host)
        async with model:
            await log.wait_for("user_speech_started")
            assert model.session_ready
            assert len(log.all("error")) <= 1


async def test_a_ping_is_answered_with_what_it_said() -> None:
    async def ping(peer: Peer) -> None:
        await peer.accept()
        for payload in (b"", b"hello", bytes(range(125))):
            await peer.send(frame(PING, payload))
            assert await peer.receive() == (PONG, payload)
        # Within a message, too.
        await peer.send(frame(TEXT, EVENT[:9], fin=False) + frame(PING, b"1"))
        assert await peer.receive() == (PONG, b"1")
        await peer.send(frame(CONTINUATION, fin=False) + frame(PING, b"2"))
        assert await peer.receive() == (PONG, b"2")
        await peer.send(frame(CONTINUATION, EVENT[9:]))
        await peer.close_code()

    async with raw_server(ping) as host:
        model, log = with_log(host)
        async with model:
            await log.wait_for("user_speech_started")
            assert log.all("error") == []


async def test_a_flood_of_pings_is_answered_and_survived() -> None:
    async def flood(peer: Peer) -> None:
        async def listen() -> None:
            # The newest may stand for those before (5.5.3).
            while await peer.receive() != (PONG, b"last"):
                pass

        await peer.accept()
        listening = asyncio.create_task(listen())
        await peer.send(frame(PING, b"x" * 100) * NUM_PINGS + frame(PING, b"last"))
        await listening
        await peer.send(frame(TEXT, EVENT))
        await peer.close_code()

    async with raw_server(flood) as host:
        model, log = with_log(host)
        async with model:
            await log.wait_for("user_speech_started")
            assert log.all("error") == []
