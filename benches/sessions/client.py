"""One implementation under load, in a process of its own: prints one line of JSON.

Started by `bench.py`, which also starts the server; runs by itself as well, see --help.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import wave
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from implementations import FRAME_S, Session, encoded, make
from meters import (
    FRAME_BYTES,
    Cpu,
    Ear,
    Holdings,
    LagProbe,
    quantiles_ms,
    raise_descriptors,
    rss_kib,
)

from voicelane.cli.bench.libraries import NotThere
from voicelane.pacer import Pacer

ROOT = Path(__file__).parent.parent.parent
SPEECH = ROOT / "examples/audio/question-48k-stereo.wav"
NOT_THERE = 3  # exit code

_CONNECTS_AT_ONCE = 100
_LEAD_S = 0.5  # from the last connect to the first frame
_OVERTIME_S = 0.5  # for feeders that are behind
_FLUSH_S = 2.0
_CYCLE_MS, _AGENT_AT_MS = 8_000, 4_000
# How often the one task of the batch calls feeds and reads: all sessions at once.
_BATCH_TICKS = 1  # a frame
_WATCHED_ONE_IN = 25


class Load:
    """So many sessions of one implementation, and what they are fed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.name: str = options.implementation
        self.is_batch = self.name.endswith("-batch")
        count = options.sessions
        self.microphone, self.ears = load_of(count, Path(options.reply))
        # Sessions are spread over a message, so that not all of them send at once.
        self.spread_s = options.chunk_ms / 1000
        self.phases = _BATCH_TICKS * options.chunk_ms // 20 if self.is_batch else count
        self.fed_frames = [0] * count
        self.num_frames = round((options.warmup_s + options.window_s) / FRAME_S)
        self.sessions: list[Session] = []

    async def connect(self) -> dict[str, Any]:
        """Opens the first session, which imports what there is, then the others, which are measured."""
        clock = asyncio.get_running_loop().time
        self.sessions = [self._make(0)]
        await self.sessions[0].connect()
        first_kib = rss_kib()
        begun_s = clock()
        self.sessions += [self._make(index) for index in range(1, self.options.sessions)]
        limit = asyncio.Semaphore(_CONNECTS_AT_ONCE)

        async def connect(session: Session) -> None:
            async with limit:
                await session.connect()

        await asyncio.gather(*map(connect, self.sessions[1:]))
        connect_s = clock() - begun_s
        await asyncio.sleep(_LEAD_S)
        return {"connect_s": connect_s, "first_kib": first_kib, "idle_kib": rss_kib()}

    def _make(self, index: int) -> Session:
        return make(self.name, index, self.options.url, self.options.chunk_ms)

    def frame_of(self, session: int, frame: int) -> bytes:
        """What the microphone of that session has then: each is elsewhere in the recording."""
        return self.microphone[(frame + 7 * session) % len(self.microphone)]

    async def feed(self, index: int, start_s: float) -> None:
        """50 frames a second, each when it is complete; one that is late goes at once, none is left out."""
        clock = asyncio.get_running_loop().time
        feed = self.sessions[index].feed
        first_s = start_s + index % self.phases * self.spread_s / self.phases
        last_s = start_s + self.num_frames * FRAME_S + _OVERTIME_S
        # One timer for all: what a server hears comes from its sockets, not from a timer for each caller.
        pacer = Pacer.of_running_loop()
        for frame in range(self.num_frames):
            now_s, due_s = clock(), first_s + frame * FRAME_S
            if now_s > last_s:
                return
            await (pacer.sleep_until(due_s) if due_s > now_s else asyncio.sleep(0))
            await feed(self.frame_of(index, frame))
            self.fed_frames[index] += 1

    async def drain(self, index: int) -> None:
        """50 frames a second, at the pace of the session's own track."""
        session, hear = self.sessions[index], self.ears[index].hear
        while True:
            hear(session.pcm_of(await session.recv()))

    async def feed_and_drain_all(self, start_s: float) -> None:
        """The same for every session from one task, through voicelane's calls for many."""
        import voicelane

        clock = asyncio.get_running_loop().time
        joining = [range(at, len(self.sessions), self.phases) for at in range(self.phases)]
        members: list[list[int]] = [[] for _ in range(_BATCH_TICKS)]
        models: list[list[Any]] = [[] for _ in range(_BATCH_TICKS)]
        end_s = start_s + self.num_frames * FRAME_S
        for tick in range(self.num_frames * _BATCH_TICKS):
            due_s = start_s + tick * FRAME_S / _BATCH_TICKS
            if (now_s := clock()) < due_s:
                await asyncio.sleep(due_s - now_s)
            elif now_s > end_s + _OVERTIME_S:
                return
            turn = tick % _BATCH_TICKS
            if tick < self.phases:
                members[turn] += joining[tick]
                models[turn] = [self.sessions[index].model for index in members[turn]]
            pcms = [self.frame_of(index, self.fed_frames[index]) for index in members[turn]]
            voicelane.feed_many(models[turn], pcms)
            buffers = [model.playback for model in models[turn]]
            heard = voicelane.read_many(buffers, FRAME_BYTES // 2)
            for index, pcm in zip(members[turn], heard, strict=True):
                self.fed_frames[index] += 1
                self.ears[index].hear(pcm)

    def start(self, start_s: float) -> tuple[list[asyncio.Task[None]], list[asyncio.Task[None]]]:
        """The tasks that feed, which end, and those that drain, which do not."""
        if self.is_batch:
            return [asyncio.create_task(self.feed_and_drain_all(start_s))], []
        count = range(len(self.sessions))
        feeders = [asyncio.create_task(self.feed(index, start_s)) for index in count]
        return feeders, [asyncio.create_task(self.drain(index)) for index in count]

    def adlers(self) -> dict[int, int]:
        """The checksum of the audio that the server must have of each watched session."""
        if self.name == "harness":
            return {}
        chunk = self.options.chunk_ms // 20
        found = {}
        for index in range(0, len(self.fed_frames), _WATCHED_ONE_IN):
            frames = range(self.fed_frames[index] // chunk * chunk)
            pcm = encoded(
                self.name, self.options.chunk_ms, (self.frame_of(index, n) for n in frames)
            )
            found[index] = zlib.adler32(pcm)
        return found


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """The whole run; its figures."""
    loop = asyncio.get_running_loop()
    before = Holdings.now()
    load = Load(options)
    result = await load.connect()
    start_s = loop.time() + _LEAD_S
    lag = LagProbe()
    probe = asyncio.create_task(lag.run())
    feeders, drains = load.start(start_s)
    await asyncio.sleep(start_s + options.warmup_s - loop.time())
    cpu, from_s = Cpu.now(), loop.time()
    lag.lags_s.clear()
    await asyncio.sleep(start_s + options.warmup_s + options.window_s - loop.time())
    used, to_s = Cpu.now(), loop.time()
    heard = [ear.heard_frames for ear in load.ears]
    result |= {
        "start_ns": round(start_s * 1e9),
        "phases": load.phases,
        "window_s": to_s - from_s,
        "user_s": used.user_s - cpu.user_s,
        "system_s": used.system_s - cpu.system_s,
        "loop_s": used.loop_s - cpu.loop_s,
        "waited_s": used.waited_s - cpu.waited_s,
        "lag_ms": quantiles_ms(lag.lags_s),
        "heard_frames": heard,
        "talking_kib": rss_kib(collect=False),
    }
    await asyncio.gather(*feeders)
    await asyncio.wait(
        [asyncio.create_task(session.flush()) for session in load.sessions], timeout=_FLUSH_S
    )
    for task in (probe, *drains):
        task.cancel()
    await asyncio.gather(probe, *drains, return_exceptions=True)
    begun_s = loop.time()
    await asyncio.gather(*(session.aclose() for session in load.sessions))
    result |= {"close_s": loop.time() - begun_s} | await before.left_over()
    load.sessions.clear()
    gc.collect()
    result["left_when_dropped"] = await before.left_over()
    result |= {"fed_frames": load.fed_frames, "adler": load.adlers()} | _ears(load.ears)
    return result


def _ears(ears: Sequence[Ear]) -> dict[str, int]:
    return {
        "gap_frames": sum(ear.gap_frames for ear in ears),
        "cut_replies": sum(ear.cut_replies for ear in ears),
        "wrong_frames": sum(ear.wrong_frames for ear in ears),
    }


def load_of(sessions: int, reply_file: Path) -> tuple[list[bytes], list[Ear]]:
    """The frames of the microphone, and for each session an ear that knows the agent's reply."""
    reply = reply_file.read_bytes()
    frames = [reply[at : at + FRAME_BYTES] for at in range(0, len(reply), FRAME_BYTES)]
    return _speech_frames(), [Ear(frames, _first_frame(index)) for index in range(sessions)]


def _speech_frames() -> list[bytes]:
    """The recorded question in pieces of 20 ms."""
    with wave.open(str(SPEECH)) as file:
        pcm, size = file.readframes(file.getnframes()), 3_840
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]


def _first_frame(index: int) -> int:
    """Where in the reply the session's first one begins; the server has the same rule (script.rs)."""
    joins_at_ms = index * 4_944 % _CYCLE_MS // 100 * 100
    return max(0, joins_at_ms - _AGENT_AT_MS) // 20


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    try:
        import uvloop
    except ImportError as error:
        raise NotThere(str(error)) from None
    return uvloop.new_event_loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation")
    parser.add_argument("--url", required=True, help="of the load server, ws:// or wss://")
    parser.add_argument("--reply", required=True, help="its file reply.pcm")
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--chunk-ms", type=int, default=20)
    parser.add_argument("--warmup-s", type=float, default=3.0)
    parser.add_argument("--window-s", type=float, default=8.0)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    options = parser.parse_args()
    raise_descriptors(options.sessions + 100)
    try:
        with asyncio.Runner(loop_factory=_loop_factory(options.loop)) as runner:
            result = runner.run(run(options))
    except NotThere as error:
        print(f"not there: {error}", file=sys.stderr)
        sys.exit(NOT_THERE)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
