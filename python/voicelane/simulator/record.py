"""What one connection received and sent, kept for tests to look at."""

from __future__ import annotations

from collections import Counter, deque

from .events import Event

APPEND = "input_audio_buffer.append"
MAX_EVENTS = 10_000


class Record:
    """The client events of one connection, and how much audio they brought.

    Appends in a row are one entry, `{"type": "input_audio_buffer.append", "count": 50,
    "audio_bytes": 48000}`: cheap, and their place among the other events shows.

    Args:
        max_audio_bytes: How much of the audio is kept.

    Attributes:
        received: The events, in order; of very many, the last 10 000.
        audio: The decoded audio, from the start up to `max_audio_bytes`.
        audio_bytes: How much audio arrived in all.
        sent: How many events were sent, by type.
    """

    def __init__(self, max_audio_bytes: int) -> None:
        self.received: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.audio = bytearray()
        self.audio_bytes = 0
        self.sent: Counter[str] = Counter()
        self._max_audio_bytes = max_audio_bytes

    def take_event(self, event: Event) -> None:
        """Note a client event that brings no audio."""
        self.received.append(event)

    def take_audio(self, audio: bytes) -> None:
        """Note the audio of an append."""
        last = self.received[-1] if self.received else {}
        if last.get("type") != APPEND or "count" not in last:
            last = {"type": APPEND, "count": 0, "audio_bytes": 0}
            self.received.append(last)
        last["count"] += 1
        last["audio_bytes"] += len(audio)
        self.audio_bytes += len(audio)
        room_bytes = self._max_audio_bytes - len(self.audio)
        if room_bytes > 0:
            self.audio += audio[:room_bytes]
