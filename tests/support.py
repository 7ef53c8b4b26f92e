"""What the tests of a session share."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, ReconnectPolicy, errors
from voicelane.events import EVENT_TYPES

RECORDINGS = Path(__file__).parent / "data" / "recordings"  # of conversations with the live service
AUDIO = Path(__file__).parent.parent / "examples" / "audio"
# What comes comes within it, however busy the machine: whoever waits for longer waits for nothing.
TIMEOUT_S = 30.0 * float(os.environ.get("VOICELANE_TEST_TIMEOUT_SCALE", "1"))

# Tests that hold voicelane against what azure-ai-voicelive has since 1.3; it runs with older ones too.
OLD_CLIENT = tuple(int(part) for part in version("azure-ai-voicelive").split(".")[:2]) < (1, 3)
beside_client_1_3 = pytest.mark.skipif(
    OLD_CLIENT,
    reason="azure-ai-voicelive 1.3 is what it is held against",
)


class EventLog:
    """Every event of a session, in order, and a way to wait for one."""

    def __init__(self, model: AzureVoiceLive) -> None:
        self.events: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()
        for name in EVENT_TYPES:
            model.on(name, lambda payload, name=name: self._take(name, payload))

    def _take(self, name: str, payload: Any) -> None:
        self.events.append((name, payload))
        self._changed.set()

    def all(self, name: str) -> list[Any]:
        return [payload for event, payload in self.events if event == name]

    def finals(self, role: str) -> list[str]:
        said = self.all("realtime_model_transcription")
        return [one["text"] for one in said if one["role"] == role and one["is_final"]]

    async def wait_for(self, name: str, count: int = 1) -> Any:
        """The payload of the `count`-th event of that name, once it is there."""
        await self.wait_until(lambda: len(self.all(name)) >= count)
        return self.all(name)[count - 1]

    async def hear(self, model: AzureVoiceLive, milliseconds: int, *, of_ms: int) -> None:
        """Hears that much, once `of_ms` of audio wait in the buffer."""
        await until(lambda: model.playback.buffered_ms >= of_ms)
        model.playback.read(milliseconds * 24)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def speech(name: str) -> tuple[bytes, int, int]:
    """A recording's PCM, rate in Hz and channels."""
    with wave.open(str(AUDIO / name)) as file:
        return file.readframes(file.getnframes()), file.getframerate(), file.getnchannels()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what no event tells: the other end of the socket, the play head."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def environment(**more: str) -> dict[str, str]:
    """That of a child of this process: without an account, and not told to complain of a slow machine."""
    dropped = ("AZURE_", "PYTHONASYNCIODEBUG")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(dropped)}
    return kept | more


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port of this machine where nobody listens, and nobody else can: it stays taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


SECRET = "s3cret"


def secretive(host: str, **arguments: Any) -> AzureVoiceLive:
    """A session with secrets in its URL and headers, which is not connected again."""
    settings = AzureVoiceLiveConfig(query={"agent-access-token": SECRET}, headers={"x-own": SECRET})
    arguments = {"reconnect": ReconnectPolicy(max_attempts=0), "config": settings, **arguments}
    endpoint = host if "://" in host else f"ws://{host}"
    return AzureVoiceLive(model="m", endpoint=endpoint, api_key=SECRET, **arguments)


async def refusal(model: AzureVoiceLive) -> errors.ConnectError:
    """Why that session cannot connect: without a word of what is secret, and told to the handlers too."""
    log = EventLog(model)
    with pytest.raises(errors.ConnectError) as caught:
        await model.connect()
    text = str(caught.value)
    assert not any(word in text + repr(caught.value) for word in (SECRET, "agent-access", "?"))
    assert log.all("error") == [f"Error connecting to Azure Voice Live API: {text}"]
    await model.aclose()
    return caught.value


def stop_sending(model: AzureVoiceLive, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets nothing of the uplink through, as a network that stands still. Returns what lets it go on."""
    assert model._link is not None
    transport: Any = model._link.transport
    if transport.writes_playback:
        transport._core.attach(None)
        return lambda: transport._core.attach(model._uplink.core)
    sending = asyncio.Event()
    send = transport.send_text

    async def stuck(text: str) -> None:
        await sending.wait()
        await send(text)

    monkeypatch.setattr(transport, "send_text", stuck)
    return sending.set


def reply_pcm(index: int) -> bytes:
    """What the simulator says in its turn `index`: 24 kHz mono."""
    voice = files("voicelane.simulator") / "voice"
    entry = json.loads((voice / "replies.json").read_text(encoding="utf-8"))[index]
    with (voice / entry["file"]).open("rb") as file, wave.open(file) as wav:
        return wav.readframes(wav.getnframes())


async def speak(model: AzureVoiceLive, pcm: bytes, *, chunk_bytes: int) -> None:
    """Streams audio as fast as the connection takes it."""
    for start in range(0, len(pcm), chunk_bytes):
        await model.handle_audio_input(pcm[start : start + chunk_bytes])
        await model.flush_audio()


def read_all(model: AzureVoiceLive) -> bytes:
    """Everything that is buffered, heard at once; what was interrupted before is gone, its fade, too."""
    playback = model.playback
    playback.pause()  # paused, there is nothing to fade
    playback.read(0)
    playback.resume()
    return playback.read(playback.stats()["buffered_frames"])


@asynccontextmanager
async def service(handler: Callable[[web.WebSocketResponse], Any]) -> AsyncIterator[str]:
    """A websocket server on a port of the system's choice that obeys `handler`; gives its endpoint."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(timeout=TIMEOUT_S)
        await websocket.prepare(request)
        await handler(websocket)
        return websocket

    app = web.Application()
    app.router.add_get("/voice-live/realtime", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
