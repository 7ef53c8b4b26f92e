"""CPU of many tracks on one event loop: microseconds per track and second, beside videosdk's.

    python benches/bench_tracks.py [--seconds 10] [--rounds 3] [--loop uvloop] [--tracks 1 100 500]

Each run is a process of its own: N tracks begin at arbitrary moments, one task each awaits frame after
frame, and `getrusage` tells what the process took, its harness included. Talking, each track is given
100 ms of PCM ten times a second, which counts too. The lateness is that of one of the tracks, beside
its own earliest frame. Then, without tracks: 20 ms of each of N buffers, by as many calls of `read` and by
one of `read_many`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import resource
import subprocess
import sys
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import product
from statistics import median
from time import perf_counter_ns
from typing import Any

from peers import VIDEOSDK_PYTHON

FRAME_S = 0.020
DELTA = array("h", [n * 7919 % 20_000 - 10_000 for n in range(2_400)]).tobytes()
DELTAS_PER_S = 10


@dataclass
class Track:
    recv: Callable[[], Awaitable[Any]]
    feed: Callable[[bytes], Awaitable[Any]]


def voicelane(frame_type: Any) -> Track:
    from voicelane import PlaybackBuffer, PlaybackTrack

    buffer = PlaybackBuffer()

    async def feed(pcm: bytes) -> None:
        buffer.write(pcm)

    return Track(PlaybackTrack(buffer, frame_type=frame_type).recv, feed)


def videosdk() -> Track:
    from videosdk.agents.room.output_stream import CustomAudioStreamTrack

    track = CustomAudioStreamTrack(asyncio.get_running_loop())
    return Track(track.recv, track.add_new_bytes)


TRACKS: dict[str, Callable[[], Track]] = {
    "voicelane, bytes": lambda: voicelane("bytes"),
    "voicelane, PyAV frames": lambda: voicelane("av"),
    "videosdk-agents 1.0.30": videosdk,
}


class Run:
    """N tracks that are listened to, in this process."""

    def __init__(self, library: str, num_tracks: int) -> None:
        self._tracks = [TRACKS[library]() for _ in range(num_tracks)]
        self._random = random.Random(1)
        self.frames = 0
        self.moments_s: list[float] = []

    async def listen(self, track: Track) -> None:
        await asyncio.sleep(self._random.random())
        while True:
            await track.recv()
            self.frames += 1

    async def listen_and_look(self, track: Track) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await track.recv()
            self.frames += 1
            self.moments_s.append(clock())

    async def feed(self) -> None:
        """A fifth of the tracks every 20 ms."""
        clock = asyncio.get_running_loop().time
        start_s, ticks = clock(), 50 // DELTAS_PER_S
        for track in self._tracks:
            await track.feed(DELTA)  # ahead by as much
        tick = 0
        while True:
            for track in self._tracks[tick % ticks :: ticks]:
                await track.feed(DELTA)
            tick += 1
            await asyncio.sleep(start_s + tick * FRAME_S - clock())

    async def measure(self, seconds: float, talking: bool) -> dict[str, float]:
        first, *others = self._tracks
        tasks = [asyncio.create_task(self.listen_and_look(first))]
        tasks += [asyncio.create_task(self.listen(track)) for track in others]
        if talking:
            tasks.append(asyncio.create_task(self.feed()))
        await asyncio.sleep(2)
        gc.collect()
        clock = asyncio.get_running_loop().time
        start_s, frames, used_s = clock(), self.frames, cpu_s()
        self.moments_s.clear()
        await asyncio.sleep(seconds)
        track_s = (clock() - start_s) * len(self._tracks)
        used_s, frames = cpu_s() - used_s, self.frames - frames
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        late_s = sorted(moment - n * FRAME_S for n, moment in enumerate(self.moments_s))
        return {
            "us": used_s / track_s * 1e6,
            "pace": frames * FRAME_S / track_s,
            "late_ms": (late_s[len(late_s) * 99 // 100] - late_s[0]) * 1000,
        }


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def child(library: str, num_tracks: int, talking: bool, seconds: float) -> None:
    print(json.dumps(await Run(library, num_tracks).measure(seconds, talking)))


def measure(library: str, num_tracks: int, talking: bool, loop: str, seconds: float) -> Any:
    python = VIDEOSDK_PYTHON if library.startswith("videosdk") else sys.executable
    arguments = ["--child", library, str(num_tracks), str(int(talking)), "--loop", loop]
    command = [python, __file__, *arguments, "--seconds", str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def table(options: argparse.Namespace) -> None:
    cells = list(product((False, True), options.tracks))
    runs: dict[Any, list[Any]] = {}
    for _, (talking, num_tracks), library in product(
        range(options.rounds), cells, options.libraries
    ):
        run = measure(library, num_tracks, talking, options.loop, options.seconds)
        runs.setdefault((library, talking, num_tracks), []).append(run)
        print(library, num_tracks, talking, run, file=sys.stderr)
    print(
        f"us of CPU per track-second, median of {options.rounds} x {options.seconds:g} s,", end=""
    )
    print(f" {options.loop}; lateness p99 in ms; pace where not 1.00\n")
    print(f"{'':34}" + "".join(f"{f'N={n}':>20}" for n in options.tracks))
    for library, talking in product(options.libraries, (False, True)):
        print(f"{library:26}{'talking' if talking else 'silence':8}", end="")
        for num_tracks in options.tracks:
            seen = runs[library, talking, num_tracks]
            us, late_ms, pace = (median(run[k] for run in seen) for k in ("us", "late_ms", "pace"))
            behind = "" if abs(pace - 1) < 0.01 else f" x{pace:.2f}"
            print(f"{f'{us:.0f} ({late_ms:.1f} ms){behind}':>20}", end="")
        print()


def reads(tracks: list[int]) -> None:
    from voicelane import PlaybackBuffer, read_many

    print("\nns per buffer and 20 ms, median of 1000\n")
    for talking, num_buffers in product((False, True), tracks):
        buffers = [PlaybackBuffer() for _ in range(num_buffers)]
        times: dict[str, list[int]] = {"read": [], "read_many": []}
        for name in (*times,) * 1000:
            for buffer in buffers if talking else ():
                buffer.write(DELTA[:960])
            start_ns = perf_counter_ns()
            if name == "read":
                [buffer.read(480) for buffer in buffers]
            else:
                read_many(buffers, 480)
            times[name].append(perf_counter_ns() - start_ns)
        told = "".join(f"{name:>12}{median(ns) / num_buffers:6.0f}" for name, ns in times.items())
        print(f"{'talking' if talking else 'silence':10}N={num_buffers:<6}{told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--tracks", type=int, nargs="+", default=[1, 100, 500])
    parser.add_argument("--libraries", nargs="+", choices=TRACKS, default=list(TRACKS))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is None:
        table(options)
        reads(options.tracks)
        return
    library, num_tracks, talking = options.child
    factory = __import__("uvloop").new_event_loop if options.loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(child(library, int(num_tracks), talking == "1", options.seconds))


if __name__ == "__main__":
    main()
