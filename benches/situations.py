"""What a call to encode 20 ms takes on an event loop, idle or busy, and beside another Python thread."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle
from time import perf_counter_ns

from cpus import all_cpus

from voicelane.cli.bench.answers import answer_of
from voicelane.cli.bench.conversions import ROOM
from voicelane.cli.bench.encoders import ENCODERS
from voicelane.cli.bench.measure import speech_like
from voicelane.cli.bench.results import Row, distribution

GROUP = "latency of a call"
IDLE, BUSY, THREAD = "idle event loop", "busy event loop", "second Python thread"
SITUATIONS = (IDLE, BUSY, THREAD)
_BUSY_TASKS = 50
_LONGER = 5  # than other cases: on a busy loop there are few calls a second
_PAYLOAD = json.dumps({"type": "response.audio.delta", "delta": "A" * 6_400})


async def latency(situation: str, library: str, seconds: float) -> Row:
    """One row: 48k stereo to 24k, and the loop has its turn after every call.

    Raises:
        NotThere: what the library needs is not installed.
    """
    found = ENCODERS[library]
    found.check()
    encode, calls = found.make(ROOM), cycle(speech_like(ROOM, 20))
    fault = answer_of(ROOM, found.make).fault
    async with _around(situation):
        times_ns = await _times_ns(lambda: encode(next(calls)), seconds)
    row: Row = {"group": GROUP, "case": situation, "library": library, "answer": {}}
    return {**row, "fault": fault, **distribution(times_ns)}


async def _times_ns(call: Callable[[], object], seconds: float) -> list[int]:
    times_ns: list[int] = []
    end_ns = perf_counter_ns() + int(_LONGER * seconds * 1e9)
    while (start_ns := perf_counter_ns()) < end_ns:
        call()
        times_ns.append(perf_counter_ns() - start_ns)
        await asyncio.sleep(0)
    return times_ns


@asynccontextmanager
async def _around(situation: str) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_parse()) for _ in range(_BUSY_TASKS * (situation == BUSY))]
    try:
        with _second_thread(situation == THREAD):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _parse() -> None:
    while True:
        json.loads(_PAYLOAD)
        await asyncio.sleep(0)


@contextmanager
def _second_thread(is_wanted: bool) -> Iterator[None]:
    """A thread that never waits, on any CPU: it gives the interpreter up only when it is asked to."""
    if not is_wanted:
        yield
        return
    ended = threading.Event()

    def count() -> None:
        while not ended.is_set():
            sum(range(1_000))

    with all_cpus():
        thread = threading.Thread(target=count)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
