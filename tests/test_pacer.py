"""The pacer: one timer for all who wait on a loop, none when nobody does."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from clock import Clock
from support import TIMEOUT_S
from voicelane import PlaybackBuffer, PlaybackTrack
from voicelane.pacer import Pacer

LOOPS = ["asyncio", "uvloop"]


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "uvloop":
        return pytest.importorskip("uvloop").new_event_loop  # type: ignore[no-any-return]
    return asyncio.new_event_loop


async def settle() -> None:
    """Lets every task that can go on do so; the clock stands still."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_all_who_wait_share_one_timer_for_the_earliest(clock: Clock) -> None:
    shared = Pacer.of_running_loop()
    assert Pacer.of_running_loop() is shared
    moments: dict[float, float] = {}

    async def wait(due_s: float) -> None:
        moments[due_s] = await shared.sleep_until(due_s)

    due = {100.030: 100.03, 100.010: 100.01, 100.0201: 100.021, 100.0204: 100.021, 100.5: 100.5}
    tasks = [asyncio.create_task(wait(due_s)) for due_s in due]
    await settle()
    assert clock.pending_s() == [100.010]
    await asyncio.gather(*tasks)
    assert moments == pytest.approx(due)
    assert list(moments) == sorted(due)
    assert clock.pending_s() == []


async def test_nobody_is_woken_early_nor_a_millisecond_late(clock: Clock) -> None:
    shared = Pacer.of_running_loop()
    for n in range(1, 1_000):
        due_s = clock.now_s + n * 0.000_173
        told_s = await shared.sleep_until(due_s)
        assert due_s <= told_s < due_s + 0.001
        assert due_s - 1e-7 <= clock.now_s < due_s + 0.001


async def test_after_a_hold_up_all_who_are_due_are_woken_at_once(clock: Clock) -> None:
    shared = Pacer.of_running_loop()
    tasks = [asyncio.create_task(shared.sleep_until(100 + n / 100)) for n in range(1, 9)]
    await settle()
    clock.now_s = 100.0555
    set_before = len(clock.timers)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert [task.done() for task in tasks] == [True] * 5 + [False] * 3
    assert [task.result() for task in tasks[:5]] == [clock.now_s] * 5
    assert len(clock.timers) == set_before + 1
    await asyncio.gather(*tasks)


async def test_who_is_cancelled_leaves_no_timer(clock: Clock) -> None:
    shared = Pacer.of_running_loop()
    moments = (100.01, 100.01, 100.02, 100.03)
    one, twin, next_one, last = [asyncio.create_task(shared.sleep_until(s)) for s in moments]
    await settle()
    for task, pending in (
        (one, [100.01]),
        (next_one, [100.01]),
        (twin, [100.03]),
        (last, []),
    ):
        task.cancel()
        await settle()
        assert task.cancelled()
        assert clock.pending_s() == pytest.approx(pending)
    assert await shared.sleep_until(100.04) == pytest.approx(100.04)


@pytest.mark.parametrize("cancelled_s", [100.005, 100.015], ids=["just before", "just after"])
async def test_who_is_cancelled_as_it_is_woken_takes_nobody_with_it(
    clock: Clock, cancelled_s: float
) -> None:
    shared = Pacer.of_running_loop()
    tasks = [asyncio.create_task(shared.sleep_until(100.01)) for _ in range(3)]
    await settle()
    asyncio.get_running_loop().call_at(cancelled_s, tasks[1].cancel)
    clock.now_s = 100.02  # both timers ring in one turn of the loop
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[::2] == [100.02] * 2
    assert clock.pending_s() == []


@pytest.mark.parametrize("name", LOOPS)
def test_several_loops_in_several_threads(name: str) -> None:
    begun = threading.Barrier(4)

    async def play() -> tuple[int, float]:
        clock = asyncio.get_running_loop().time
        tracks = [PlaybackTrack(PlaybackBuffer(), frame_type="bytes") for _ in range(5)]

        async def listen(track: PlaybackTrack) -> None:
            for _ in range(11):
                await track.recv()

        begun.wait(TIMEOUT_S)
        start_s = clock()
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.gather(*map(listen, tracks))
        assert len({id(track._pacer) for track in tracks}) == 1
        assert tracks[0]._pacer is Pacer.of_running_loop()
        return id(tracks[0]._pacer), clock() - start_s

    def run(_: int) -> tuple[int, float]:
        with asyncio.Runner(loop_factory=loop_factory(name)) as runner:
            return runner.run(play())

    loop_factory(name)
    with ThreadPoolExecutor(4) as pool:
        took_s = [seconds for _, seconds in pool.map(run, range(4))]
    assert min(took_s) > 0.199 - 0.001, "libuv's clock is of whole milliseconds"


@pytest.mark.parametrize("name", LOOPS)
def test_nothing_is_left_when_a_loop_ends(name: str) -> None:
    track = PlaybackTrack(PlaybackBuffer(), frame_type="bytes")

    async def listen(track: PlaybackTrack) -> weakref.ref[asyncio.AbstractEventLoop]:
        await track.recv()
        # One after the other: however late it is, the last one has to wait.
        waiting = [asyncio.create_task(track.recv()) for _ in range(10)]
        await settle()
        assert not waiting[-1].done()
        return weakref.ref(asyncio.get_running_loop())  # which cancels it

    def run() -> weakref.ref[asyncio.AbstractEventLoop]:
        with asyncio.Runner(loop_factory=loop_factory(name)) as runner:
            return runner.run(listen(track))

    first, second = run(), run()  # the same track on another loop
    gc.collect()
    assert first() is None
    assert second() is not None, "the track's"
    track = None  # type: ignore[assignment]
    gc.collect()
    assert second() is None


def test_nothing_is_left_when_a_loop_is_dropped_while_somebody_waits() -> None:
    def run() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = asyncio.new_event_loop()
        track = PlaybackTrack(PlaybackBuffer(), frame_type="bytes")
        loop.run_until_complete(track.recv())
        waiting = track.recv()
        task = loop.create_task(waiting)
        loop.run_until_complete(settle())
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
        return weakref.ref(loop)

    loop = run()
    gc.collect()
    assert loop() is None
