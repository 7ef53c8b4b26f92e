"""What waits to be sent."""

from __future__ import annotations

import asyncio

import pytest

from voicelane.uplink import MAX_WAITING_EVENTS, Uplink, UplinkFullError


async def drain(uplink: Uplink, count: int) -> list[object]:
    async with asyncio.timeout(1):
        return [await uplink.get() for _ in range(count)]


async def test_audio_and_events_keep_their_order() -> None:
    uplink = Uplink()
    uplink.put_audio("a", 20)
    uplink.put_event({"type": "one"})
    uplink.put_event({"type": "two"})
    uplink.put_audio("b", 20)
    assert await drain(uplink, 4) == ["a", {"type": "one"}, {"type": "two"}, "b"]


async def test_the_oldest_audio_goes_first_and_events_never() -> None:
    uplink = Uplink(max_audio_ms=100)
    assert not any(uplink.put_audio(str(n), 20) for n in range(5))
    uplink.put_event({"type": "commit"})
    assert uplink.put_audio("5", 20)
    assert uplink.put_audio("6", 20)
    assert uplink.dropped_audio_ms == 40
    sent = await drain(uplink, 6)
    assert sent == ["2", "3", "4", {"type": "commit"}, "5", "6"]
    assert not uplink.put_audio("7", 20)


async def test_one_chunk_longer_than_the_bound_is_still_sent() -> None:
    uplink = Uplink(max_audio_ms=100)
    uplink.put_audio("short", 20)
    assert uplink.put_audio("long", 500)
    assert await uplink.get() == "long"


async def test_events_are_bounded() -> None:
    uplink = Uplink()
    for _ in range(MAX_WAITING_EVENTS):
        uplink.put_event({"type": "x"})
    with pytest.raises(UplinkFullError, match=f"at most {MAX_WAITING_EVENTS}"):
        uplink.put_event({"type": "x"})


async def test_empty_means_sent_and_not_only_taken() -> None:
    uplink = Uplink()
    await uplink.wait_empty()
    uplink.put_audio("a", 20)
    empty = asyncio.create_task(uplink.wait_empty())
    await uplink.get()
    await asyncio.sleep(0)
    assert not empty.done(), "it is on its way"
    taker = asyncio.create_task(uplink.get())
    async with asyncio.timeout(1):
        await empty
    taker.cancel()
