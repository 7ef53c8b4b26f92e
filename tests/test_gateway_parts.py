"""What a call is made of, without sockets and with a clock that the test has."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from support import until
from voicelane.gateway.close_codes import CallEndedError, CloseCode
from voicelane.gateway.lead import Lead
from voicelane.gateway.limits import RateLimit
from voicelane.gateway.outbox import MAX_WAITING_BYTES, Outbox


def test_what_was_sent_is_played_by_the_clock() -> None:
    lead = Lead(24_000)
    lead.sent(2_400, 10.0)
    assert lead.paced_frames(10.05) == pytest.approx(1_200)
    lead.sent(1_200, 10.05)
    assert lead.unheard_ms(10.05) == pytest.approx(100)
    assert lead.paced_frames(11.0) == 0
    # It began anew: the silence between does not count as a debt.
    lead.sent(480, 11.0)
    assert lead.unheard_ms(11.0) == pytest.approx(20)


def test_a_client_that_reports_is_believed() -> None:
    lead = Lead(8_000)
    lead.sent(1_600, 0.0)
    lead.reported(0, 400, 0.1)
    assert lead.unheard_ms(0.1) == pytest.approx(150)
    assert lead.unheard_ms(0.15) == pytest.approx(100)
    # But it cannot have heard more than it was sent.
    lead.reported(0, 9_999, 0.2)
    assert lead.unheard_ms(0.2) == 0


def test_a_clear_begins_a_new_count() -> None:
    lead = Lead(8_000)
    lead.sent(1_600, 0.0)
    lead.reported(0, 100, 0.0)
    assert (lead.cleared(), lead.unheard_ms(0.0)) == (1, 0)
    lead.sent(800, 1.0)
    # From before the clear.
    lead.reported(0, 800, 1.0)
    assert lead.unheard_ms(1.0) == pytest.approx(100)
    assert lead.cleared() == 2


def test_what_a_client_may_hold_is_cleared_and_nothing_else() -> None:
    lead = Lead(8_000)
    assert not lead.may_be_held(0.0), "nothing was sent"
    lead.sent(1_600, 0.0)
    assert lead.may_be_held(2.1), "it may be late"
    assert not lead.may_be_held(2.3)
    lead.reported(0, 1_500, 2.3)
    assert lead.may_be_held(2.4), "by its own word"
    lead.reported(0, 1_600, 2.4)
    assert not lead.may_be_held(2.4), "all was heard"
    lead.sent(800, 2.4)
    assert lead.may_be_held(2.4)
    lead.cleared()
    assert not lead.may_be_held(2.4)


def test_a_rate_limit_has_a_stock_that_fills_again() -> None:
    limit = RateLimit(10, 20, now_s=100.0)
    assert limit.allows(20, 100.0)
    assert not limit.allows(1, 100.0)
    assert limit.allows(5, 100.5)
    # What was refused was not taken.
    assert not limit.allows(6, 101.0)
    assert limit.allows(5, 101.0)
    # It never holds more than it began with.
    assert not limit.allows(21, 1_000.0)
    assert limit.allows(20, 1_000.0)


class Websocket(web.WebSocketResponse):
    """Takes as many messages as it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str | bytes] = []
        self.room = asyncio.Semaphore(0)

    async def send_str(self, data: str, compress: int | None = None) -> None:
        await self._take(data)

    async def send_bytes(self, data: Any, compress: int | None = None) -> None:
        await self._take(data)

    async def _take(self, data: str | bytes) -> None:
        await self.room.acquire()
        self.taken.append(data)


async def taken(websocket: Websocket, outbox: Outbox, count: int) -> list[str | bytes]:
    """The next messages that are sent: audio, and the types of the others."""
    sending = asyncio.create_task(outbox.send())
    for _ in range(count):
        websocket.room.release()
    await until(lambda: len(websocket.taken) == count)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    messages, websocket.taken = websocket.taken, []
    return [one if isinstance(one, bytes) else json.loads(one)["type"] for one in messages]


async def test_an_outbox_keeps_the_order_and_drops_audio_alone() -> None:
    websocket = Websocket()
    outbox = Outbox(websocket)
    outbox.put({"type": "state"})
    outbox.put_audio(b"\1\1")
    outbox.put_audio('{"event": "media"}')
    assert outbox.drop_audio()
    assert not outbox.drop_audio()
    outbox.put({"type": "clear"})
    outbox.put_audio(b"\2\2")
    assert await taken(websocket, outbox, 3) == ["state", "clear", b"\2\2"]


async def test_an_outbox_refuses_whom_nothing_reaches() -> None:
    outbox = Outbox(Websocket())
    outbox.put_audio(bytes(MAX_WAITING_BYTES))
    outbox.check()
    outbox.put_audio(b"\0\0")
    with pytest.raises(CallEndedError) as caught:
        outbox.check()
    assert caught.value.code is CloseCode.NOT_READING
    outbox.drop_audio()
    outbox.check()
