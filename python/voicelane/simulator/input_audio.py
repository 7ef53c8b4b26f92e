"""The input audio buffer of a session: how much is in it, and where speech is."""

from __future__ import annotations

from dataclasses import dataclass

from voicelane._core import VoiceActivity

from .events import Event, RequestError
from .formats import Encoding
from .session_options import input_channels, turn_settings
from .speech import SpeechEdge, SpeechStarted, SpeechStopped, TurnDetector

_MAX_KEPT_S = 60


@dataclass(frozen=True, slots=True)
class Clip:
    """Audio of one turn, as the client appended it.

    Attributes:
        audio: Whole frames.
        encoding: "pcm16", "g711_ulaw" or "g711_alaw".
        rate_hz: Frames per second.
        num_channels: Interleaved; the first is the user's.
    """

    audio: bytes
    encoding: Encoding
    rate_hz: int
    num_channels: int


class InputAudio:
    """Counts what was appended and finds turns in it.

    Args:
        session: The session's options.
        keeps_audio: Keep the last minute, for `clip`.

    Attributes:
        num_frames: Frames written in this session.
    """

    def __init__(self, session: Event, *, keeps_audio: bool = False) -> None:
        self._kept = bytearray() if keeps_audio else None
        self.num_frames = 0
        self._start_frames = 0  # what came before it was committed or cleared
        self._stream: tuple[str, int, int] | None = None
        self._detector: TurnDetector | None = None
        self.configure(session)

    def configure(self, session: Event) -> None:
        """Take over the audio format and the turn detection of `session`."""
        encoding: Encoding = session["input_audio_format"]
        self._rate_hz: int = session["input_audio_sampling_rate"]
        num_channels = input_channels(session)
        self._num_channels = num_channels
        self._frame_bytes = num_channels * (2 if encoding == "pcm16" else 1)
        settings = turn_settings(session)
        stream = (encoding, self._rate_hz, num_channels)
        if settings is None:
            self._detector = None
        elif self._detector is not None and self._stream == stream:
            self._detector.settings = settings
        else:
            hears = VoiceActivity(self._rate_hz, num_channels, encoding=encoding)
            self._detector = TurnDetector(hears, settings, self._ms(self.num_frames))
        if self._kept is not None and self._stream != stream:
            self._kept.clear()
        self._stream = stream
        self._encoding: Encoding = encoding

    def _ms(self, num_frames: int) -> int:
        return num_frames * 1000 // self._rate_hz

    @property
    def buffered_ms(self) -> int:
        """How much audio waits to be committed."""
        return self._ms(self.num_frames - self._start_frames)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return self.num_frames == self._start_frames

    def is_whole(self, audio: bytes) -> bool:
        """Whether `audio` is whole frames."""
        return len(audio) % self._frame_bytes == 0

    def append(self, audio: bytes) -> list[SpeechEdge]:
        """Take encoded audio and return where speech began and ended in it, in order.

        Raises:
            RequestError: `audio` is not whole frames.
        """
        if not self.is_whole(audio):
            message = (
                f"Invalid 'audio': {len(audio)} bytes are not whole frames "
                f"of {self._frame_bytes} bytes."
            )
            raise RequestError(message, param="audio")
        self.num_frames += len(audio) // self._frame_bytes
        if self._kept is not None:
            self._kept += audio
            del self._kept[: -_MAX_KEPT_S * self._rate_hz * self._frame_bytes]
        edges = self._detector.feed(audio) if self._detector else []
        for edge in edges:
            self._move_start(edge)
        return edges

    def _move_start(self, edge: SpeechEdge) -> None:
        match edge:
            case SpeechStarted(start_ms):
                self._start_frames = start_ms * self._rate_hz // 1000
            case SpeechStopped(end_ms):
                self._start_frames = min(end_ms * self._rate_hz // 1000, self.num_frames)

    @property
    def end_ms(self) -> int:
        """Where in the session the audio that was appended ends."""
        return self._ms(self.num_frames)

    def clip(self, start_ms: int, end_ms: int) -> Clip | None:
        """Return the audio of that part of the session; None where audio is not kept."""
        if self._kept is None:
            return None
        first = self.num_frames - len(self._kept) // self._frame_bytes
        start, end = (
            max(0, ms * self._rate_hz // 1000 - first) * self._frame_bytes
            for ms in (start_ms, end_ms)
        )
        audio = bytes(self._kept[start:end])
        return Clip(audio, self._encoding, self._rate_hz, self._num_channels)

    def take(self) -> int:
        """Empty the buffer, forget a turn that began in it, and return its length in ms."""
        buffered_ms = self.buffered_ms
        self._start_frames = self.num_frames
        if self._detector:
            self._detector.restart()
        return buffered_ms
