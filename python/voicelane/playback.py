"""Frames at the pace of a speaker."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from ._core import PlaybackBuffer, PlaybackPosition
from .emitter import EventEmitter
from .errors import PlaybackEndedError

if TYPE_CHECKING:
    from av import AudioFrame

FRAME_MS = 20
# A caller that is late gets its frames at twice the pace until it has caught up: 300 ms in 300 ms.
_CATCH_UP_PACE = 2
# One that is later than this was suspended: what it missed is over.
_LATEST_S = 1.0
_AV_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")


class PlaybackTrack(EventEmitter):
    """Paced 20 ms frames out of a `PlaybackBuffer`: silence where nothing is to be heard.

    The schedule is absolute on the event loop's monotonic clock, so it does not drift. A caller that
    comes late gets its frames one by one at twice the pace, until it is back on schedule: nothing is
    lost, and no burst overruns what listens. One that is more than a second late goes on from now; the
    timestamps then skip what it missed.

    It is a track to aiortc (``RTCPeerConnection.addTrack``), whose frames are PyAV's.

    Events, for `on`:

    ================  ===============================================================================
    ``speech_started``  the first frame of an utterance was handed out
    ``speech_ended``    the last one was, and `grace_ms` of silence after it; `PlaybackPosition`. An
                        utterance ends where `PlaybackBuffer.finish` or ``interrupt`` ended it: a
                        buffer that ran dry goes on
    ``ended``           `stop` was called
    ================  ===============================================================================

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
        self._pcm = bytearray(self.frame_frames * playback.output_channels * 2)
        self._rate_hz = playback.output_rate_hz
        self._time_base = Fraction(1, self._rate_hz)
        self._frame_s = self.frame_frames / self._rate_hz
        self._grace_frames = round(grace_ms * self._rate_hz / 1000)
        self._stopped = False
        # The schedule: frame `_next_frame` of the listener's clock is due that long after the start.
        self._started_s: float | None = None
        self._next_frame = 0
        self._last_s = 0.0
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
        await self._wait_until_due()
        first_frame = self._next_frame
        self._next_frame += self.frame_frames
        heard_frames = self.playback.read_into(self._pcm)
        pcm = bytes(self._pcm)
        frame = self._av_frame(pcm, first_frame) if self._as_av else pcm
        self._note_speech(heard_frames)
        return frame

    def stop(self) -> None:
        """Ends the track; a `recv` that waits ends when it is due. Idempotent. What is buffered stays."""
        if not self._stopped:
            self._stopped = True
            self.emit("ended")

    def interrupt(self, *, fade_ms: int = 0) -> PlaybackPosition:
        """Drops what was not yet heard. Returns what was."""
        return self.playback.interrupt(fade_ms=fade_ms)

    async def _wait_until_due(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._stopped:
            now_s = clock()
            wait_s = self._due_s(now_s) - now_s
            if wait_s <= 0:
                self._last_s = now_s
                return
            # Looked at again afterwards: another `recv` may have taken the turn.
            await asyncio.sleep(wait_s)
        raise _ended_error()("expected a live track, got one that was stopped")

    def _due_s(self, now_s: float) -> float:
        if self._started_s is None:
            self._started_s = now_s
            return now_s
        due_s = self._started_s + self._next_frame / self._rate_hz
        if now_s - due_s > _LATEST_S:
            missed = int((now_s - due_s) / self._frame_s)
            self._next_frame += missed * self.frame_frames
            due_s = self._started_s + self._next_frame / self._rate_hz
        return max(due_s, self._last_s + self._frame_s / _CATCH_UP_PACE)

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
