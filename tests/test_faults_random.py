"""Mixtures of faults, drawn by a seed: what fails is repeated by its number (VOICELANE_SEEDS=17-17)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress

import pytest

from fault_calls import REPLY, Ear, check_audio, described, quick_times
from neighbour import nothing_left
from support import TIMEOUT_S, EventLog
from voicelane import AzureVoiceLive, ReconnectPolicy
from voicelane.errors import VoiceLiveError
from voicelane.simulator import Faults, Simulator

FIRST, LAST = (int(seed) for seed in os.environ.get("VOICELANE_SEEDS", "1-20").split("-"))
_AT_ONCE = 20
# A slow machine may lose a connection by it: that is one fault more.
_QUICK_S = TIMEOUT_S / 150


@pytest.mark.timeout(300 + LAST - FIRST)
async def test_a_session_recovers_or_ends_with_one_error(
    monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    quick_times(monkeypatch, _QUICK_S)
    told = []
    for start in range(FIRST, LAST + 1, _AT_ONCE):
        seeds = range(start, min(start + _AT_ONCE, LAST + 1))
        async with nothing_left():
            told += await asyncio.gather(*map(struck, seeds), return_exceptions=True)
    failures = [one for one in told if isinstance(one, BaseException)]
    if failures:
        raise BaseExceptionGroup("with some seeds", failures)
    record_property("seeds", {one: told.count(one) for one in set(told)})


async def struck(seed: int) -> str:
    faults = Faults.random(seed)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await talk(faults)
    except BaseException as error:
        error.add_note(f"{faults!r}")
        raise


async def talk(faults: Faults) -> str:
    """Three turns with a simulator that does that wrong. Returns what became of the session."""
    async with Simulator(audio_speed=20, replies=[REPLY], faults=faults) as sim:
        model = AzureVoiceLive(
            model="m",
            endpoint=sim.endpoint,
            api_key=sim.api_key,
            connect_timeout_s=5 * _QUICK_S,
            reconnect=ReconnectPolicy(first_delay_s=0.001, max_delay_s=0.01),
        )
        log, ear = EventLog(model), Ear(model)
        try:
            return await turns(model, log)
        finally:
            await model.aclose()
            await ear.close()


async def turns(model: AzureVoiceLive, log: EventLog) -> str:
    try:
        await model.connect()
    except VoiceLiveError as error:
        assert len(log.all("error")) >= 1
        return f"refused: {described(error)}"
    ends = asyncio.ensure_future(model.wait_closed())
    try:
        for text in ("One?", "Two?", "Three?"):
            await model.handle_audio_input(bytes(3840) * 10)
            try:
                answer = await model.send_text_message(text)
            except VoiceLiveError:
                break  # it has ended
            with suppress(VoiceLiveError):  # it was refused
                await answer  # whoever waits is let go; what had come whole is heard first
        check_audio(model, log)
        losses = [e.error for e in log.all("error") if described(e.error).startswith("Connection")]
        num_reconnects = len(log.all("reconnected"))
        if ends.done():
            assert [*log.all("closed")] == [{"error": str(ends.result())}]
            assert len(losses) == num_reconnects + 1
            return f"ends: {described(ends.result())}"
        assert len(losses) - num_reconnects in (0, 1)  # one may just be under way
        return "reconnects" if num_reconnects else "goes on"
    finally:
        ends.cancel()
        await asyncio.gather(ends, return_exceptions=True)
