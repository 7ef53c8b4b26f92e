"""The sessions that are measured, each behind the same four calls."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from voicelane.cli.bench.libraries import NotThere
from voicelane.pacer import Pacer

FRAME_S = 0.02


class Session(Protocol):
    """One session with the load server."""

    feed: Callable[[bytes], Awaitable[None]]
    """Takes 20 ms of the microphone: 48 kHz, stereo."""
    recv: Callable[[], Awaitable[Any]]
    """The next 20 ms to be heard, when they are due."""

    async def connect(self) -> None: ...
    def pcm_of(self, frame: Any) -> bytes: ...
    async def flush(self) -> None: ...
    async def aclose(self) -> None: ...


class Voicelane:
    """voicelane's session, on either transport.

    Args:
        index: which one, told to the server as the model's name.
        url: of the server.
        transport: as for `voicelane.AzureVoiceLive`.
        chunk_ms: how much audio a message carries.
        frame_type: what the track returns: "bytes" or "av".
    """

    def __init__(
        self, index: int, url: str, chunk_ms: int, *, transport: str, frame_type: str = "bytes"
    ) -> None:
        import voicelane

        try:
            self.model = voicelane.AzureVoiceLive(
                api_key="x",
                endpoint=url,
                model=f"bench-{index}",
                transport=transport,
                chunk_ms=chunk_ms,
            )
        except ValueError as error:
            raise NotThere(str(error)) from None
        self.model.audio_track = voicelane.PlaybackTrack(self.model.playback, frame_type=frame_type)
        self.feed = self.model.handle_audio_input
        self.recv = self.model.audio_track.recv
        self.pcm_of = _pcm_of_frame if frame_type == "av" else bytes
        self.connect = self.model.connect
        self.flush = self.model.flush_audio
        self.aclose = self.model.aclose


class Plugin:
    """AzureVoiceLive of videosdk-plugins-azure, with the track that a room gives it."""

    def __init__(self, index: int, url: str, chunk_ms: int) -> None:
        try:
            from videosdk.agents import TeeCustomAudioStreamTrack
            from videosdk.plugins.azure.voice_live import AzureVoiceLive
        except ImportError as error:
            raise NotThere(str(error)) from None
        if chunk_ms != 20:
            raise NotThere("the plugin sends what it gets: 20 ms")
        # Its log of the service's "nothing to cancel" would go to the terminal.
        logging.getLogger("videosdk").addHandler(logging.NullHandler())
        self._context = contextvars.copy_context()
        self._context.run(_own_metrics_and_bus)
        loop = asyncio.get_running_loop()
        self.model = AzureVoiceLive(api_key="x", endpoint=url, model=f"bench-{index}")
        self.model.loop = loop
        self.model.audio_track = TeeCustomAudioStreamTrack(loop)
        self.feed = self.model.handle_audio_input
        self.recv = self.model.audio_track.recv
        self.pcm_of = _pcm_of_frame

    async def connect(self) -> None:
        # Its tasks work in the context that they are made in.
        await asyncio.create_task(self.model.connect(), context=self._context)

    async def flush(self) -> None:
        pass  # every call waited until its event was sent

    async def aclose(self) -> None:
        track = self.model.audio_track
        await self.model.aclose()
        track.stop()


class Harness:
    """No session at all: what the tasks that feed and drain cost by themselves."""

    def __init__(self, index: int, url: str, chunk_ms: int) -> None:
        self._due_s: float | None = None
        self._silence = bytes(960)

    async def connect(self) -> None:
        pass

    async def feed(self, pcm: bytes) -> None:
        pass

    async def recv(self) -> bytes:
        pacer = Pacer.of_running_loop()
        now_s = pacer.time()
        self._due_s = now_s if self._due_s is None else self._due_s + FRAME_S
        if self._due_s > now_s:
            await pacer.sleep_until(self._due_s)
        return self._silence

    def pcm_of(self, frame: bytes) -> bytes:
        return frame

    async def flush(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def make(name: str, index: int, url: str, chunk_ms: int) -> Session:
    """One session of that implementation.

    Raises:
        NotThere: this environment does not have it.
    """
    match name:
        case "plugin":
            return Plugin(index, url, chunk_ms)
        case "harness":
            return Harness(index, url, chunk_ms)
        case "sdk" | "native":
            return Voicelane(index, url, chunk_ms, transport=name)
        case "sdk-av" | "native-av":
            transport = name.removesuffix("-av")
            return Voicelane(index, url, chunk_ms, transport=transport, frame_type="av")
        case "native-batch":
            import voicelane

            for name in ("feed_many", "read_many"):
                if not hasattr(voicelane, name):
                    raise NotThere(f"voicelane.{name}")
            return Voicelane(index, url, chunk_ms, transport="native")
    raise ValueError(f"no implementation called {name!r}")


def encoded(name: str, chunk_ms: int, frames: Iterable[bytes]) -> bytes:
    """The PCM that the service must get for these frames of the microphone."""
    if name == "plugin":
        from videosdk.agents import ProviderAudioInput
        from videosdk.plugins.azure.voice_live import CAPABILITY

        audio = ProviderAudioInput(CAPABILITY, want_channels=1)
        audio.declare()
        return b"".join(audio.process(frame) for frame in frames)
    from voicelane import CaptureEncoder

    encoder = CaptureEncoder(48_000, 2, chunk_ms=chunk_ms)
    return b"".join(base64.b64decode(encoder.encode(frame)) for frame in frames)


def _pcm_of_frame(frame: Any) -> bytes:
    # A plane may be padded beyond its samples.
    return bytes(frame.planes[0])[:960]


def _own_metrics_and_bus() -> None:
    """A session of its own for the plugin's metrics, as its host makes it; nothing is uploaded."""
    from videosdk.agents import event_bus, metrics

    async def no_upload(*_arguments: Any) -> None:
        pass

    collector = metrics.MetricsCollector()
    collector.analytics_client._execute_request = no_upload
    metrics.set_current_metrics_collector(collector)
    event_bus.set_current_event_bus(event_bus.new_session_event_bus())
