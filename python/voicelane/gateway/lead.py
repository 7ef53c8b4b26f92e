"""How far what was sent is ahead of what is heard."""

from __future__ import annotations

# How much later than by the clock a client may play: the network, its jitter buffer.
_LATEST_S = 2.0


class Lead:
    """What a client holds and has not played: by the clock, and by what it reports.

    Times are seconds of one clock, which the caller gives.

    Args:
        rate_hz: frames per second of what is sent.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        # Since the last clear.
        self.sent_frames = 0
        self._level_frames = 0.0
        self._level_s = 0.0
        # Frames heard since the last clear, as the client said, and when it did.
        self._reported: tuple[int, float] | None = None
        self.num_clears = 0

    def sent(self, frames: int, now_s: float) -> None:
        """So many frames more are on their way."""
        self._level_frames = self.paced_frames(now_s) + frames
        self._level_s = now_s
        self.sent_frames += frames

    def cleared(self) -> int:
        """The client is told to drop what it holds. Returns the number of this clear, from 1."""
        self.sent_frames = 0
        self._level_frames = 0.0
        self._reported = None
        self.num_clears += 1
        return self.num_clears

    def reported(self, clear: int, frames: int, now_s: float) -> None:
        """The client has played so many frames since that clear. Reports from before it do not count."""
        if clear == self.num_clears:
            self._reported = min(frames, self.sent_frames), now_s

    def may_be_held(self, now_s: float) -> bool:
        """Whether the client may have something left to play, were it later than it should be."""
        if self._reported is not None and self._reported[0] == self.sent_frames:
            return False
        return self.sent_frames > 0 and self.unheard_ms(now_s - _LATEST_S) > 0

    def paced_frames(self, now_s: float) -> float:
        """What a client that plays at once would still hold: by the clock alone."""
        return max(0.0, self._level_frames - (now_s - self._level_s) * self._rate_hz)

    def unheard_ms(self, now_s: float) -> float:
        """What is still to be heard: by the client's last report, or else by the clock."""
        if self._reported is None:
            frames = self.paced_frames(now_s)
        else:
            played, at_s = self._reported
            frames = max(0.0, self.sent_frames - played - (now_s - at_s) * self._rate_hz)
        return frames * 1000 / self._rate_hz
