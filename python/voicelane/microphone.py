"""From samples to what waits to be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._core import CaptureEncoder
from .config import AzureVoiceLiveConfig
from .errors import ErrorText
from .metrics import Metrics
from .uplink import Uplink

_EMPTY_APPEND_CHARS = len('{"type":"input_audio_buffer.append","audio":""}')
_TOO_SLOW = "the network is too slow, dropping the oldest audio"


class Microphone:
    """Encodes samples as the session wants them, in chunks.

    Args:
        sample_rate_hz: of the samples.
        num_channels: of the samples, interleaved.
        chunk_ms: of a chunk.
        config: how they are sent.
        uplink: takes them.
        metrics: counts them.
        emit: tells the handlers what is wrong.

    Raises:
        ValueError: a rate or a number of channels that is not supported.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        num_channels: int,
        chunk_ms: int,
        config: AzureVoiceLiveConfig,
        uplink: Uplink,
        metrics: Metrics,
        emit: Callable[[str, Any], None],
    ) -> None:
        if config.input_channels != 1:
            raise ValueError(
                "input_audio_echo_cancellation: expected one channel, the microphone's, "
                f"got {config.input_channels}: a reference from the client is not supported yet"
            )
        self._config = config
        self._chunk_ms = chunk_ms
        self.set_format(sample_rate_hz, num_channels)
        sample_bytes = 2 if config.input_encoding == "pcm16" else 1
        self._bytes_per_ms = sample_bytes * config.input_rate_hz / 1000
        self._uplink = uplink
        self._metrics = metrics
        self._emit = emit
        self._is_dropping = False

    def set_format(self, sample_rate_hz: int, num_channels: int) -> None:
        """What `take` gets from now on.

        Raises:
            ValueError: an argument out of range; the format stays as it was.
        """
        self._encoder = CaptureEncoder(
            sample_rate_hz,
            num_channels,
            target_rate_hz=self._config.input_rate_hz,
            encoding=self._config.input_encoding,
            chunk_ms=self._chunk_ms,
        )

    def take(self, pcm: Any) -> None:
        """Takes any whole number of frames. Bad input and a slow network become ``error`` events."""
        try:
            text = self._encoder.encode_event(pcm)
        except (TypeError, ValueError, RuntimeError) as error:
            self._emit("error", ErrorText(f"Error processing audio input: {error}", error))
            return
        if text is not None:
            self._put(text)

    def flush(self) -> None:
        """Hands on what is less than a chunk."""
        text = self._encoder.flush_event()
        if text is not None:
            self._put(text)

    def reset(self) -> None:
        """Forgets what is less than a chunk."""
        self._encoder.reset()

    def _put(self, text: str) -> None:
        duration_ms = (len(text) - _EMPTY_APPEND_CHARS) * 3 / 4 / self._bytes_per_ms
        self._metrics.audio_in_ms += duration_ms
        had_to_drop = self._uplink.put_audio(text, duration_ms)
        if had_to_drop and not self._is_dropping:  # one error for each episode
            self._emit("error", ErrorText(f"Error processing audio input: {_TOO_SLOW}"))
        self._is_dropping = had_to_drop
