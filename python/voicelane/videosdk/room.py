"""The agent's speech on the room's track, which paces itself: forwarded at once, heard later."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Any

from .._core import AudioDelta, PlaybackBuffer
from .players import FRAME_S, SAMPLE_BYTES, player_of

_log = logging.getLogger(__name__)

_MAX_BUFFERED_MS = 600_000  # as of a PlaybackBuffer
_REMEMBERED_SPANS = 64


@dataclass(frozen=True, slots=True)
class PlayHead:
    """Which item is being heard, and how much of it was."""

    item_id: str | None = None
    content_index: int = 0
    audio_end_ms: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What an audio delta brought, and where that begins among the frames written so far."""

    response_id: str | None
    item_id: str | None
    num_frames: int
    start_frame: int


@dataclass(slots=True)
class _Span:
    item_id: str | None
    content_index: int
    start: int
    end: int


class TrackPlayback:
    """What a session takes for its playback buffer, over a track of the host.

    Counts frames on one axis: what was written, what of it was heard, what was dropped.

    Args:
        decoder: takes the audio out of the service's events; nothing stays in it.
        track: a track of the host; None drops what is said.
        rate_hz: of the audio.
    """

    def __init__(self, decoder: PlaybackBuffer, track: Any, rate_hz: int) -> None:
        self.output_rate_hz = rate_hz
        self._decoder = decoder
        self._player = player_of(track, rate_hz)
        self._frame = getattr(track, "samples", round(rate_hz * FRAME_S))
        # What the track is to be given: None begins a response. `write_event` bounds it.
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._forwarder: asyncio.Task[None] | None = None
        self._spans: deque[_Span] = deque(maxlen=_REMEMBERED_SPANS)
        self._response_id: str | None = None
        self._written = 0
        self._overrun = 0
        self._heard_before = 0
        self._since = 0  # where on the axis the last interrupt was
        # What the track had played, or was still to fade out, at that point.
        self._played_then = self._player.played()

    # --- the producer: the session's reader --------------------------------------------------

    def write_event(self, text: str | bytes, /, *, response_id: str | None = None) -> Taken | None:
        """Forwards the audio of a raw server event; None where it is none.

        Audio beyond the ten minutes that may wait is dropped and counted.
        """
        delta = self._decoder.write_event(text, response_id=response_id)
        if delta is None:
            return None
        taken = Taken(delta.response_id, delta.item_id, delta.num_frames, self._written)
        if delta.written_frames:
            self._take(delta)
        return taken

    def _take(self, delta: AudioDelta) -> None:
        pcm = self._decoder.read(delta.written_frames)
        if self.buffered_ms + delta.written_frames * 1000 / self.output_rate_hz > _MAX_BUFFERED_MS:
            self._overrun += delta.written_frames
            return
        if delta.response_id != self._response_id:
            self._response_id = delta.response_id
            self._put(None)
        self._append(pcm, delta.item_id, delta.content_index)

    def finish(self) -> None:
        """Fills up the last frame: a track never plays a part of one."""
        if missing := -(self._written - self._since) % self._frame:
            last = self._spans[-1]  # its silence is a part of it: behind it nothing else is heard
            self._append(bytes(missing * SAMPLE_BYTES), last.item_id, last.content_index)

    def _append(self, pcm: bytes, item_id: str | None, content_index: int) -> None:
        if self.buffered_frames == 0 and self._since + self._heard_now() < self._written:
            self._drop()  # somebody else has interrupted the track
        start, self._written = self._written, self._written + len(pcm) // SAMPLE_BYTES
        last = self._spans[-1] if self._spans else None
        if last and (last.item_id, last.content_index) == (item_id, content_index):
            last.end = self._written
        else:
            self._spans.append(_Span(item_id, content_index, start, self._written))
        self._put(pcm)

    def _put(self, what: bytes | None) -> None:
        self._queue.put_nowait(what)
        if self._forwarder is None:
            self._forwarder = asyncio.create_task(self._forward(), name="voicelane-room-track")

    async def _forward(self) -> None:
        # In order, and off the reader: a track waits for its sinks.
        while True:
            pcm = await self._queue.get()
            try:
                if pcm is None:
                    self._player.begin()
                else:
                    await self._player.add(pcm)
            except Exception:  # noqa: BLE001 - the host's code; logged, and the rest is still to be heard
                _log.exception("The room's track did not take audio")

    # --- control -----------------------------------------------------------------------------

    def interrupt(self, *, fade_ms: int = 0) -> PlayHead:
        """Drops what was not heard. The track fades as its host has set it."""
        head = self.position
        fading = self._played_then - self._player.played()
        waiting = self._written - self._since - self._heard_now() + max(0, fading)
        self._drop()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._decoder.clear()
        self._response_id = None
        self._played_then = self._player.interrupt(waiting)
        return head

    def clear(self) -> None:
        """Drops what was not heard, where there is any."""
        if self.buffered_frames:
            self.interrupt()

    def _drop(self) -> None:
        self._heard_before += self._heard_now()
        self._since = self._written
        self._played_then = self._player.played()
        self._spans.clear()

    async def close(self) -> None:
        """Forwards nothing any more. The track stays the host's."""
        forwarder, self._forwarder = self._forwarder, None
        if forwarder is not None:
            forwarder.cancel()
            await asyncio.gather(forwarder, return_exceptions=True)

    # --- what was heard ----------------------------------------------------------------------

    def _heard_now(self) -> int:
        played = self._player.played() - self._played_then
        return max(0, min(played, self._written - self._since))

    @property
    def position(self) -> PlayHead:
        """The item at the play head."""
        heard = self._since + self._heard_now()
        for span in self._spans:
            if heard <= span.end:
                heard_ms = max(0, heard - span.start) * 1000 // self.output_rate_hz
                return PlayHead(span.item_id, span.content_index, heard_ms)
        return PlayHead()

    @property
    def buffered_frames(self) -> int:
        """What is yet to be heard."""
        if self._queue.empty() and self._player.is_empty():
            return 0
        return self._written - self._since - self._heard_now()

    @property
    def buffered_ms(self) -> float:
        """What is yet to be heard."""
        return self.buffered_frames * 1000 / self.output_rate_hz

    @property
    def is_idle(self) -> bool:
        """Whether everything was heard or dropped."""
        return self.buffered_frames == 0

    def stats(self) -> dict[str, Any]:
        """The decoder's figures, and what the track has made of it."""
        heard, buffered = self._heard_before + self._heard_now(), self.buffered_frames
        return {
            **self._decoder.stats(),
            "written_frames": self._written,
            "played_frames": heard,
            "buffered_frames": buffered,
            "dropped_frames": self._written - heard - buffered,
            "overrun_frames": self._overrun,
        }
