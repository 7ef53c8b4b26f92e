"""The input audio buffer of a session: how much is in it, and where speech is."""

from __future__ import annotations

from .events import Event, RequestError
from .session_options import turn_settings
from .speech import DECODERS, SpeechDetector, SpeechEdge, SpeechStarted, SpeechStopped


class InputAudio:
    """Counts what was appended and finds turns in it; the audio itself is not kept.

    Attributes:
        num_frames: Samples written in this session.
    """

    def __init__(self, session: Event) -> None:
        self.num_frames = 0
        self._start_frames = 0  # what came before it was committed or cleared
        self._detector: SpeechDetector | None = None
        self.configure(session)

    def configure(self, session: Event) -> None:
        """Take over the audio format and the turn detection of `session`."""
        self._format: str = session["input_audio_format"]
        self._rate_hz: int = session["input_audio_sampling_rate"]
        settings = turn_settings(session)
        if settings is None:
            self._detector = None
        elif self._detector is not None and self._detector.sample_rate_hz == self._rate_hz:
            self._detector.settings = settings
        else:
            self._detector = SpeechDetector(self._rate_hz, settings)
            self._detector.restart(self.num_frames)

    @property
    def buffered_ms(self) -> int:
        """How much audio waits to be committed."""
        return (self.num_frames - self._start_frames) * 1000 // self._rate_hz

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return self.num_frames == self._start_frames

    def append(self, audio: bytes) -> list[SpeechEdge]:
        """Take encoded audio and return where speech began and ended in it, in order.

        Raises:
            RequestError: `audio` is not whole samples.
        """
        if self._format == "pcm16" and len(audio) % 2:
            message = f"Invalid 'audio': {len(audio)} bytes are not whole 16-bit samples."
            raise RequestError(message, param="audio")
        samples = DECODERS[self._format](audio)
        self.num_frames += len(samples)
        edges = self._detector.feed(samples) if self._detector else []
        for edge in edges:
            self._move_start(edge)
        return edges

    def _move_start(self, edge: SpeechEdge) -> None:
        match edge:
            case SpeechStarted(start_ms):
                self._start_frames = start_ms * self._rate_hz // 1000
            case SpeechStopped(end_ms):
                self._start_frames = end_ms * self._rate_hz // 1000

    def take(self) -> int:
        """Empty the buffer, forget a turn that began in it, and return its length in ms."""
        buffered_ms = self.buffered_ms
        self._start_frames = self.num_frames
        if self._detector:
            self._detector.restart(self.num_frames)
        return buffered_ms
