"""Faults over and over in one process: what they take of the memory, they give back.

`make chaos` goes on for longer (VOICELANE_ROUNDS), and looks at what the system counts, too.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from fault_calls import PHASES, Call
from neighbour import nothing_left
from test_faults_matrix import FAULTS, raise_failures

ROUNDS = int(os.environ.get("VOICELANE_ROUNDS", "1"))
STRUCK = ("cut", "closed 1008", "deltas after a cancel")
OPEN_PHASES = [phase for phase in PHASES if phase != "connecting"]
# Of a call. A reply that stays is 58,000 bytes; what caches take up in few rounds is hundreds.
_MAX_PYTHON_BYTES, _MAX_RSS_BYTES = 10_000, 20_000
# From here on the system's count says more than what the allocators keep for later.
_ENOUGH_ROUNDS = 20


@pytest.mark.timeout(300 + 20 * ROUNDS)
async def test_faults_over_and_over_leave_no_memory(
    record_property: Callable[[str, object], None],
) -> None:
    logging.disable()  # pytest keeps each record, and with its traceback the session
    await one_round()  # what is made once: imports, caches, executors
    tracemalloc.start()
    try:
        await one_round()
        python_before, rss_before = held()
        for _ in range(ROUNDS):
            await one_round()
        python_after, rss_after = held()
    finally:
        tracemalloc.stop()
        logging.disable(logging.NOTSET)
    num_calls = ROUNDS * len(STRUCK) * len(OPEN_PHASES)
    python_bytes = (python_after - python_before) / num_calls
    rss_bytes = (rss_after - rss_before) / num_calls
    record_property("calls", num_calls)
    record_property("python_bytes", round(python_bytes))
    assert python_bytes < _MAX_PYTHON_BYTES
    if ROUNDS >= _ENOUGH_ROUNDS and sys.platform == "linux":
        record_property("rss_bytes", round(rss_bytes))
        assert rss_bytes < _MAX_RSS_BYTES


async def one_round() -> None:
    for name in STRUCK:
        calls = [Call(FAULTS[name], phase) for phase in OPEN_PHASES]
        async with nothing_left():  # before what is held is counted
            outcomes = await asyncio.gather(
                *(call.hold() for call in calls), return_exceptions=True
            )
        raise_failures(OPEN_PHASES, outcomes)


def held() -> tuple[int, int]:
    """Bytes that Python's objects take, and that the system has given the process."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if sys.platform == "linux" else 0
    return tracemalloc.get_traced_memory()[0], pages * os.sysconf("SC_PAGE_SIZE")
