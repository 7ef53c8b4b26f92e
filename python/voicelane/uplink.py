"""What waits to be sent: in order, bounded, the oldest audio dropped first."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ._core import Uplink as Core

_EMPTY_POLL_S = 0.005


class UplinkFullError(RuntimeError):
    """More control events wait than a working connection ever leaves."""


class Uplink:
    """A queue from the microphone and the caller to the one who sends. It outlives connections.

    Audio and control events keep their order. When more than `max_audio_ms` of audio waits, the
    oldest audio is dropped and counted; control events are never dropped.

    Args:
        max_audio_ms: how much audio may wait.
    """

    def __init__(self, *, max_audio_ms: int = 2_000) -> None:
        # The engine sends what is in it by itself.
        self.core = Core(max_audio_ms)

    def put_event(self, event: Mapping[str, Any]) -> None:
        """Appends a control event.

        Raises:
            TypeError: the event is no JSON.
            UplinkFullError: the connection takes nothing and too many wait.
        """
        is_new_item = event.get("type") == "conversation.item.create"
        if not self.core.put_event(
            as_text(event), event["item"].get("id") if is_new_item else None
        ):
            raise UplinkFullError(
                "expected fewer events to wait, got one more than the uplink holds"
            )

    async def get(self) -> str:
        """The next text. Asking for it says that the one before was sent. For one sender in Python."""
        while (text := self.core.take()) is None:
            filled = asyncio.Event()
            self.core.call_when_filled(_setter_of(filled))
            # Again, for what was put between the two.
            if (text := self.core.take()) is not None:
                break
            await filled.wait()
        return text

    def clear(self) -> None:
        """Drops everything: the session is over."""
        self.core.clear()

    def forget_events(self, *, but_items_beside: Collection[str]) -> None:
        """Drops the control events, which were for a connection that is gone. Audio stays.

        So do new items, but for those with these ids: the next connection was told them already.
        """
        self.core.forget_events(set(but_items_beside))

    async def wait_empty(self) -> None:
        """Until everything put so far was sent."""
        # Who sends may be another thread, which is not to be slowed down for this.
        while not self.core.is_empty:  # noqa: ASYNC110
            await asyncio.sleep(_EMPTY_POLL_S)


def _setter_of(event: asyncio.Event) -> Callable[[], object]:
    loop, thread = asyncio.get_running_loop(), threading.get_ident()

    def set_it() -> None:
        # The loop's own thread need not be woken.
        if threading.get_ident() == thread:
            event.set()
        else:
            loop.call_soon_threadsafe(event.set)

    return set_it


def as_text(event: Mapping[str, Any]) -> str:
    """An event as JSON; models of azure-ai-voicelive in it are as good as dicts.

    Raises:
        TypeError: something in it is no JSON.
    """
    return json.dumps(event, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"event: expected JSON, got {type(value).__name__}")
