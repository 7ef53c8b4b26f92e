"""A call by a clock of the test's own: its pace, and audio and events that come at the same moment."""

from __future__ import annotations

import asyncio
import re
from array import array
from collections.abc import Callable
from typing import Any, cast

import pytest

from test_gateway_parts import Websocket, taken
from voicelane import AzureVoiceLive, PlaybackBuffer
from voicelane.emitter import EventEmitter
from voicelane.gateway import CallRequest, GatewaySettings
from voicelane.gateway.browser import BrowserCall
from voicelane.gateway.call import CallParts
from voicelane.gateway.metrics import GatewayMetrics
from voicelane.gateway.outbox import Outbox


def pcm(sample: int, milliseconds: int) -> bytes:
    return array("h", [sample] * (24 * milliseconds)).tobytes()


class Playback:
    """A buffer to which something may happen just before it is read."""

    def __init__(self) -> None:
        self.buffer = PlaybackBuffer(24_000)
        self.before_take: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.buffer, name)

    def take(self, num_frames: int) -> tuple[bytes, int]:
        self.before_take()
        return self.buffer.take(num_frames)


class Session(EventEmitter):
    """Audio is there the moment it comes, its events when somebody catches up or the loop has a turn."""

    session_id = None

    def __init__(self) -> None:
        super().__init__()
        self.playback = Playback()
        self._waiting: list[str] = []

    def is_interrupted_and_answered(self) -> None:
        """What the engine does at once, and what waits for the loop."""
        self.playback.before_take = lambda: None
        self.playback.buffer.interrupt(fade_ms=20)
        self.playback.buffer.write(pcm(2_000, 300), item_id="new")
        self.is_told("playback_interrupted")

    def is_told(self, event: str) -> None:
        self._waiting.append(event)

    def catch_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self.emit(event, {})


class Client:
    """A call, and what is sent of it."""

    def __init__(self) -> None:
        self.session = Session()
        self._websocket = Websocket()
        self._outbox = Outbox(self._websocket)
        settings = GatewaySettings()
        request = CallRequest("browser", settings.voices[0], settings.turn_detections[0], 48_000)
        session = cast(AzureVoiceLive, self.session)
        self.metrics = GatewayMetrics()
        parts = CallParts(session, self._outbox, request, settings, self.metrics)
        self._call = BrowserCall(parts)
        self._now_s = asyncio.get_running_loop().time()

    def tick(self, after_s: float = 0.0) -> None:
        self._now_s += after_s
        self._call.tick(self._now_s)

    async def told(self, count: int) -> list[str | bytes]:
        self.session.catch_up()  # the loop has its turn
        return await taken(self._websocket, self._outbox, count)


async def test_audio_comes_at_the_pace_of_a_speaker() -> None:
    client = Client()
    spoken = array("h", range(24_000)).tobytes()
    client.session.playback.write(spoken)
    client.tick()
    state, heard = await client.told(2)
    assert state == "state"
    sent_ms = [len(heard) / 48]
    for late_s in (0.04, 0.04, 0.04, 1.0, 0.04):
        client.tick(after_s=late_s)
        [more] = await client.told(1)
        sent_ms.append(len(more) / 48)
        heard += more  # type: ignore[operator]
    # The lead, then what was played of it; after a second without a turn the lead again, and no more.
    assert sent_ms == pytest.approx([160, 40, 40, 40, 160, 40], abs=0.1)
    assert spoken.startswith(heard)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old_ms", "moment"),
    [
        (300, "before the tick"),
        (100, "before the tick"),  # the session has nothing to drop: all is with the client
        (300, "between its events and its audio"),
    ],
)
async def test_an_interrupt_does_not_cut_off_what_came_after_it(old_ms: int, moment: str) -> None:
    client = Client()
    client.session.playback.write(pcm(1_000, old_ms), item_id="old")
    client.tick()
    if moment == "before the tick":
        client.session.is_interrupted_and_answered()
    else:
        client.session.playback.before_take = client.session.is_interrupted_and_answered
    client.tick(after_s=0.1)
    told = await client.told(5)
    heard = told[-1]
    assert told == ["state", "clear", "state", "state", heard]
    assert isinstance(heard, bytes)
    # Of the new answer, and nothing of the fade of the old one.
    assert set(array("h", heard)) == {2_000}


async def test_the_end_of_the_question_is_told_before_the_answer() -> None:
    client = Client()
    client.session.is_told("user_speech_ended")
    client.session.playback.write(pcm(1_000, 100))
    client.tick()
    assert await client.told(4) == ["state", "latency", "state", pcm(1_000, 100)]
    [took_s] = re.findall(
        rb"voicelane_gateway_first_audio_seconds_sum (\S+)", client.metrics.text()
    )
    assert float(took_s) >= 0, "told in the course of a turn, it is later than the turn's time"
