"""A plain websocket client of the simulator, with a time-out on each wait."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from support import TIMEOUT_S
from voicelane.simulator import Reply, Simulator
from voicelane.simulator.responder import Voice

QUERY = {"api-version": "2026-07-15", "model": "gpt-realtime"}
PHRASES = Voice().bundled
SPEECH = PHRASES[2].pcm
SILENCE = bytes(48 * 600)
LONG_REPLY = Reply("A long answer.", PHRASES[0].pcm * 10)  # some 30 s

Event = dict[str, Any]


class Client:
    """A plain websocket client with a time-out on each wait."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[Event] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def speak(self, pcm: bytes, chunk_ms: int = 20) -> None:
        for start in range(0, len(pcm), 48 * chunk_ms):
            audio = base64.b64encode(pcm[start : start + 48 * chunk_ms]).decode()
            await self.send("input_audio_buffer.append", audio=audio)

    async def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")

    async def receive(self) -> Event:
        event = await self.socket.receive_json(timeout=TIMEOUT_S)
        self.events.append(event)
        return dict(event)

    async def until(self, kind: str) -> list[Event]:
        """Receive up to and with an event of this type."""
        events = [await self.receive()]
        while events[-1]["type"] != kind:
            events.append(await self.receive())
        return events

    async def until_closed(self) -> aiohttp.WSMsgType:
        """Receive up to the end of the connection; its close code is `socket.close_code`."""
        while (
            message := await self.socket.receive(timeout=TIMEOUT_S)
        ).type is aiohttp.WSMsgType.TEXT:
            self.events.append(json.loads(message.data))
        return message.type


@asynccontextmanager
async def connected(sim: Simulator, **query: str) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            f"{sim.endpoint}/voice-live/realtime",
            params=QUERY | query,
            headers={"api-key": sim.api_key},
        ) as socket,
    ):
        yield Client(socket)


@asynccontextmanager
async def conversing(**options: Any) -> AsyncIterator[tuple[Simulator, Client]]:
    async with Simulator(**options) as sim, connected(sim) as client:
        assert (await client.receive())["type"] == "session.created"
        yield sim, client


async def ended(sim: Simulator) -> None:
    """Wait until the simulator has seen the end of every connection."""
    async with asyncio.timeout(TIMEOUT_S):
        for connection in sim.connections:
            await connection.wait_until(lambda one: one.close_code is not None)
