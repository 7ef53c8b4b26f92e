"""A machine's microphone and speaker, at five times their pace: a user who asks the recorded question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

from support import speech

_PACE_S = 0.004  # for 20 ms
Callback = Callable[[Any, int, Any, Any], None]


class _Stream:
    """Calls back from a thread of its own while it is entered."""

    def __init__(
        self,
        *,
        device: int | None,
        samplerate: int,
        channels: int,
        dtype: str,
        callback: Callback,
        blocksize: int = 480,
    ) -> None:
        assert (device, channels, dtype) == (None, 1, "int16")
        self.latency = 0.01
        self._rate_hz = samplerate
        self._num_frames = blocksize
        self._callback = callback
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        buffers = self._buffers()
        while not self._stopped.wait(_PACE_S):
            self._callback(next(buffers), self._num_frames, None, None)

    def _buffers(self) -> Iterator[bytearray]:
        """Where the speaker wants its frames."""
        return repeat(bytearray(2 * self._num_frames))


class RawOutputStream(_Stream):
    pass


class RawInputStream(_Stream):
    def _buffers(self) -> Iterator[bytearray]:
        pcm, rate_hz, num_channels = speech("question-48k-stereo.wav")
        assert rate_hz == self._rate_hz
        left = bytes(memoryview(pcm).cast("h")[::num_channels])
        step = 2 * self._num_frames
        spoken = (bytearray(left[start : start + step]) for start in range(0, len(left), step))
        return chain(spoken, repeat(bytearray(step)))
