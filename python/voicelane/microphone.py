"""From samples to what waits to be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._core import CaptureEncoder, Feed
from .config import AzureVoiceLiveConfig
from .errors import ErrorText
from .uplink import Uplink

_MAX_CHUNK_MS = 100
_TOO_SLOW = "the network is too slow, dropping the oldest audio"


class Microphone:
    """Encodes samples as the session wants them, in chunks.

    Args:
        sample_rate_hz: of the samples.
        num_channels: of the samples, interleaved.
        chunk_ms: of a chunk.
        config: how they are sent.
        uplink: takes them.
        emit: tells the handlers what is wrong.

    Raises:
        ValueError: a rate, a number of channels or a chunk that is not supported.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        num_channels: int,
        chunk_ms: int,
        config: AzureVoiceLiveConfig,
        uplink: Uplink,
        emit: Callable[[str, Any], None],
    ) -> None:
        if config.input_channels != 1:
            raise ValueError(
                "input_audio_echo_cancellation: expected one channel, the microphone's, "
                f"got {config.input_channels}: a reference from the client is not supported yet"
            )
        if not 1 <= chunk_ms <= _MAX_CHUNK_MS:
            raise ValueError(f"chunk_ms: expected 1 to {_MAX_CHUNK_MS}, got {chunk_ms!r}")
        self._config = config
        self._chunk_ms = chunk_ms
        self._uplink = uplink
        self._emit = emit
        self._encoder = self._encoder_for(sample_rate_hz, num_channels)
        # Open while samples are of use.
        self.feed = Feed(self._encoder, uplink.core)

    def set_format(self, sample_rate_hz: int, num_channels: int) -> None:
        """What `take` gets from now on.

        Raises:
            ValueError: an argument out of range; the format stays as it was.
        """
        self._encoder = self._encoder_for(sample_rate_hz, num_channels)
        is_open = self.feed.is_open
        self.feed = Feed(self._encoder, self._uplink.core)
        self.feed.is_open = is_open

    def _encoder_for(self, sample_rate_hz: int, num_channels: int) -> CaptureEncoder:
        return CaptureEncoder(
            sample_rate_hz,
            num_channels,
            target_rate_hz=self._config.input_rate_hz,
            encoding=self._config.input_encoding,
            chunk_ms=self._chunk_ms,
        )

    def take(self, pcm: Any) -> None:
        """Takes any whole number of frames. Bad input and a slow network become ``error`` events."""
        try:
            if self.feed.put(pcm):
                self.tell_dropping()
        except (TypeError, ValueError, RuntimeError) as error:
            self.tell_refused(error)

    def flush(self) -> None:
        """Hands on what is less than a chunk."""
        if self.feed.put_rest():
            self.tell_dropping()

    def reset(self) -> None:
        """Forgets what is less than a chunk."""
        self._encoder.reset()

    def tell_dropping(self) -> None:
        """One ``error`` for each time in which audio has to go."""
        self._emit("error", ErrorText(f"Error processing audio input: {_TOO_SLOW}"))

    def tell_refused(self, error: Exception) -> None:
        """An ``error`` for samples that cannot be taken."""
        self._emit("error", ErrorText(f"Error processing audio input: {error}", error))
