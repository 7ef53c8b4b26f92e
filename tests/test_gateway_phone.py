"""Calls of telephones: the messages of Media Streams, G.711 both ways."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from g711 import DECODERS
from gateway_support import LONG, SAID, Browser, Server, gateway, voiced
from neighbour import nothing_left
from support import until
from voicelane import CaptureEncoder
from voicelane.simulator import Faults, Reply
from voicelane.simulator.formats import OUTPUT_FORMATS

START: dict[str, Any] = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "streamSid": "MZ1",
        "accountSid": "AC1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "customParameters": {"token": "right", "customer": "7"},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    },
    "streamSid": "MZ1",
}


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


class Bridge(Browser):
    """A client that speaks as a bridge does."""

    def __init__(self, websocket: ClientWebSocketResponse) -> None:
        super().__init__(websocket, kind="event")
        self.marks: list[str] = []

    async def start(self, **more: Any) -> None:
        await self.say(event="connected", protocol="Call", version="1.0.0")
        await self.say(**(START | {"start": START["start"] | more}))

    async def media(self, payload: bytes, **more: Any) -> None:
        media = {"track": "inbound", "payload": b64encode(payload).decode(), **more}
        await self.say(event="media", streamSid="MZ1", media=media)

    async def step(self) -> dict[str, Any] | None:
        message = await super().step()
        assert message is not None
        assert message["streamSid"] == "MZ1"
        if message["event"] == "media":
            self.heard += b64decode(message["media"]["payload"])
        elif message["event"] == "mark":
            self.marks.append(message["mark"]["name"])
        return message

    async def hear(self, num_bytes: int) -> None:
        while len(self.heard) < num_bytes:
            await self.step()


@asynccontextmanager
async def calling(server: Server, **start: Any) -> AsyncIterator[Bridge]:
    async with server.http.ws_connect(f"{server.url}/media-stream") as websocket:
        bridge = Bridge(websocket)
        await bridge.start(**start)
        yield bridge


async def connected(server: Server) -> None:
    """Media of a call that has no session yet is dropped, as it would be by a telephone that rings."""
    await until(lambda: len(server.calls) > 0 and server.calls[-1].session_ready)


def in_g711(pcm: bytes, encoding: Any, rate_hz: int) -> bytes:
    encoder = CaptureEncoder(rate_hz, 1, encoding=encoding)
    return b64decode(encoder.encode(pcm))


@pytest.mark.parametrize("encoding", ["g711_ulaw", "g711_alaw"])
async def test_a_caller_is_heard_and_answered(encoding: str) -> None:
    name = {"g711_ulaw": "audio/x-mulaw", "g711_alaw": "audio/x-alaw"}[encoding]
    media_format = START["start"]["mediaFormat"] | {"encoding": name}
    async with (
        gateway(token="right") as server,
        calling(server, mediaFormat=media_format) as bridge,
    ):
        await connected(server)
        assert server.requests[0].stream is not None
        assert dict(server.requests[0].stream.parameters) == {"customer": "7"}
        spoken = in_g711(voiced(0.8), encoding, 48_000) + in_g711(bytes(16_000), encoding, 8_000)
        for start in range(0, len(spoken), 160):
            await bridge.media(spoken[start : start + 160])
        await bridge.media(b"\0" * 160, track="outbound")  # not the caller's
        await bridge.hear(len(SAID[0]) // 6)
        service = server.sim.connections[0]
        await until(lambda: len(service.audio) >= len(spoken))
        # It held nothing when the caller began to speak.
        assert bridge.all("clear") == []
    # Sample for sample: minus zero becomes plus zero, nothing else changes.
    assert DECODERS[encoding](bytes(service.audio)) == DECODERS[encoding](spoken)
    assert DECODERS[encoding](bytes(bridge.heard)) == DECODERS[encoding](
        OUTPUT_FORMATS[encoding].encoded(SAID[0])
    )


async def test_barge_in_clears_and_marks_tell_what_was_heard() -> None:
    replies = [LONG, Reply("Yes?", SAID[1])]
    async with gateway(token="right", replies=replies) as server, calling(server) as bridge:
        await connected(server)
        await server.calls[0].send_text_message("Hello?")
        while len(bridge.marks) < 5:
            await bridge.step()
        # It stands behind what was sent before it.
        assert bridge.marks[4] == f"0:{len(bridge.heard)}"
        assert len(bridge.heard) >= 4_000
        # A bridge that is far behind: of half a second it has played a millisecond.
        reported_s = time.monotonic()
        await bridge.say(event="mark", streamSid="MZ1", mark={"name": "0:8"})
        spoken = in_g711(voiced(0.8), "g711_ulaw", 48_000)
        for start in range(0, len(spoken), 160):
            await bridge.media(spoken[start : start + 160])
        await bridge.until("clear")
        since_ms = (time.monotonic() - reported_s) * 1000
        received = server.sim.connections[0].received
        await until(lambda: any("audio_end_ms" in event for event in received))
        [heard_ms] = [event["audio_end_ms"] for event in received if "audio_end_ms" in event]
        # By the mark, and what the clock says was played since then; both figures are rounded.
        assert heard_ms <= 3 + since_ms
        # What was on its way when it was cleared comes back, and counts for nothing.
        for name in bridge.marks[1:]:
            await bridge.say(event="mark", streamSid="MZ1", mark={"name": name})
        silence = in_g711(bytes(16_000), "g711_ulaw", 8_000)
        for start in range(0, len(silence), 160):
            await bridge.media(silence[start : start + 160])
        heard = len(bridge.heard)
        await bridge.hear(heard + len(SAID[1]) // 6)
        assert bridge.marks[-1].startswith("1:")


async def test_keys_are_told_to_the_agent() -> None:
    async with gateway(token="right") as server, calling(server) as bridge:
        await connected(server)
        for digit in "42#":
            await bridge.say(event="dtmf", streamSid="MZ1", dtmf={"digit": digit})
        received = server.sim.connections[0].received
        await until(lambda: any("conversation.item.create" in one["type"] for one in received))
        created = next(one for one in received if one["type"] == "conversation.item.create")
        assert created["item"]["content"][0]["text"] == "[The caller pressed the keys 42#]"


async def test_the_caller_hangs_up() -> None:
    async with gateway(token="right") as server, calling(server) as bridge:
        await bridge.say(event="something new")
        await connected(server)
        await bridge.say(event="stop", streamSid="MZ1", stop={"callSid": "CA1"})
        assert await bridge.close_code() == 1000
        await until(lambda: server.gateway.num_calls == 0)


async def test_the_caller_hangs_up_while_the_session_connects() -> None:
    async with gateway(token="right") as server:
        server.sim.faults = Faults(latency_ms=60_000)
        async with calling(server) as bridge:
            await bridge.media(bytes(160))
            await bridge.say(event="stop", streamSid="MZ1", stop={"callSid": "CA1"})
            assert await bridge.close_code() == 1000


OTHER_FORMAT = {"encoding": "audio/x-l16", "sampleRate": 16_000, "channels": 1}
FIRST: dict[str, tuple[int, Any]] = {
    "no token": (4401, {"customParameters": {}}),
    "a wrong token": (4401, {"customParameters": {"token": "wrong"}}),
    "another format": (4400, {"mediaFormat": OTHER_FORMAT}),
    "no format": (4400, {"mediaFormat": None}),
    "no stream": (4400, {"streamSid": 7}),
}
THEN: dict[str, tuple[int, Any]] = {
    "a second start": (4400, START),
    "no event": (4400, {"type": "media"}),
    "no payload": (4400, {"event": "media", "media": {}}),
    "no base64": (4400, {"event": "media", "media": {"payload": "!"}}),
    "a mark of somebody else": (4400, {"event": "mark", "mark": {"name": "hello"}}),
    "a key that is none": (4400, {"event": "dtmf", "dtmf": {"digit": "12"}}),
    "too big": (1009, {"event": "media", "media": {"payload": "A" * 65_536}}),
    "too fast": (4429, {"event": "media", "media": {"payload": "A" * 60_000}}),
}


async def test_what_is_refused() -> None:
    async with gateway(token="right") as server, calling(server) as other:
        for name, (code, start) in FIRST.items():
            async with calling(server, **start) as bridge:
                assert await bridge.close_code() == code, name
        async with server.http.ws_connect(f"{server.url}/media-stream") as websocket:
            await websocket.send_bytes(b"{}")
            assert await Bridge(websocket).close_code() == 4400
        num_calls = 1
        for name, (code, message) in THEN.items():
            async with calling(server) as bridge:
                num_calls += 1
                await until(lambda count=num_calls: len(server.calls) == count)
                await connected(server)
                await bridge.websocket.send_str(json.dumps(message))
                assert await bridge.close_code() == code, name
        await server.calls[0].send_text_message("Hello?")
        await other.hear(len(SAID[0]) // 6)
