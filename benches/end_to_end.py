"""A microphone frame on its way to its text on the wire; a delta on its way to its sample at the consumer."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns
from typing import Any

import aiohttp
from cpus import all_cpus
from implementations import Plugin, Session, Voicelane, make
from wire import DELTA_FRAMES

from voicelane.cli.bench.results import Row, distribution

GROUP = "end to end"
UP = "microphone frame -> its text on the wire"
DOWN = "delta on the wire -> its sample at the consumer"
CASES = (UP, DOWN)
IMPLEMENTATIONS = {
    "voicelane": "native",
    "voicelane, sdk": "sdk",
    "videosdk-plugins-azure": "plugin",
}
_FRAMES_PER_S, _DELTAS_PER_S = 50, 100
_LONGER = 50  # than other cases: a frame is 20 ms
_PERIOD_S = (0.016, 0.024)
_END_S = 5.0


async def end_to_end(case: str, library: str, seconds: float) -> Row:
    """One row, over one session on loopback.

    Raises:
        NotThere: the library is not installed.
    """
    measure, per_s = {UP: (_up, _FRAMES_PER_S), DOWN: (_down, _DELTAS_PER_S)}[case]
    count = max(20, round(_LONGER * seconds * per_s))
    with all_cpus(), _wire() as port:
        session = make(IMPLEMENTATIONS[library], 0, f"ws://127.0.0.1:{port}", 20)
        await session.connect()
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                times_ns, seen = await measure(session, http, count)
        finally:
            await session.aclose()
    fault = None if seen == count else f"wrong: of {count} there came {seen}"
    row: Row = {"group": GROUP, "case": case, "library": library, "answer": {}, "fault": fault}
    return {**row, **distribution(times_ns)}


async def _up(session: Session, http: aiohttp.ClientSession, count: int) -> tuple[list[int], int]:
    periods, fed_ns, frame = random.Random(1), [], bytes(3_840)
    for _ in range(count):
        fed_ns.append(monotonic_ns())
        await session.feed(frame)
        await asyncio.sleep(periods.uniform(*_PERIOD_S))
    async with http.get("/arrivals") as answer:
        arrivals_ns = await answer.json()
    pairs = zip(fed_ns, arrivals_ns, strict=False)
    return [arrival - fed for fed, arrival in pairs], len(arrivals_ns)


async def _down(session: Session, http: aiohttp.ClientSession, count: int) -> tuple[list[int], int]:
    """The consumer asks all the time, so that no frame's pace is in the figures."""
    take, heard_ns = _consumer(session), {}
    speaking = asyncio.create_task(_speak(http, count))
    async with asyncio.timeout(_END_S + count / _DELTAS_PER_S * 4):
        while not (speaking.done() and len(heard_ns) >= count):
            if number := take():
                heard_ns.setdefault(number, monotonic_ns())
            await asyncio.sleep(0)
    sent_ns = await speaking
    return [heard_ns[number] - sent for number, sent in enumerate(sent_ns, 1)], len(heard_ns)


async def _speak(http: aiohttp.ClientSession, count: int) -> list[int]:
    async with http.get("/speak", params={"deltas": str(count)}) as answer:
        sent_ns: list[int] = await answer.json()
        return sent_ns


def _consumer(session: Session) -> Callable[[], int]:
    """Takes what is there to be heard, and tells the delta's number: 0 where nothing is."""
    match session:
        case Voicelane():
            take = session.model.playback.take
            return lambda: _number(*take(DELTA_FRAMES))
        case Plugin():
            frames = session.model.audio_track
            return lambda: _first(frames.frame_buffer.pop(0)) if frames.frame_buffer else 0
    raise TypeError(f"expected Voicelane or Plugin, got {type(session).__name__}")


def _number(pcm: bytes, num_real: int) -> int:
    return array("h", pcm[:2])[0] if num_real else 0


def _first(frame: Any) -> int:
    return array("h", bytes(frame.planes[0])[:2])[0]


@contextlib.contextmanager
def _wire() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("wire.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
