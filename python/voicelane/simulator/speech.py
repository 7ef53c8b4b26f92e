"""Where turns begin and end in the incoming audio.

Time is audio time, counted from the first sample of the session: how the audio is cut into
appends, and when they arrive, changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicelane._core import VoiceActivity

WINDOW_MS = 20
_GAP_MS = 100  # a closed "t" or "p" is silent for up to this long in the middle of a word
_EVIDENCE_MS = 100  # of a voice, which a note or a click that sounds like one does not reach
_QUIET, _SOUND, _TONE, _SPEECH = range(4)  # as VoiceActivity tells them
# A vowel may stand still for a moment, and "s" has no pitch; music mostly stands still.
_EVIDENCE_OF = {_SOUND: 0, _TONE: -WINDOW_MS, _SPEECH: WINDOW_MS}


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """When speech begins and ends.

    Attributes:
        threshold: How sure to be that it is speech, 0 to 1 (see `VoiceActivity`).
        prefix_padding_ms: Audio before the speech that belongs to the turn.
        silence_duration_ms: Silence that ends the turn.
        speech_duration_ms: Sound that begins one, a tenth of a second of it a voice.
    """

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    speech_duration_ms: int = 200


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began; `audio_start_ms` includes the prefix padding."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Speech ended; `audio_end_ms` includes the silence that told so."""

    audio_end_ms: int


SpeechEdge = SpeechStarted | SpeechStopped


class TurnDetector:
    """Cuts a stream of audio into turns.

    Args:
        voice_activity: Hears the stream.
        settings: When speech begins and ends; may be replaced at any time.
        start_ms: Where in the session the stream begins.
    """

    def __init__(
        self, voice_activity: VoiceActivity, settings: TurnSettings, start_ms: int
    ) -> None:
        self.settings = settings
        self._voice_activity = voice_activity
        self._now_ms = start_ms
        self.restart()

    def restart(self) -> None:
        """Forget the turn; the next one begins here or later."""
        self._origin_ms = self._now_ms
        self._in_speech = False
        self._forget_sound()

    def _forget_sound(self) -> None:
        self._onset_ms = 0
        self._sound_ms = 0
        self._evidence_ms = 0
        self._silent_ms = 0

    def feed(self, audio: bytes) -> list[SpeechEdge]:
        """Take audio and return where speech began and ended in it, in order."""
        windows = self._voice_activity.classify(audio, self.settings.threshold)
        if not self._in_speech and self._sound_ms == 0 and not any(windows):
            self._now_ms += WINDOW_MS * len(windows)
            return []
        return [edge for window in windows if (edge := self._take(window)) is not None]

    def _take(self, window: int) -> SpeechEdge | None:
        start_ms = self._now_ms
        self._now_ms += WINDOW_MS
        self._silent_ms = self._silent_ms + WINDOW_MS if window == _QUIET else 0
        if self._in_speech:
            return self._end_of_speech()
        return self._start_of_speech(window, start_ms)

    def _start_of_speech(self, window: int, start_ms: int) -> SpeechStarted | None:
        if window == _QUIET:
            if self._silent_ms > _GAP_MS:
                self._forget_sound()
            return None
        if self._sound_ms == 0:
            self._onset_ms = start_ms
        self._sound_ms += WINDOW_MS
        self._evidence_ms = max(0, self._evidence_ms + _EVIDENCE_OF[window])
        if self._sound_ms < self.settings.speech_duration_ms or self._evidence_ms < _EVIDENCE_MS:
            return None
        self._in_speech = True
        return SpeechStarted(max(self._onset_ms - self.settings.prefix_padding_ms, self._origin_ms))

    def _end_of_speech(self) -> SpeechStopped | None:
        if self._silent_ms < self.settings.silence_duration_ms or self._silent_ms == 0:
            return None
        self.restart()
        return SpeechStopped(self._now_ms)
