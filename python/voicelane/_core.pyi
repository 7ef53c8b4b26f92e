"""The Rust core of voicelane: samples, base64 and event texts.

*Buffer* stands for any C-contiguous exporter of native int16 samples or of bytes: `bytes`,
`bytearray`, `memoryview`, `array('h')`, numpy int16 of shape `(frames * channels,)` or
`(frames, channels)`, a PyAV plane. `bytes` is read in place; anything else is copied once, because
its owner may write to it meanwhile.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self, final

from typing_extensions import Buffer

__all__ = [
    "AudioDelta",
    "CaptureEncoder",
    "ConcurrencyError",
    "Connection",
    "Feed",
    "Interrupted",
    "Mailbox",
    "PlaybackBuffer",
    "PlaybackPosition",
    "Resampler",
    "Uplink",
    "VoiceActivity",
    "__version__",
    "append_audio",
    "build_info",
    "engine_forked",
    "instruction_set",
    "put_many",
    "read_many",
    "set_engine_threads",
]

__version__: str

def build_info() -> dict[str, str]:
    """Tell what this extension module was built as: version, profile, target, rustc, abi."""

def instruction_set() -> Literal["portable", "sse2", "avx2", "avx512", "neon"]:
    """Tell which instruction set the audio kernels run with on this processor."""

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

@final
class PlaybackPosition:
    """Where the play head stands.

    Attributes:
        item_id: the item last heard, None before the first one or where the producer named none.
        content_index: its content part.
        audio_end_ms: milliseconds of it that were heard, rounded down. Silence, faded and dropped
            frames do not count.
    """

    @property
    def item_id(self) -> str | None: ...
    @property
    def content_index(self) -> int: ...
    @property
    def audio_end_ms(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...

@final
class AudioDelta:
    """What one ``response.audio.delta`` event brought.

    Attributes:
        response_id: the response it belongs to.
        item_id: the item it belongs to.
        output_index: the item's place in the response.
        content_index: the content part within the item.
        num_frames: frames that the event carried.
        start_frame: frames that had been written to the buffer before, as its `stats` count them.
        written_frames: frames that the buffer took: fewer where it was full, none where the audio was
            of another response than the one wanted.
    """

    @property
    def response_id(self) -> str | None: ...
    @property
    def item_id(self) -> str | None: ...
    @property
    def output_index(self) -> int: ...
    @property
    def content_index(self) -> int: ...
    @property
    def num_frames(self) -> int: ...
    @property
    def start_frame(self) -> int: ...
    @property
    def written_frames(self) -> int: ...
    @property
    def trimmed_bytes(self) -> int:
        """Bytes at the end that were no whole frame, and were dropped."""

    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class PlaybackBuffer:
    """What the service said, kept until it is heard.

    One thread at a time may write and one may read, at the same moment; neither waits for the other.
    The control methods may be called from any thread.

    Args:
        sample_rate_hz: of what is written, 4000 to 192000.
        num_channels: of what is written, 1 to 8, interleaved.
        output_rate_hz: of what is read; default as written.
        output_channels: of what is read: 1, `num_channels`, or any number where one channel is written.
        max_buffered_ms: how much may wait to be heard.
        encoding: what `write_base64` and `write_event` are given; `write` takes PCM in any case.

    Raises:
        ValueError: an argument out of range.
        TypeError: an argument that is no whole number.
    """
    def __new__(
        cls,
        sample_rate_hz: int = 24000,
        *,
        num_channels: int = 1,
        output_rate_hz: int | None = None,
        output_channels: int = 1,
        max_buffered_ms: int = 600000,
        encoding: Literal["pcm16", "g711_ulaw", "g711_alaw"] = "pcm16",
    ) -> Self: ...
    def write(self, pcm: Buffer, /, *, item_id: str | None = None, content_index: int = 0) -> int:
        """Append s16le PCM of one content part.

        Returns:
            The frames taken: fewer than given where `max_buffered_ms` is reached.

        Raises:
            ValueError: not a whole number of frames, or a non-contiguous buffer.
            TypeError: no buffer of int16 or bytes.
            ConcurrencyError: another thread is writing.
        """

    def write_base64(
        self, text: str | bytes, /, *, item_id: str | None = None, content_index: int = 0
    ) -> int:
        """Append base64 of s16le PCM, decoded straight into the buffer.

        Returns:
            The frames taken.

        Raises:
            ValueError: no standard base64 with padding, or not a whole number of frames.
            TypeError: neither str nor bytes.
            ConcurrencyError: another thread is writing.
        """

    def write_event(
        self, text: str | bytes, /, *, response_id: str | None = None
    ) -> AudioDelta | None:
        """Append the audio of a raw server event.

        Args:
            text: the event as it came.
            response_id: when given, audio of any other response is dropped.

        Returns:
            None where the event is no ``response.audio.delta``.

        Raises:
            ValueError: no JSON object, or an audio delta without good base64 of whole frames.
            TypeError: neither str nor bytes.
            ConcurrencyError: another thread is writing.
        """

    def finish(self) -> None:
        """Declare the utterance complete: running dry from here on is no underrun."""

    def read(self, num_frames: int, /) -> bytes:
        """Take the next frames: always `num_frames`, silence where there are none.

        Returns:
            Interleaved s16le PCM: `num_frames * output_channels` samples.

        Raises:
            ValueError: a negative number of frames, or more than 2^28 samples.
            TypeError: no whole number.
            ConcurrencyError: another thread is reading.
        """

    def take(self, num_frames: int, /) -> tuple[bytes, int]:
        """Take the next frames as `read` does, and tell how many of them are real.

        Returns:
            The PCM as from `read`, and the real frames in it, which come first; the rest is silence.

        Raises:
            ValueError, TypeError, ConcurrencyError: as `read`.
        """

    def read_into(self, buffer: Buffer, /) -> int:
        """Fill a writable buffer of int16 or bytes with the next frames.

        Returns:
            The real frames; the rest is silence.

        Raises:
            ValueError: a read-only or non-contiguous buffer, or half a frame.
            TypeError: no buffer of int16 or bytes.
            ConcurrencyError: another thread is reading.
        """

    def interrupt(self, *, fade_ms: int = 0) -> PlaybackPosition:
        """Drop everything written so far at the next read, after a fade of at most `fade_ms`.

        What is written after this call is kept.

        Returns:
            What was heard up to now.
        """

    def pause(self) -> None:
        """Hand out silence from the next read on; what is buffered stays."""

    def resume(self) -> None:
        """Go on where `pause` stopped."""

    def clear(self) -> None:
        """Drop everything written so far at the next read."""

    def stats(self) -> dict[str, int]:
        """Count since the buffer was made.

        The keys: written_frames, played_frames, buffered_frames (without the fade of what was
        interrupted, which a read gives before them), dropped_frames, silent_frames, underruns,
        overrun_frames.
        """

    @property
    def position(self) -> PlaybackPosition:
        """Which item was last heard, and how much of it."""

    @property
    def buffered_ms(self) -> float:
        """Milliseconds that wait to be heard."""

    @property
    def played_ms(self) -> float:
        """Milliseconds heard since the buffer was made."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be heard for now."""

    @property
    def is_finished(self) -> bool:
        """Whether all that was written was heard to the end of a complete utterance, or was cut off.

        As `is_idle`, but False where the buffer merely ran dry and `finish` is still to come.
        """

    @property
    def sample_rate_hz(self) -> int:
        """Frames per second of what is written."""

    @property
    def output_rate_hz(self) -> int:
        """Frames per second of what is read."""

    @property
    def output_channels(self) -> int:
        """Channels of what is read."""

def read_many(buffers: Iterable[PlaybackBuffer], num_frames: int, /) -> list[bytes]:
    """Take the next frames of many buffers in one call: from all, or from none where one is refused.

    Args:
        buffers: each of them once.
        num_frames: frames of each, at its own `output_rate_hz`.

    Returns:
        For each buffer, in order, what its `PlaybackBuffer.read` gives: s16le PCM of
        `num_frames * output_channels` samples, silence where there is nothing.

    Raises:
        ValueError: a buffer that stands there twice (both are named by index), a negative number of
            frames, or more than 2^28 samples of one buffer.
        TypeError: what is no `PlaybackBuffer`, by its index; no iterable; no whole number.
        ConcurrencyError: another thread is reading one of them, named by its index.
    """

@final
class Uplink:
    """What waits to be sent: in order, bounded, the oldest audio dropped first. Any thread may put.

    Args:
        max_audio_ms: How much audio may wait.
    """

    def __new__(cls, max_audio_ms: int = 2_000) -> Uplink: ...
    def put_event(self, text: str, item_id: str | None = None, /) -> bool:
        """Append a control event, `item_id` where it is a new item. `False`: too many wait, not taken."""

    def call_when_filled(self, callback: Callable[[], object], /) -> None:
        """Call this at the next put, once, on the thread that puts."""

    def take(self) -> str | None:
        """The next text to send, in order. To ask says that the one before was sent."""

    def clear(self) -> None:
        """Drop everything."""

    def forget_events(self, told_item_ids: set[str], /) -> None:
        """Drop the control events but for new items whose id is not among these. Audio stays."""

    @property
    def is_empty(self) -> bool:
        """Whether everything put so far was sent."""

    @property
    def taken_ms(self) -> float:
        """How much audio was put."""

    @property
    def waiting_ms(self) -> float:
        """How much audio waits."""

    @property
    def sent_ms(self) -> float:
        """How much audio was given to a connection."""

    @property
    def dropped_ms(self) -> float:
        """How much audio had to go because the network was too slow."""

@final
class Feed:
    """From samples to an uplink: one microphone's way. It begins shut.

    Args:
        encoder: Encodes the samples.
        uplink: Takes the events.
    """

    def __new__(cls, encoder: CaptureEncoder, uplink: Uplink, /) -> Feed: ...
    @property
    def is_open(self) -> bool:
        """Whether samples are taken; while not, they are ignored."""

    @is_open.setter
    def is_open(self, value: bool, /) -> None: ...
    def put(self, pcm: Buffer, /) -> bool:
        """Encode samples and append the event for what is due, if anything is.

        Returns:
            Whether a time begins in which older audio has to go.

        Raises:
            ValueError, TypeError, ConcurrencyError: As `CaptureEncoder.encode_event`.
        """

    def put_rest(self) -> bool:
        """As `put`, for all that the encoder has left, also while it is shut."""

def put_many(feeds: Sequence[Feed], pcm: Sequence[Any], /) -> list[tuple[int, Exception | None]]:
    """`Feed.put` for many. Return what went wrong, by index: the error, `None` where dropping begins.

    Raises:
        ValueError: Not as many buffers as feeds; nothing was taken.
    """

@final
class Mailbox:
    """Wakes one event loop for all its native connections: the descriptor is readable when one has something.

    Raises:
        OSError: Too many files are open.
    """

    def __new__(cls) -> Mailbox: ...
    def fileno(self) -> int:
        """The descriptor."""

    def collect(self) -> list[int]:
        """The numbers of the connections that have something; the descriptor is silent again."""

@final
class Interrupted:
    """Playback was interrupted, because the user began to speak."""

    @property
    def position(self) -> PlaybackPosition:
        """What was heard by then."""

    @property
    def unheard_frames(self) -> int:
        """Frames that were still to be heard."""

    @property
    def dropped_before_frames(self) -> int:
        """Frames that had been dropped before, in all."""

@final
class Connection:
    """A connection of the engine. It begins to connect at once; dropped, it is cut off.

    Args:
        session: Its number in the mailbox.
        mailbox: Wakes its event loop.
        url: `ws` or `wss`.
        headers: Beside those of the websocket.
        connect_timeout_s: For everything up to the open websocket.
        heartbeat_s: After so long a silence it is asked whether it lives, and given up half as long after.
        close_timeout_s: For the other side to say that it closes too.
        ca_file: PEM certificates to trust beside the platform's.
        playback: Takes the audio; without it, `take` gives its text.
        interrupt_fade_ms: How long playback fades when the user begins to speak.

    Raises:
        ValueError: The URL or a header cannot be sent.
        OSError: There is no thread or no descriptor left.
    """

    def __new__(
        cls,
        session: int,
        mailbox: Mailbox,
        url: str,
        headers: Sequence[tuple[str, str]],
        *,
        connect_timeout_s: float,
        heartbeat_s: float,
        close_timeout_s: float,
        ca_file: str | os.PathLike[str] | None = None,
        playback: PlaybackBuffer | None = None,
        interrupt_fade_ms: int = 0,
    ) -> Connection: ...
    @property
    def is_here(self) -> bool:
        """Whether this process made it, and not the one that it was forked from."""

    @property
    def standing(self) -> tuple[Any, ...]:
        """How it stands.

        `("connecting",)`, `("open",)`, `("failed", kind, text, status, retry_after)` or
        `("ended", code, reason, by_us)`.
        """

    def take(self) -> list[bytes | AudioDelta | Interrupted | ValueError]:
        """All that came, in order.

        Events' texts; audio that is in the playback buffer (of deltas in a row the sum); where the user
        began to speak, before that event, how playback was interrupted; what cannot be read.
        """

    def send(self, text: str, /) -> bool:
        """Send a text before all that an uplink holds. `False` where too many wait: not taken.

        Raises:
            RuntimeError: The connection is the parent process's.
        """

    def attach(self, uplink: Uplink | None, /) -> None:
        """Send what the uplink holds from now on; `None` for not any more.

        Raises:
            RuntimeError: The connection is the parent process's.
        """

    def silence(self, response_id: str, /) -> None:
        """Write nothing more of that response to the playback buffer."""

    def close(self, code: int, reason: str, /) -> None:
        """Close with a handshake; `standing` tells when it is over."""

    def abort(self, reason: str, /) -> None:
        """Cut it off."""

def set_engine_threads(num_threads: int, /) -> bool:
    """How many threads the engine has from its next start on. `False` where it runs with another number."""

def engine_forked() -> None:
    """To be called in a child, right after the fork."""

@final
class VoiceActivity:
    """Tells voices from other sounds in a stream of encoded audio, in windows of 20 ms.

    How the stream is cut into calls changes nothing. One thread at a time.

    Args:
        sample_rate_hz: Rate of the input, 4000 to 192000.
        num_channels: Interleaved channels of the input, 1 to 8; the first one is listened to.
        encoding: `"pcm16"`, `"g711_ulaw"` or `"g711_alaw"`.

    Raises:
        ValueError: An argument is outside its range.
        TypeError: An argument has the wrong type.
    """

    def __new__(
        cls, sample_rate_hz: int, num_channels: int = 1, *, encoding: str = "pcm16"
    ) -> VoiceActivity: ...
    def classify(self, audio: bytes, threshold: float, /) -> bytes:
        """Take audio and tell what each window that it completes holds.

        Args:
            audio: Whole frames, encoded.
            threshold: How sure to be, 0 to 1.

        Returns:
            A byte for each window: 0 quiet, 1 a noise, 2 a tone, 3 a voice.

        Raises:
            ValueError: The audio ends with a half frame.
            ConcurrencyError: Another thread is using this object.
        """

def append_audio(text: str, /) -> bytes | None:
    """The audio of an `input_audio_buffer.append` as clients write it, decoded.

    Args:
        text: A client event.

    Returns:
        The audio; `None` for any other text, for one that only a JSON parser can read, and for
        base64 that is none.
    """
