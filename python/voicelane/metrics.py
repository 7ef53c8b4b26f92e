"""What a session measures of itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from statistics import quantiles
from typing import Any

from ._core import PlaybackBuffer
from .uplink import Uplink

_KEPT = 512


class Latency:
    """The latest durations of one kind, in milliseconds.

    Args:
        measured: is told each of them, in seconds.
    """

    def __init__(self, measured: Callable[[float], object]) -> None:
        self._measured = measured
        self._recent_ms: deque[float] = deque(maxlen=_KEPT)
        self._started_s: float | None = None

    def start(self, now_s: float) -> None:
        """Something began; a second start begins anew."""
        self._started_s = now_s

    def stop(self, now_s: float) -> None:
        """It ended; without a start, nothing is noted."""
        if self._started_s is not None:
            duration_s = now_s - self._started_s
            self._recent_ms.append(1000 * duration_s)
            self._started_s = None
            self._measured(duration_s)

    def summary(self) -> dict[str, Any]:
        """Count, median and 99th percentile of the latest 512; None where there is none."""
        values = sorted(self._recent_ms)
        if len(values) < 2:
            only = values[0] if values else None
            return {"count": len(values), "p50_ms": only, "p99_ms": only}
        percentiles = quantiles(values, n=100, method="inclusive")
        return {"count": len(values), "p50_ms": percentiles[49], "p99_ms": percentiles[98]}


class Metrics:
    """The counters and latencies of one session, over all its connections.

    Args:
        measured: is told each latency, by its name and in seconds.
    """

    def __init__(self, measured: Callable[[str, float], None]) -> None:
        self.num_errors = 0
        self.num_reconnects = 0
        # End of the user's speech, as the service tells it, to the first audio of the answer...
        self.first_audio = Latency(partial(measured, "first_audio"))  # ...received
        self.first_heard = Latency(partial(measured, "first_heard"))  # ...and heard
        # From an interrupt to the consumer's next read.
        self.silence = Latency(partial(measured, "silence"))

    def counts(self, uplink: Uplink, playback: PlaybackBuffer) -> dict[str, float]:
        """The counters that telemetry reports."""
        return {
            "audio_sent_ms": uplink.core.sent_ms,
            "audio_dropped_ms": uplink.core.dropped_ms,
            "errors": self.num_errors,
            "reconnects": self.num_reconnects,
            "underruns": playback.stats()["underruns"],
        }

    def summary(self, uplink: Uplink, playback: PlaybackBuffer) -> dict[str, Any]:
        """Everything that was measured, as `AzureVoiceLive.stats` gives it."""
        return {
            "audio_in_ms": uplink.core.taken_ms,
            "audio_sent_ms": uplink.core.sent_ms,
            "audio_waiting_ms": uplink.core.waiting_ms,
            "audio_dropped_ms": uplink.core.dropped_ms,
            "errors": self.num_errors,
            "reconnects": self.num_reconnects,
            "playback": playback.stats(),
            "first_audio": self.first_audio.summary(),
            "first_heard": self.first_heard.summary(),
            "silence": self.silence.summary(),
        }
