"""Frames at the pace of a speaker."""

from __future__ import annotations

import sys
import uuid
from asyncio import get_running_loop
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from math import ceil
from typing import TYPE_CHECKING, Literal

from ._core import PlaybackBuffer, PlaybackPosition
from .emitter import EventEmitter
from .errors import PlaybackEndedError
from .pacer import Pacer

if TYPE_CHECKING:
    from av import AudioFrame

FRAME_MS = 20
# A caller that is late gets its frames at twice the pace until it has caught up: 300 ms in 300 ms.
_CATCH_UP_PACE = 2
# One that is later than this was suspended: what it missed is over.
_LATEST_S = 1.0
# Tracks begin on the same instants of the clock, wherever they were made: the loop wakes twice a frame for
# all of them, and the work of a frame is not all at one moment.
_GRID_S = 0.010
_AV_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")


class PlaybackTrack(EventEmitter):
    """Paced 20 ms frames out of a `PlaybackBuffer`: silence where nothing is to be heard.

    The schedule is absolute on the event loop's monotonic clock, so it does not drift. A caller that
    comes late gets its frames one by one at twice the pace, until it is back on schedule: nothing is
    lost, and no burst overruns what listens. One that is more than a second late goes on from now; the
    timestamps then skip what it missed.

    All tracks of an event loop wait by one timer. A track begins with the next 10 ms of the loop's clock,
    so its first frame comes up to 10 ms after it is asked for; a frame comes within the millisecond (the
    timer's resolution) in which it is due.

    It is a track to aiortc (``RTCPeerConnection.addTrack``), whose frames are PyAV's.

    Events, for `on`:

    | event | when |
    | --- | --- |
    | ``speech_started`` | the first frame of an utterance was handed out |
    | ``speech_ended`` | the last one was, and `grace_ms` of silence after it; `PlaybackPosition` |
    | ``ended`` | `stop` was called |

    An utterance ends where `PlaybackBuffer.finish` or ``interrupt`` ended it: a buffer that ran dry goes on.

    Args:
        playback: where the frames come from; this track is its only reader.
        frame_type: what `recv` returns: ``"av"`` for `av.AudioFrame`, ``"bytes"`` for s16le PCM,
            ``"auto"`` for the former where PyAV is installed. PyAV is imported when it is first needed.
        grace_ms: how long it must be silent before an utterance counts as ended.

    Raises:
        ValueError: an argument out of range.
        ImportError: ``"av"`` without PyAV.
    """

    def __init__(
        self,
        playback: PlaybackBuffer,
        *,
        frame_type: Literal["auto", "av", "bytes"] = "auto",
        grace_ms: float = 200,
    ) -> None:
        super().__init__()
        if frame_type not in ("auto", "av", "bytes"):
            raise ValueError(f"frame_type: expected 'auto', 'av' or 'bytes', got {frame_type!r}")
        if not grace_ms >= 0:
            raise ValueError(f"grace_ms: expected at least 0, got {grace_ms!r}")
        if frame_type == "av" and find_spec("av") is None:
            raise ImportError("frame_type 'av': expected PyAV, which is not installed")
        self.playback = playback
        self.frame_frames = playback.output_rate_hz * FRAME_MS // 1000
        self.id = str(uuid.uuid4())
        self._as_av = frame_type == "av" or (frame_type == "auto" and find_spec("av") is not None)
        self._pacer: Pacer | None = None
        self._rate_hz = playback.output_rate_hz
        self._time_base = Fraction(1, self._rate_hz)
        self._frame_s = self.frame_frames / self._rate_hz
        self._grace_frames = round(grace_ms * self._rate_hz / 1000)
        self._stopped = False
        # The schedule: frame `_next_frame` of the listener's clock is on time that long after the start,
        # and due then or, to who is late, half a frame after the one before.
        self._started_s = 0.0
        self._next_frame = 0
        self._on_time_s = 0.0
        self._due_s = 0.0
        self._catch_up_s = self._frame_s / _CATCH_UP_PACE
        self._speaking = False
        self._silent_frames = 0

    @property
    def kind(self) -> str:
        """What aiortc asks for first: audio."""
        # It asks next whether this is one of its tracks, by isinstance. Registered here, because by
        # now it is imported, and voicelane need not be what imports it.
        if (aiortc := sys.modules.get("aiortc.mediastreams")) is not None:
            aiortc.MediaStreamTrack.register(type(self))
        return "audio"

    @property
    def readyState(self) -> str:
        """``"live"``, or ``"ended"`` after `stop`."""
        return "ended" if self._stopped else "live"

    async def recv(self) -> AudioFrame | bytes:
        """The next 20 ms, when they are due. Cancelled, it takes nothing.

        Raises:
            PlaybackEndedError: `stop` was called; to aiortc, its own `MediaStreamError`.
        """
        pacer = self._pacer
        if pacer is None or pacer.loop is not get_running_loop():
            pacer = self._begin()
        now_s = pacer.time()
        # Looked at again after waiting: another `recv` may have taken the turn.
        while self._due_s > now_s and not self._stopped:
            now_s = await pacer.sleep_until(self._due_s)
        if self._stopped:
            raise _ended_error()("expected a live track, got one that was stopped")
        if now_s - self._on_time_s > _LATEST_S:
            self._skip_to(now_s)
        first_frame = self._next_frame
        self._set_next(first_frame + self.frame_frames)
        self._due_s = max(self._on_time_s, now_s + self._catch_up_s)
        pcm, heard_frames = self.playback.take(self.frame_frames)
        if heard_frames or self._speaking:
            self._note_speech(heard_frames)
        return self._av_frame(pcm, first_frame) if self._as_av else pcm

    def stop(self) -> None:
        """Ends the track; a `recv` that waits ends when it is due. Idempotent. What is buffered stays."""
        if not self._stopped:
            self._stopped = True
            self.emit("ended")

    def interrupt(self, *, fade_ms: int = 0) -> PlaybackPosition:
        """Drops what was not yet heard. Returns what was."""
        return self.playback.interrupt(fade_ms=fade_ms)

    def _begin(self) -> Pacer:
        """Waits on the running loop from now on."""
        pacer = Pacer.of_running_loop()
        if self._pacer is None:
            self._started_s = ceil(pacer.time() / _GRID_S) * _GRID_S
            self._set_next(0)
            self._due_s = self._on_time_s
        self._pacer = pacer
        return pacer

    def _set_next(self, frame: int) -> None:
        self._next_frame = frame
        self._on_time_s = self._started_s + frame / self._rate_hz

    def _skip_to(self, now_s: float) -> None:
        missed = int((now_s - self._on_time_s) / self._frame_s)
        self._set_next(self._next_frame + missed * self.frame_frames)

    def _av_frame(self, pcm: bytes, first_frame: int) -> AudioFrame:
        from av import AudioFrame

        layout = _AV_LAYOUTS[self.playback.output_channels - 1]
        frame = AudioFrame(format="s16", layout=layout, samples=self.frame_frames)
        frame.planes[0].update(pcm)
        frame.sample_rate = self._rate_hz
        frame.time_base = self._time_base
        frame.pts = first_frame
        return frame

    def _note_speech(self, heard_frames: int) -> None:
        if heard_frames:
            self._silent_frames = 0
            if not self._speaking:
                self._speaking = True
                self.emit("speech_started")
        self._silent_frames += self.frame_frames - heard_frames
        if not self._speaking or self._silent_frames < self._grace_frames:
            return
        if self.playback.is_finished:
            self._speaking = False
            self.emit("speech_ended", self.playback.position)


def _ended_error() -> Callable[[str], Exception]:
    """The error of a stopped track, which aiortc also knows where it is there."""
    aiortc = sys.modules.get("aiortc.mediastreams")
    if aiortc is None:
        return PlaybackEndedError
    return type("PlaybackEndedError", (PlaybackEndedError, aiortc.MediaStreamError), {})
