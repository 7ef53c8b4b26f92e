"""The agent's own track, for hosts that let the model make one."""

from __future__ import annotations

import asyncio
import sys
import time
from fractions import Fraction
from typing import Any

import av
from videosdk.agents import CustomAudioStreamTrack

from .._core import PlaybackBuffer, Resampler
from .players import FRAME_S, SAMPLE_BYTES

# Each generation has it in another module.
_MediaStreamError: type[Exception] = sys.modules[CustomAudioStreamTrack.__module__].MediaStreamError


class AgentAudioTrack(CustomAudioStreamTrack):  # type: ignore[misc]
    """VideoSDK's track over a `PlaybackBuffer`: a reply of any length waits in it at no cost.

    Unlike VideoSDK's it keeps its pace by the monotonic clock, plays the part of a frame that a reply
    ends with, and takes every interrupt, not only the first.

    Args:
        loop: the event loop that calls it.
        playback: what is to be played; default one of its own, of 24 kHz mono.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None, playback: PlaybackBuffer | None = None
    ) -> None:
        super().__init__(loop)
        self.playback = playback or PlaybackBuffer()
        self.sample_rate: int = self.playback.output_rate_hz
        self.time_base_fraction = Fraction(1, self.sample_rate)
        self.samples = round(self.sample_rate * FRAME_S)
        self.chunk_size = self.samples * SAMPLE_BYTES
        # 0.x has none of these.
        self.interrupt_fade_duration = getattr(self, "interrupt_fade_duration", 0.02)
        self._synthesis_complete = False
        self._grace_s = getattr(self, "_speaking_grace_period", 0.2)
        self._last_audio_callback: Any = None
        self._telling: set[asyncio.Future[Any]] = set()
        self._pcm = bytearray(self.chunk_size)
        self._odd_byte = b""
        self._resampler: Resampler | None = None
        self._input_frame_bytes = SAMPLE_BYTES
        self._marks = (0, 0)
        self._started_s: float | None = None
        self._last_heard_s = -self._grace_s
        self._is_heard = False

    # --- the producer ------------------------------------------------------------------------

    def set_input_format(self, sample_rate: int, channels: int = 1) -> None:
        """What `add_new_bytes` gets from now on: frames per second, and channels, interleaved.

        Raises:
            ValueError: an argument out of range; the format stays as it was.
        """
        is_own = (sample_rate, channels) == (self.sample_rate, 1)
        self._resampler = (
            None if is_own else Resampler(sample_rate, self.sample_rate, num_channels=channels)
        )
        self._input_frame_bytes = channels * SAMPLE_BYTES
        self._odd_byte = b""

    async def add_new_bytes(self, audio_data: bytes) -> None:
        """Plays this after all that waits: s16le, mono of `sample_rate` unless told otherwise."""
        if not self._accepting_audio:
            return
        pcm = self._odd_byte + bytes(audio_data)
        whole = len(pcm) // self._input_frame_bytes * self._input_frame_bytes
        self._odd_byte = pcm[whole:]
        pcm = pcm[:whole]
        self.playback.write(self._resampler.process(pcm) if self._resampler else pcm)

    def enable_audio_input(self, manual_control: bool = False) -> None:
        """Takes audio again; with `manual_control`, an interrupt ends that."""
        self._manual_audio_control = manual_control
        self._accepting_audio = True

    def mark_synthesis_start(self) -> None:
        """`snapshot_playback` counts from here on."""
        stats = self.playback.stats()
        self._marks = (stats["played_frames"], stats["written_frames"])

    def snapshot_playback(self) -> tuple[int, int]:
        """Samples played and samples pushed since `mark_synthesis_start`."""
        stats = self.playback.stats()
        return stats["played_frames"] - self._marks[0], stats["written_frames"] - self._marks[1]

    def on_last_audio_byte(self, callback: Any) -> None:
        """Calls this when a synthesis that is complete was played."""
        self._last_audio_callback = callback
        self._synthesis_complete = False

    def mark_synthesis_complete(self) -> None:
        """Nothing more comes."""
        self.playback.finish()
        self._synthesis_complete = True
        if not self.is_speaking:
            self._tell_the_end()

    # --- control -----------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Drops what was not played, with a fade of `interrupt_fade_duration` seconds."""
        self.playback.interrupt(fade_ms=round(self.interrupt_fade_duration * 1000))
        self.playback.resume()
        self._odd_byte = b""
        self._is_paused = False
        self._synthesis_complete = False
        self._accepting_audio = not self._manual_audio_control

    async def pause(self) -> None:
        """Plays silence until `resume`; what comes in the meantime waits."""
        self._is_paused = True
        self.playback.pause()

    async def resume(self) -> None:
        """Goes on where it was paused."""
        self._is_paused = False
        self.playback.resume()

    @property
    def is_speaking(self) -> bool:
        """Whether something is played, or was until 200 ms ago."""
        return (
            self.playback.buffered_ms > 0 or time.monotonic() - self._last_heard_s < self._grace_s
        )

    # --- the consumer ------------------------------------------------------------------------

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when they are due; at once while the caller is late.

        Raises:
            MediaStreamError: the track was stopped.
        """
        if self.readyState != "live":
            raise _MediaStreamError
        now_s = time.monotonic()
        if self._started_s is None:
            self._started_s = now_s
        pts, time_base = self.next_timestamp()
        wait_s = self._started_s + pts / self.sample_rate - now_s
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        frame = av.AudioFrame(format="s16", layout="mono", samples=self.samples)
        heard = self.playback.read_into(self._pcm)
        self._note(heard > 0)
        plane = frame.planes[0]
        plane.update(bytes(self._pcm).ljust(plane.buffer_size, b"\0"))
        frame.pts, frame.time_base, frame.sample_rate = pts, time_base, self.sample_rate
        return frame

    def _note(self, is_heard: bool) -> None:
        now_s = time.monotonic()
        if is_heard:
            self._is_heard, self._last_heard_s = True, now_s
        elif self._is_heard and now_s - self._last_heard_s >= self._grace_s:
            self._is_heard = False
            if self._synthesis_complete:
                self._tell_the_end()

    def _tell_the_end(self) -> None:
        self._synthesis_complete = False
        if self._last_audio_callback is not None:
            task = asyncio.ensure_future(self._last_audio_callback())
            self._telling.add(task)  # a task that nobody holds may be lost
            task.add_done_callback(self._telling.discard)
