"""How much of what it was given a host's track has played."""

from __future__ import annotations

import time
from typing import Any, Protocol

from videosdk.agents.job import get_current_job_context

FRAME_S = 0.02
SAMPLE_BYTES = 2


class Player(Protocol):
    """A track, and the count of the frames that it has played."""

    def begin(self) -> None:
        """A response begins: what an earlier interrupt has shut is open again."""

    async def add(self, pcm: bytes) -> None:
        """Plays this after all that it was given before."""

    def played(self) -> int:
        """Frames played so far: never less than before."""

    def is_empty(self) -> bool:
        """Whether it has nothing to play."""

    def interrupt(self, waiting: int) -> int:
        """Drops the frames that wait. Gives what `played` will be when the fade is over."""


def player_of(track: Any, rate_hz: int) -> Player:
    """The way to count that this track allows."""
    if _is_unread(track) or not hasattr(track, "frame_buffer"):
        return _Clock(track, rate_hz)  # hands on at once, or does not tell
    return _Counting(track) if hasattr(track, "snapshot_playback") else _Queueing(track)


def _is_unread(track: Any) -> bool:
    """Whether it only hands on what it is given: to a websocket, or to an avatar that speaks in its place."""
    room = getattr(get_current_job_context(), "room", None)
    of_avatar = track is not None and getattr(room, "agent_audio_track", None) is track
    return of_avatar or hasattr(track, "websocket_handler")


class _Track:
    def __init__(self, track: Any) -> None:
        self._track = track

    def begin(self) -> None:
        # Without it a track of 1.x ignores its second interrupt, and the websocket's stays mute.
        for name in ("enable_audio_input", "mark_synthesis_start"):
            if hasattr(self._track, name):
                getattr(self._track, name)()

    async def add(self, pcm: bytes) -> None:
        if self._track is not None:
            await self._track.add_new_bytes(pcm)

    def _queued(self) -> int:
        track = self._track
        frames = len(track.frame_buffer) + len(getattr(track, "_paused_frames", ()))
        samples: int = track.samples
        return frames * samples + len(track.audio_data_buffer) // SAMPLE_BYTES

    def is_empty(self) -> bool:
        return self._queued() == 0


class _Counting(_Track):
    """A track of 1.x: it counts itself, from the last `mark_synthesis_start` on, the fade included."""

    def __init__(self, track: Any) -> None:
        super().__init__(track)
        self._before = -track.snapshot_playback()[0]

    def begin(self) -> None:
        self._before = self.played()
        super().begin()

    def played(self) -> int:
        played: int = self._before + self._track.snapshot_playback()[0]
        return played

    def interrupt(self, waiting: int) -> int:
        track = self._track
        samples: int = track.samples
        fade = round(getattr(track, "interrupt_fade_duration", 0.0) / FRAME_S) * samples
        track.interrupt()
        return self.played() + max(0, min(waiting, fade))


class _Queueing(_Track):
    """A track of 0.x: what it has no more, and did not drop, it has played."""

    def __init__(self, track: Any) -> None:
        super().__init__(track)
        self._given = self._queued()

    async def add(self, pcm: bytes) -> None:
        self._given += len(pcm) // SAMPLE_BYTES
        await super().add(pcm)

    def played(self) -> int:
        return self._given - self._queued()

    def interrupt(self, waiting: int) -> int:
        self._given -= self._queued()
        self._track.interrupt()
        return self.played()


class _Clock(_Track):
    """A track that does not tell, or none: it plays what it was given in real time."""

    def __init__(self, track: Any, rate_hz: int) -> None:
        super().__init__(track)
        self._rate_hz = rate_hz
        self._given = 0
        self._played = 0.0
        self._looked_s = time.monotonic()
        self._is_unread = _is_unread(track)

    async def add(self, pcm: bytes) -> None:
        self.played()
        self._given += len(pcm) // SAMPLE_BYTES
        await super().add(pcm)
        if self._is_unread:
            self._track.frame_buffer.clear()  # handed on; nobody ever takes it from there

    def played(self) -> int:
        now_s = time.monotonic()
        self._played += (now_s - self._looked_s) * self._rate_hz
        self._played = min(self._played, self._given)
        self._looked_s = now_s
        return int(self._played)

    def is_empty(self) -> bool:
        return self.played() == self._given

    def interrupt(self, waiting: int) -> int:
        self._given = self.played()
        if self._track is not None:
            self._track.interrupt()
        return self._given
