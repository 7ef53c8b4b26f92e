"""What is left behind when sessions are closed, refused, abandoned and lost: nothing."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from left_behind import descriptors, new_descriptors, tasks_of_sessions, threads
from support import EventLog, until
from voicelane import AzureVoiceLive, ReconnectPolicy, errors
from voicelane.simulator import Faults, Simulator

CYCLES = 20
QUICK = ReconnectPolicy(max_attempts=2, first_delay_s=0.001, max_delay_s=0.002)


def unclosed_client_sessions() -> list[aiohttp.ClientSession]:
    """Those of aiohttp that nobody has closed: each has a pool of connections."""
    found = [one for one in gc.get_objects() if isinstance(one, aiohttp.ClientSession)]
    return [session for session in found if not session.closed]


def model_for(sim: Simulator, **arguments: Any) -> AzureVoiceLive:
    arguments = {"api_key": sim.api_key, "reconnect": QUICK, **arguments}
    return AzureVoiceLive(endpoint=sim.endpoint, model="gpt-realtime", **arguments)


async def opened_and_closed(sim: Simulator) -> None:
    async with model_for(sim) as model:
        log = EventLog(model)
        await model.handle_audio_input(bytes(3840))
        await model.send_text_message("hello")
        await log.wait_for("response_done")


async def closed_in_the_middle(sim: Simulator) -> None:
    async with model_for(sim) as model:
        await model.send_text_message("hello")
        await until(lambda: model.playback.buffered_ms > 0)
        model.playback.read(960)


async def opened_twice(sim: Simulator) -> None:
    async with model_for(sim) as model:
        await model.connect()


async def refused(sim: Simulator) -> None:
    model = model_for(sim, api_key="wrong")
    with pytest.raises(errors.AuthenticationError):
        await model.connect()
    await model.aclose()


async def refused_and_not_closed(sim: Simulator) -> None:
    with pytest.raises(errors.AuthenticationError):
        await model_for(sim, api_key="wrong").connect()


async def never_ready(sim: Simulator) -> None:
    sim.faults = Faults(accept_silently=True)
    # On a busy machine not even the connection comes to be in so little time.
    with pytest.raises((errors.SessionNotReadyError, errors.ConnectTimeoutError)):
        await model_for(sim, connect_timeout_s=0.05).connect()
    sim.faults = Faults()


async def cancelled_while_it_connects(sim: Simulator) -> None:
    for delay_s in (0, 0.0005, 0.001, 0.002, 0.004):  # a little further each time
        model = model_for(sim)
        connecting = asyncio.create_task(model.connect())
        await asyncio.sleep(delay_s)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        await model.aclose()  # it may have been quicker


async def cancelled_while_it_waits(sim: Simulator) -> None:
    sim.faults = Faults(accept_silently=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.03):
            await model_for(sim).connect()
    sim.faults = Faults()


async def lost_and_made_again(sim: Simulator) -> None:
    async with model_for(sim) as model:
        log = EventLog(model)
        await sim.connections[-1].abort()
        await log.wait_for("reconnected")


async def lost_for_good(sim: Simulator) -> None:
    async with model_for(sim) as model:
        sim.faults = Faults(refuse_with_status=503)
        await sim.connections[-1].abort()
        await model.wait_closed()
    sim.faults = Faults()


async def closed_by_the_service(sim: Simulator) -> None:
    async with model_for(sim) as model:
        await sim.connections[-1].close(1008, "policy")
        await model.wait_closed()


WAYS: list[Callable[[Simulator], Awaitable[None]]] = [
    opened_and_closed,
    closed_in_the_middle,
    opened_twice,
    refused,
    refused_and_not_closed,
    never_ready,
    cancelled_while_it_connects,
    cancelled_while_it_waits,
    lost_and_made_again,
    lost_for_good,
    closed_by_the_service,
]


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc/self/fd")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_twenty_sessions_leave_no_descriptor_and_no_task(
    way: Callable[[Simulator], Awaitable[None]],
) -> None:
    async with Simulator(audio_speed=1000) as sim:
        await opened_and_closed(sim)  # what is made once, such as an executor's threads
        await until(lambda: not sim._open)
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        tasks, before = tasks_of_sessions(), descriptors()
        for _ in range(CYCLES):
            await way(sim)
        # Neither by the garbage collector's help nor by its delay.
        gc.disable()
        try:
            await until(lambda: not sim._open)  # the other end sees the close a moment later
            await until(lambda: tasks_of_sessions() == tasks)
            await until(lambda: new_descriptors(before) == {})
            await until(lambda: "voicelane-0" not in threads())
        finally:
            gc.enable()
        assert unclosed_client_sessions() == []
