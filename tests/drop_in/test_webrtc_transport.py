"""The WebRTC transport of 1.x: a peer of its own in the place of a room."""

from __future__ import annotations

import asyncio
import contextlib
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
import videosdk.agents as agents
from harness import IS_1, in_room, model_for, voice

from session_talk import ENDLESS
from support import TIMEOUT_S, reply_pcm, until
from voicelane.simulator import Reply, Simulator

if not IS_1:
    pytest.skip("0.x has none", allow_module_level=True)

from aiohttp import WSMsgType, web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

RATE_HZ = 48_000
LOUD = 500


class Caller(MediaStreamTrack):
    """A microphone in real time: speaks while `speaks` is set."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.speaks = False
        self._frames = 0
        self._voice = np.frombuffer(voice(2.0, RATE_HZ, 1), np.int16)
        self._began_s = asyncio.get_running_loop().time()

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(
            max(0.0, self._began_s + self._frames * 0.02 - asyncio.get_running_loop().time())
        )
        start = self._frames * 960 % len(self._voice)
        samples = self._voice[start : start + 960] if self.speaks else np.zeros(960, np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, self._frames * 960
        frame.time_base = Fraction(1, RATE_HZ)
        self._frames += 1
        return frame


class Peer:
    """The caller's end: answers the transport's offer, speaks and listens.

    Attributes:
        levels: of the frames that it heard.
    """

    def __init__(self) -> None:
        self.caller = Caller()
        self.levels: list[float] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._listener: asyncio.Task[None] | None = None
        self._connection.on("track", self._on_track)

    def _on_track(self, track: Any) -> None:
        self._listener = asyncio.ensure_future(self._listen(track))

    async def _listen(self, track: Any) -> None:
        with contextlib.suppress(Exception):  # the track ended
            while True:
                samples = (await track.recv()).to_ndarray().astype(float)
                self.levels.append(float(np.sqrt(np.mean(samples**2))))

    async def signal(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for message in websocket:
            assert message.type is WSMsgType.TEXT
            offer = message.json()
            await self._connection.setRemoteDescription(
                RTCSessionDescription(sdp=offer["sdp"], type=offer["type"])
            )
            self._connection.addTrack(self.caller)
            await self._connection.setLocalDescription(await self._connection.createAnswer())
            mine = self._connection.localDescription
            await websocket.send_json({"sdp": mine.sdp, "type": mine.type})
        return websocket

    async def aclose(self) -> None:
        await self._connection.close()
        if self._listener is not None:
            self._listener.cancel()


@contextlib.asynccontextmanager
async def signaling(peer: Peer) -> Any:
    app = web.Application()
    app.router.add_get("/signal", peer.signal)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/signal"
    finally:
        await runner.cleanup()


async def test_a_peer_is_answered_and_barges_in() -> None:
    peer = Peer()
    replies = [ENDLESS, Reply("Yes?", reply_pcm(1)), Reply("Goodbye.", reply_pcm(2))]
    async with Simulator(audio_speed=8, replies=replies) as sim, signaling(peer) as url:
        nobody = [{"urls": "stun:127.0.0.1:9"}]
        options = agents.RoomOptions(
            transport_mode="webrtc",
            webrtc=agents.WebRTCConfig(signaling_url=url, ice_servers=nobody),
            playground=False,
        )
        model = model_for(sim)
        async with in_room(model, options) as session, contextlib.aclosing(peer):
            await converse(peer, session, model)


async def converse(peer: Peer, session: agents.AgentSession, model: Any) -> None:
    started: list[Any] = []
    model.on("user_speech_started", lambda data: started.append(data))
    await until(lambda: len(peer.levels) > 10)
    for turn in range(2):
        peer.caller.speaks = True
        await until(lambda turn=turn: len(started) > turn)
        at = len(peer.levels)
        await until(lambda at=at: len(peer.levels) >= at + 40 and max(peer.levels[-25:]) < LOUD)
        peer.caller.speaks = False
        await until(lambda: sum(level > LOUD for level in peer.levels[-30:]) > 10)
    handle = await session.say("Goodbye.")
    async with asyncio.timeout(TIMEOUT_S):
        await handle
