"""The Rust core of voicelane: samples, base64 and event texts.

*Buffer* stands for any C-contiguous exporter of native int16 samples or of bytes: `bytes`,
`bytearray`, `memoryview`, `array('h')`, numpy int16 of shape `(frames * channels,)` or
`(frames, channels)`, a PyAV plane. `bytes` is read in place; anything else is copied once, because
its owner may write to it meanwhile.
"""

from typing import Literal, final

from typing_extensions import Buffer

__all__ = ["CaptureEncoder", "ConcurrencyError", "Resampler"]

class ConcurrencyError(RuntimeError):
    """Two threads used one side of the same object at the same moment."""

@final
class Resampler:
    """Converts a stream of 16-bit PCM to mono at another sample rate.

    Every call returns all output that is due, so 20 ms in are 20 ms out; the bits of the output do
    not depend on how the input is cut into calls. One thread at a time.

    Args:
        source_rate_hz: Rate of the input, 4000 to 192000.
        target_rate_hz: Rate of the output, 4000 to 192000.
        num_channels: Interleaved channels of the input, 1 to 8; the output is their mean.
        quality: `"low_delay"` (1.1 ms at 24 kHz, flat to 0.875 of the lower Nyquist frequency) or
            `"high"` (2.75 ms, flat to 0.92 of it).

    Raises:
        ValueError: An argument is outside its range.
        TypeError: An argument has the wrong type.
    """

    def __new__(
        cls,
        source_rate_hz: int,
        target_rate_hz: int,
        *,
        num_channels: int = 1,
        quality: Literal["low_delay", "high"] = "low_delay",
    ) -> Resampler: ...
    def process(self, pcm: Buffer, /) -> bytes:
        """Take interleaved frames and return every output frame that is due.

        Args:
            pcm: int16 samples as bytes or any C-contiguous buffer, any number of frames, also none.

        Returns:
            Mono int16 samples, little-endian.

        Raises:
            ValueError: The input ends with a half frame, has the wrong shape or is not contiguous.
            TypeError: The input is no buffer of int16 samples or bytes.
            ConcurrencyError: Another thread is using this object.
        """

    def flush(self) -> bytes:
        """Return the filter's tail and start anew.

        In all `round(frames * target_rate_hz / source_rate_hz)` frames and the delay's worth came
        out.
        """

    def reset(self) -> None:
        """Forget the input so far and the count of clipped samples."""

    @property
    def delay_ms(self) -> float:
        """How late the output is, in milliseconds."""

    @property
    def clipped_samples(self) -> int:
        """Output samples that were saturated since construction or `reset`."""

@final
class CaptureEncoder:
    """Encodes a stream of microphone audio for the service.

    Downmix, resample, (G.711), base64, event text. Every call returns all audio that is due. The
    audio does not depend on how the input is cut into calls. One thread at a time.

    Args:
        source_rate_hz: Rate of the input, 4000 to 192000.
        num_channels: Interleaved channels of the input, 1 to 8; what is sent is their mean.
        target_rate_hz: Rate on the wire; `None` is 24000 for `"pcm16"` and 8000, the only one, for
            G.711.
        encoding: `"pcm16"`, `"g711_ulaw"` or `"g711_alaw"`.
        quality: `"low_delay"` or `"high"`, as of `Resampler`.
        chunk_ms: Hand audio out in multiples of this duration, 1 to 1000; `None` for as it comes.

    Raises:
        ValueError: An argument is outside its range, or does not go with another.
        TypeError: An argument has the wrong type.
    """

    def __new__(
        cls,
        source_rate_hz: int = 48000,
        num_channels: int = 2,
        *,
        target_rate_hz: int | None = None,
        encoding: Literal["pcm16", "g711_ulaw", "g711_alaw"] = "pcm16",
        quality: Literal["low_delay", "high"] = "low_delay",
        chunk_ms: int | None = None,
    ) -> CaptureEncoder: ...
    def encode(self, pcm: Buffer, /) -> str:
        """Take interleaved frames and return the base64 of the audio that is due.

        Args:
            pcm: int16 samples as bytes or any C-contiguous buffer, any number of frames, also none.

        Returns:
            Base64 text; empty where nothing is due.

        Raises:
            ValueError: The input ends with a half frame, has the wrong shape or is not contiguous.
            TypeError: The input is no buffer of int16 samples or bytes.
            ConcurrencyError: Another thread is using this object.
        """

    def encode_event(self, pcm: Buffer, /) -> str | None:
        """Take interleaved frames and return the event that appends the audio that is due.

        Args:
            pcm: int16 samples as bytes or any C-contiguous buffer, any number of frames, also none.

        Returns:
            `{"type":"input_audio_buffer.append","audio":"..."}`, or `None` where nothing is due.

        Raises:
            ValueError: The input ends with a half frame, has the wrong shape or is not contiguous.
            TypeError: The input is no buffer of int16 samples or bytes.
            ConcurrencyError: Another thread is using this object.
        """

    def flush(self) -> str:
        """Return the base64 of all that is left, the tail included, and start anew."""

    def flush_event(self) -> str | None:
        """Return the event with all that is left, the tail included, and start anew."""

    def reset(self) -> None:
        """Forget the input so far and the count of clipped samples."""

    @property
    def delay_ms(self) -> float:
        """How late the audio is through the filter, in milliseconds.

        Waiting for a whole chunk is not in it.
        """

    @property
    def clipped_samples(self) -> int:
        """Samples that were saturated since construction or `reset`."""
