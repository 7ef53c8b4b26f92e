"""A gateway on loopback over the simulator, and clients of it shaped as browsers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from support import TIMEOUT_S, reply_pcm, speech
from voicelane import AzureVoiceLive
from voicelane.gateway import GATEWAY, CallRequest, Gateway, GatewaySettings, create_app
from voicelane.simulator import Reply, Simulator

# It is heard in real time: 0.3 s each are enough of it, and their samples tell them apart.
SAID = [reply_pcm(0)[9_600:24_000], reply_pcm(1)[9_600:24_000]]
LONG = Reply("Once upon a time", reply_pcm(0))
HELLO = {"type": "hello", "protocol": 1, "input_sample_rate_hz": 48_000}


# Where in the recording the words begin that are one turn.
_WORDS_FROM_S = 0.9


def voiced(seconds: float) -> bytes:
    """Words without a pause, 48 kHz mono."""
    pcm, rate_hz, _ = speech("barge-in-48k-mono.wav")
    return pcm[int(_WORDS_FROM_S * rate_hz) * 2 :][: int(seconds * rate_hz) * 2]


class Browser:
    """A client: what it was told, what it heard."""

    def __init__(self, websocket: ClientWebSocketResponse, kind: str = "type") -> None:
        self.websocket = websocket
        self._kind = kind
        self.told: list[dict[str, Any]] = []
        self.heard = bytearray()

    async def say(self, **message: Any) -> None:
        await self.websocket.send_str(json.dumps(message))

    async def hello(self, **more: Any) -> dict[str, Any]:
        await self.say(**{**HELLO, **more})
        return await self.until("ready")

    async def step(self) -> dict[str, Any] | None:
        """The next message; None for audio."""
        async with asyncio.timeout(TIMEOUT_S):
            message = await self.websocket.receive()
        if message.type is WSMsgType.BINARY:
            self.heard += message.data
            return None
        if message.type is not WSMsgType.TEXT:
            raise ConnectionError(f"closed by {self.websocket.close_code}")
        self.told.append(json.loads(message.data))
        return self.told[-1]

    async def until(
        self, kind: str, condition: Callable[[dict[str, Any]], object] = bool
    ) -> dict[str, Any]:
        """The next message of that type that fits."""
        while True:
            message = await self.step()
            if message and message[self._kind] == kind and condition(message):
                return message

    def all(self, kind: str) -> list[dict[str, Any]]:
        """What it was told of that type so far."""
        return [told for told in self.told if told[self._kind] == kind]

    async def close_code(self) -> int | None:
        """How the gateway closes."""
        try:
            while True:
                await self.step()
        except ConnectionError:
            return self.websocket.close_code


class Server:
    """A gateway that runs."""

    def __init__(self, gateway: Gateway, sim: Simulator, url: str, http: ClientSession) -> None:
        self.gateway = gateway
        self.sim = sim
        self.url = url
        self.http = http
        # What the session factory was asked for, and made.
        self.requests: list[CallRequest] = []
        self.calls: list[AzureVoiceLive] = []

    @asynccontextmanager
    async def browser(self, **options: Any) -> AsyncIterator[Browser]:
        async with self.http.ws_connect(f"{self.url}/ws", **options) as websocket:
            yield Browser(websocket)

    @asynccontextmanager
    async def call(self, **hello: Any) -> AsyncIterator[Browser]:
        async with self.browser() as browser:
            await browser.hello(**hello)
            yield browser


@asynccontextmanager
async def gateway(
    *, tools: Any = (), replies: Any = None, service_port: int = 0, **settings: Any
) -> AsyncIterator[Server]:
    if replies is None:
        replies = [Reply("Hello.", pcm) for pcm in SAID]
    simulator = Simulator(replies=replies, audio_speed=50.0, port=service_port)
    async with simulator as sim, ClientSession() as http:
        requests: list[CallRequest] = []
        calls: list[AzureVoiceLive] = []

        def new_session(call: CallRequest) -> AzureVoiceLive:
            requests.append(call)
            calls.append(
                AzureVoiceLive(
                    model="m",
                    endpoint=sim.endpoint,
                    api_key=sim.api_key,
                    config=call.config(),
                    tools=tools,
                )
            )
            return calls[-1]

        app = create_app(new_session, GatewaySettings(**settings))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            server = Server(app[GATEWAY], sim, url, http)
            server.requests, server.calls = requests, calls
            yield server
        finally:
            await runner.cleanup()
