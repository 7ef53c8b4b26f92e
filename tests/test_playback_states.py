"""Random calls to a `PlaybackBuffer` beside a list of frames that does the same."""

from __future__ import annotations

import base64
from array import array

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from voicelane import PlaybackBuffer

LIMIT_MS = 10
LIMIT_FRAMES = 24 * LIMIT_MS
ITEMS = st.sampled_from(["a", "b"])


class PlaybackStates(RuleBasedStateMachine):
    """One thread, as read and written, mono: what is heard, counted and told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = PlaybackBuffer(max_buffered_ms=LIMIT_MS)
        self.waiting: list[tuple[int, str]] = []
        self.heard: list[str] = []
        self.next_sample = 1
        self.num_written = self.num_cut = self.num_refused = self.num_silent = 0
        # Cut off, and in the way until the next read.
        self.num_held = 0
        self.is_paused = False

    @rule(num_frames=st.integers(0, LIMIT_FRAMES + 9), item=ITEMS, as_text=st.booleans())
    def write(self, num_frames: int, item: str, as_text: bool) -> None:
        samples = [1 + (self.next_sample + i) % 30_000 for i in range(num_frames)]
        self.next_sample += num_frames
        pcm = array("h", samples).tobytes()
        if as_text:
            taken = self.buffer.write_base64(base64.b64encode(pcm), item_id=item)
        else:
            taken = self.buffer.write(pcm, item_id=item)
        assert taken == min(num_frames, LIMIT_FRAMES - len(self.waiting) - self.num_held)
        self.waiting += [(sample, item) for sample in samples[:taken]]
        self.num_written += taken
        self.num_refused += num_frames - taken

    @rule(num_frames=st.integers(0, LIMIT_FRAMES + 9))
    def read(self, num_frames: int) -> None:
        pcm, real = self.buffer.take(num_frames)
        now = [] if self.is_paused else self.waiting[:num_frames]
        self.waiting = self.waiting[len(now) :]
        silence = [0] * (num_frames - len(now))
        assert real == len(now)
        assert list(array("h", pcm)) == [sample for sample, _ in now] + silence
        self.heard += [item for _, item in now]
        self.num_silent += len(silence)
        self.num_held = 0

    @rule(clears=st.booleans())
    def cut_off(self, clears: bool) -> None:
        if clears:
            self.buffer.clear()
        else:
            self.buffer.interrupt()
        self.num_cut += len(self.waiting)
        self.num_held += len(self.waiting)
        self.waiting = []

    @rule(pauses=st.booleans())
    def pause(self, pauses: bool) -> None:
        self.is_paused = pauses
        if pauses:
            self.buffer.pause()
        else:
            self.buffer.resume()

    @rule()
    def finish(self) -> None:
        self.buffer.finish()

    @invariant()
    def what_waits_is_told(self) -> None:
        assert self.buffer.buffered_ms * 24 == len(self.waiting)
        assert self.buffer.played_ms * 24 == len(self.heard)
        assert self.buffer.is_idle == (not self.waiting)

    @invariant()
    def frames_are_counted(self) -> None:
        stats = self.buffer.stats()
        assert stats["written_frames"] == self.num_written
        assert stats["played_frames"] == len(self.heard)
        assert stats["buffered_frames"] == len(self.waiting)
        assert stats["silent_frames"] == self.num_silent
        assert stats["overrun_frames"] == self.num_refused
        assert stats["dropped_frames"] == self.num_cut - self.num_held

    @invariant()
    def position_is_what_was_heard_last(self) -> None:
        position = self.buffer.position
        assert position.item_id == (self.heard[-1] if self.heard else None)


TestPlaybackStates = PlaybackStates.TestCase
TestPlaybackStates.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
