"""What waits to be sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from support import TIMEOUT_S
from voicelane import CaptureEncoder
from voicelane._core import Feed
from voicelane.uplink import Uplink, UplinkFullError, as_text

# One 20 ms frame is one event; its first sample tells which.
FRAME_MS = 20


class Source:
    """Frames of 20 ms at 24 kHz, each of one value."""

    def __init__(self, uplink: Uplink) -> None:
        self.feed = Feed(CaptureEncoder(24_000, 1), uplink.core)
        self.feed.is_open = True

    def put(self, value: int, milliseconds: int = FRAME_MS) -> bool:
        samples = value.to_bytes(2, "little") * (24 * milliseconds)
        return self.feed.put(samples)


async def drain(uplink: Uplink, count: int) -> list[Any]:
    """The next so many: the type of an event, or how many milliseconds an append carries."""
    async with asyncio.timeout(TIMEOUT_S):
        events = [json.loads(await uplink.get()) for _ in range(count)]
    return [
        len(event["audio"]) * 3 // 4 // 48 if "audio" in event else event["type"]
        for event in events
    ]


async def test_audio_and_events_keep_their_order() -> None:
    uplink = Uplink()
    source = Source(uplink)
    source.put(1, 20)
    uplink.put_event({"type": "one"})
    uplink.put_event({"type": "two"})
    source.put(2, 40)
    assert await drain(uplink, 4) == [20, "one", "two", 40]


async def test_the_oldest_audio_goes_first_and_events_never() -> None:
    uplink = Uplink(max_audio_ms=100)
    source = Source(uplink)
    assert not any(source.put(n) for n in range(5))
    uplink.put_event({"type": "commit"})
    assert source.put(5), "dropping begins"
    assert not source.put(6, 40), "and goes on"
    assert uplink.core.dropped_ms == 60
    assert await drain(uplink, 5) == [20, 20, "commit", 20, 40]
    assert not source.put(7)
    assert uplink.core.waiting_ms == 20


async def test_one_chunk_longer_than_the_bound_is_still_sent() -> None:
    uplink = Uplink(max_audio_ms=100)
    source = Source(uplink)
    source.put(1)
    assert source.put(2, 500)
    assert await drain(uplink, 1) == [500]


async def test_events_are_bounded() -> None:
    uplink = Uplink()
    for _ in range(1024):
        uplink.put_event({"type": "x"})
    with pytest.raises(UplinkFullError, match="expected fewer events"):
        uplink.put_event({"type": "x"})
    uplink.clear()
    uplink.put_event({"type": "y"})
    assert await drain(uplink, 1) == ["y"]


async def test_empty_means_sent_and_not_only_taken() -> None:
    uplink = Uplink()
    await uplink.wait_empty()
    Source(uplink).put(1)
    assert not uplink.core.is_empty
    await uplink.get()
    assert not uplink.core.is_empty, "it is on its way"
    taker = asyncio.create_task(uplink.get())
    async with asyncio.timeout(TIMEOUT_S):
        await uplink.wait_empty()
    taker.cancel()


async def test_a_new_connection_is_told_what_the_last_one_was_not() -> None:
    uplink = Uplink()
    item = {"type": "conversation.item.create"}
    uplink.put_event({**item, "item": {"id": "told"}})
    uplink.put_event({"type": "response.cancel"})
    Source(uplink).put(1)
    uplink.put_event({**item, "item": {"id": "new"}})
    uplink.put_event({**item, "item": {"type": "message"}})
    assert (
        json.loads(await uplink.get())["item"]["id"] == "told"
    )  # and the connection is lost with it
    uplink.forget_events(but_items_beside={"told"})
    assert await drain(uplink, 2) == [20, "conversation.item.create"]
    assert uplink.core.take() is None


def test_bad_samples_are_refused_and_nothing_is_lost() -> None:
    uplink = Uplink()
    source = Source(uplink)
    source.put(1)
    with pytest.raises(ValueError, match="whole number of frames"):
        source.feed.put(b"odd")
    with pytest.raises(TypeError, match="float"):
        source.feed.put(1.5)
    assert uplink.core.taken_ms == uplink.core.waiting_ms == 20


def test_an_event_that_is_no_json_is_refused_by_type() -> None:
    with pytest.raises(TypeError, match="expected JSON, got object"):
        as_text({"type": "x", "field": object()})


def test_a_shut_feed_takes_nothing() -> None:
    uplink = Uplink()
    source = Source(uplink)
    source.feed.is_open = False
    assert not source.put(1)
    assert uplink.core.taken_ms == 0
    assert uplink.core.is_empty
