"""A session that talks while another one of the process meets a fault: it must not notice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from left_behind import descriptors, new_descriptors, tasks_of_sessions, threads
from support import EventLog, read_all, reply_pcm, until
from voicelane import AzureVoiceLive
from voicelane.simulator import Simulator

_NUM_REPLIES = 4
_FRAME = bytes(3840)
_FRAME_WIRE_BYTES = 960


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No thread of the engine, no descriptor and no task is left of what is done within."""
    tasks, before, threads_before = tasks_of_sessions(), descriptors(), Counter(threads())

    def left() -> tuple[dict[str, str], list[str], set[asyncio.Task[Any]]]:
        more = (Counter(threads()) - threads_before).elements()
        of_engine = [name for name in more if name.startswith(("voicelane", "tokio"))]
        begun = tasks_of_sessions() - tasks
        # Of the fixture that this is in, the end is another task than the beginning.
        return new_descriptors(before), of_engine, begun - {asyncio.current_task()}

    yield
    # A closed socket's other end sees it a moment later.
    with suppress(TimeoutError):
        await until(lambda: not any(left()))
    assert left() == ({}, [], set())


@asynccontextmanager
async def neighbour() -> AsyncIterator[None]:
    """A session that talks throughout and, once more, after what is done within."""
    over = asyncio.Event()
    async with Simulator(audio_speed=1000) as sim:
        model = AzureVoiceLive(endpoint=sim.endpoint, api_key=sim.api_key, model="m")
        async with model:
            talking = asyncio.create_task(_talk(model, sim, over))
            try:
                yield
                over.set()
                await talking
            finally:
                talking.cancel()
                await asyncio.wait({talking})
        assert len(sim.connections) == 1, "it was lost"


async def _talk(model: AzureVoiceLive, sim: Simulator, over: asyncio.Event) -> None:
    log = EventLog(model)
    turn = 0
    is_last = False
    while not is_last:
        is_last = over.is_set()
        await model.handle_audio_input(_FRAME)
        await model.send_text_message("And now?")
        await log.wait_for("response_done", turn + 1)
        assert read_all(model) == reply_pcm(turn % _NUM_REPLIES)
        turn += 1
        heard = turn * _FRAME_WIRE_BYTES
        await until(lambda heard=heard: sim.connections[0].audio_bytes == heard)  # type: ignore[misc]
        await asyncio.sleep(0.01)  # it leaves the machine to the test
    assert log.all("error") == []
