"""What waits to be sent: in order, bounded, the oldest audio dropped first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

MAX_WAITING_EVENTS = 1024


class UplinkFullError(RuntimeError):
    """More control events wait than a working connection ever leaves."""


class Uplink:
    """A queue from the microphone and the caller to the one task that sends.

    Audio and control events keep their order. When more than `max_audio_ms` of audio waits, the
    oldest audio is dropped and counted; control events are never dropped.

    Args:
        max_audio_ms: how much audio may wait.
    """

    def __init__(self, *, max_audio_ms: float = 2_000) -> None:
        self.max_audio_ms = max_audio_ms
        self.dropped_audio_ms = 0.0
        self.sent_audio_ms = 0.0
        self._waiting_audio_ms = 0.0
        self._audio: deque[tuple[int, float, str]] = deque()
        self._events: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._sequence = 0
        self._in_flight = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def put_audio(self, text: str, duration_ms: float) -> bool:
        """Appends the text of an audio event. Returns whether older audio had to go for it."""
        self._audio.append((self._next(), duration_ms, text))
        self._waiting_audio_ms += duration_ms
        overflow = self._waiting_audio_ms > self.max_audio_ms
        while self._waiting_audio_ms > self.max_audio_ms and len(self._audio) > 1:
            _, oldest_ms, _ = self._audio.popleft()
            self._waiting_audio_ms -= oldest_ms
            self.dropped_audio_ms += oldest_ms
        return overflow

    def put_event(self, event: Mapping[str, Any]) -> None:
        """Appends a control event.

        Raises:
            UplinkFullError: the connection takes nothing and too many wait.
        """
        if len(self._events) >= MAX_WAITING_EVENTS:
            raise UplinkFullError(
                f"expected at most {MAX_WAITING_EVENTS} waiting events, got one more"
            )
        self._events.append((self._next(), event))

    async def get(self) -> str | Mapping[str, Any]:
        """The next audio text or control event. Asking for it says that the one before was sent."""
        self._in_flight = False
        while not self._audio and not self._events:
            self._emptied.set()
            self._filled.clear()
            await self._filled.wait()
        self._in_flight = True
        if self._audio and (not self._events or self._audio[0][0] < self._events[0][0]):
            _, duration_ms, text = self._audio.popleft()
            self._waiting_audio_ms -= duration_ms
            self.sent_audio_ms += duration_ms
            return text
        return self._events.popleft()[1]

    def clear(self) -> None:
        """Drops everything: the session is over."""
        self._audio.clear()
        self._events.clear()
        self._waiting_audio_ms = 0.0
        self._in_flight = False
        self._emptied.set()

    def forget_events(self, *, but_items_beside: Collection[str]) -> None:
        """Drops the control events, which were for a connection that is gone. Audio stays.

        So do new items, but for those with these ids: the next connection was told them already.
        """

        def is_new_item(event: Mapping[str, Any]) -> bool:
            is_item = event.get("type") == "conversation.item.create"
            return is_item and event["item"].get("id") not in but_items_beside

        self._events = deque(waiting for waiting in self._events if is_new_item(waiting[1]))
        self._in_flight = False

    @property
    def waiting_audio_ms(self) -> float:
        """How much audio waits."""
        return self._waiting_audio_ms

    async def wait_empty(self) -> None:
        """Until everything put so far was sent."""
        await self._emptied.wait()

    def _next(self) -> int:
        self._sequence += 1
        self._emptied.clear()
        self._filled.set()
        return self._sequence
