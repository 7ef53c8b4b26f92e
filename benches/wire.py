"""The other end of the wire, in a process of its own: `wire.py` prints its port, and serves until stdin ends.

A websocket at any path but these, whose texts and deltas are stamped by the clock that all processes have:
`/arrivals`, when each append came; `/speak?deltas=N`, sends as many and tells when each was sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sys
from array import array
from time import monotonic_ns
from typing import Any

from aiohttp import web

DELTA_FRAMES = 480
_GAP_S = (0.005, 0.015)
_IDS = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
_RESPONSE = {"id": "resp_1", "object": "realtime.response", "status": "in_progress", "output": []}


class Wire:
    """One session at a time."""

    def __init__(self) -> None:
        self._arrivals_ns: list[int] = []
        self._socket = web.WebSocketResponse(max_msg_size=0)

    async def session(self, request: web.Request) -> web.WebSocketResponse:
        """Says what a session is when it is asked, and looks at the clock at every append."""
        self._arrivals_ns = []
        self._socket = socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        settings: dict[str, Any] = {"id": "sess_1", "model": "bench"}
        await self._send("session.created", session=settings)
        async for message in socket:
            now_ns = monotonic_ns()
            event = json.loads(message.data)
            if event["type"] == "input_audio_buffer.append":
                self._arrivals_ns.append(now_ns)
            elif event["type"] == "session.update":
                await self._send("session.updated", session=settings | event["session"])
        return socket

    async def arrivals(self, _request: web.Request) -> web.Response:
        return web.json_response(self._arrivals_ns)

    async def speak(self, request: web.Request) -> web.Response:
        """Each delta is 20 ms of its own number, at moments that meet no period."""
        gaps, sent_ns = random.Random(1), []
        await self._send("response.created", response=_RESPONSE)
        for number in range(1, int(request.query["deltas"]) + 1):
            await asyncio.sleep(gaps.uniform(*_GAP_S))
            pcm = array("h", [number] * DELTA_FRAMES).tobytes()
            delta = base64.b64encode(pcm).decode()
            sent_ns.append(monotonic_ns())
            await self._send("response.audio.delta", **_IDS, delta=delta)
        return web.json_response(sent_ns)

    async def _send(self, event_type: str, **fields: Any) -> None:
        await self._socket.send_json({"type": event_type, "event_id": "event_1", **fields})


async def main() -> None:
    wire, app = Wire(), web.Application()
    app.router.add_get("/arrivals", wire.arrivals)
    app.router.add_get("/speak", wire.speak)
    app.router.add_get("/{path:.*}", wire.session)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
