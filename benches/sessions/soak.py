"""Hundreds of sessions in one process for a long time, with faults: nothing grows and nothing is lost.

Of every five sessions one is broken off by the server twice a minute and reconnects, one is closed and opened
anew once a minute, and three go on: those must lose no sample, and hear what the server said. Memory,
descriptors and threads are looked at every ten seconds.

With --chaos the server's process is killed at random, too, by SIGKILL or SIGTERM, and another one takes its
place: every session must come back, or end once and say why; and hear nothing but the agent's words.

Exit code: 0; 1 where something was lost or grew; 2 for bad options; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import signal
import statistics
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from client import load_of
from meters import Holdings, give_back_free_memory, raise_descriptors, rss_kib
from programs import LoadServer, RunFailed

import voicelane

T = TypeVar("T")

FRAME_S = 0.02
_BATCHES = 4  # of a frame's duration
_KINDS = 5
_CUT, _CHURNED = 0, 3  # of five
_CUT_EVERY_S, _CHURN_EVERY_S, _LOOK_EVERY_S = 30.0, 60.0, 10.0
_KILL_EVERY_S = (20.0, 60.0)
_LONGEST_OUTAGE_S = 4.0
# So long before the end the last kill is over; and so long after it sessions may take to come back.
_CALM_S, _BACK_WITHIN_S = 20.0, 30.0
_BYTES_PER_MS = 48
# From the first two fifths of the time to the last: what the allocator may have scattered, and what each item
# of the conversations takes, which sessions keep for the next connection (the last 200).
_MAX_GROWTH = 1.03
_ITEM_KIB = 0.6


@dataclass(frozen=True)
class Look:
    """What the process held at a moment."""

    at_s: float
    rss_kib: int
    descriptors: int
    threads: int
    thread_names: list[str]
    reconnects: int
    dropped_ms: float
    history_items: int


class Soak:
    """The sessions, and those who feed, disturb and watch them."""

    def __init__(self, options: argparse.Namespace, server: LoadServer) -> None:
        self.options = options
        self.server = server
        self.frames, self.ears = load_of(options.sessions, Path(server.reply))
        self.sessions = [self._make(index) for index in range(options.sessions)]
        self.looks: list[Look] = []
        self.faults: list[str] = []
        self.at_fault: set[int] = set()
        disturbed = (_CUT, _CHURNED)
        self.steady = [n for n in range(options.sessions) if n % _KINDS not in disturbed]
        self.num_reconnects = 0
        self.num_cuts = self.num_kills = self.num_reopened = self.num_refused = 0
        self.errors = [0] * options.sessions
        self.ends = [0] * options.sessions
        # One at a time: the server that is asked may be about to be killed.
        self._asking = ThreadPoolExecutor(1)

    def _make(self, index: int) -> voicelane.AzureVoiceLive:
        policy = voicelane.ReconnectPolicy(first_delay_s=0.1, max_attempts=10)
        session = voicelane.AzureVoiceLive(
            api_key="x",
            endpoint=self.server.url(tls=False),
            model=f"bench-{index}",
            transport="native",
            chunk_ms=self.options.chunk_ms,
            reconnect=policy,
        )
        session.on("error", lambda _text: self._note(self.errors, index))
        session.on("closed", lambda closed: closed["error"] and self._note(self.ends, index))
        session.on("reconnecting", lambda _why: self.ears[index].may_jump())
        return session

    def _note(self, counts: list[int], index: int) -> None:
        counts[index] += 1

    async def _ask(self, call: Callable[..., T], *words: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._asking, call, *words)

    async def run(self) -> None:
        await self._ask(self.server.count)  # the thread that stays is there before
        before = Holdings.now()
        await asyncio.gather(*(session.connect() for session in self.sessions))
        disturbers = [self._kill()] if self.options.chaos is not None else []
        disturbers += [self._cut(), self._churn(), self._look()]
        helpers = [asyncio.create_task(one) for one in disturbers]
        try:
            await self._feed_and_read()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        for helper in helpers:
            if not helper.cancelled() and (error := helper.exception()) is not None:
                self.faults.append(f"the soak itself failed: {error!r}")
        await self._wait_for_all()
        await asyncio.gather(*(session.flush_audio() for session in self.sessions))
        stats = [session.stats() for session in self.sessions]
        self.num_reconnects = sum(one["reconnects"] for one in stats)
        is_back = [session.session_ready for session in self.sessions]
        await asyncio.gather(*(session.aclose() for session in self.sessions))
        self._judge(stats, is_back, await before.left_over())

    async def _feed_and_read(self) -> None:
        clock = asyncio.get_running_loop().time
        start_s = clock()
        indexes = range(self.options.sessions)
        groups = [indexes[group::_BATCHES] for group in range(_BATCHES)]
        for tick in range(round(self.options.minutes * 60 / FRAME_S) * _BATCHES):
            frame, group = divmod(tick, _BATCHES)
            await asyncio.sleep(max(0.0, start_s + tick * FRAME_S / _BATCHES - clock()))
            sessions = [self.sessions[index] for index in groups[group]]
            pcms = [self.frames[(frame + 7 * index) % len(self.frames)] for index in groups[group]]
            voicelane.feed_many(sessions, pcms)
            heard = voicelane.read_many([session.playback for session in sessions], 480)
            for index, pcm in zip(groups[group], heard, strict=True):
                self.ears[index].hear(pcm)

    async def _cut(self) -> None:
        while True:
            await asyncio.sleep(_CUT_EVERY_S * self.options.hurry)
            await self._ask(self.server.cut, _KINDS, _CUT)
            self.num_cuts += 1

    async def _kill(self) -> None:
        dice, clock = random.Random(self.options.chaos), asyncio.get_running_loop().time
        last_s = clock() + self.options.minutes * 60 - _CALM_S * self.options.hurry
        while True:
            pause_s = dice.uniform(*_KILL_EVERY_S) * self.options.hurry
            outage_s = dice.uniform(0, _LONGEST_OUTAGE_S) * self.options.hurry
            how = dice.choice((signal.SIGKILL, signal.SIGTERM))
            if clock() + pause_s + outage_s > last_s:
                return
            await asyncio.sleep(pause_s)
            await self._ask(self.server.restart, how, outage_s)
            self.num_kills += 1

    async def _wait_for_all(self) -> None:
        """Until each session is back, or over for good."""
        clock = asyncio.get_running_loop().time
        until_s = clock() + _BACK_WITHIN_S
        while clock() < until_s and not all(map(self._is_settled, range(self.options.sessions))):  # noqa: ASYNC110
            await asyncio.sleep(FRAME_S)

    def _is_settled(self, index: int) -> bool:
        return self.sessions[index].session_ready or self.ends[index] > 0

    async def _churn(self) -> None:
        while True:
            await asyncio.sleep(_CHURN_EVERY_S * self.options.hurry)
            for index in range(_CHURNED, self.options.sessions, _KINDS):
                old, new = self.sessions[index], self._make(index)
                try:
                    await new.connect()
                except voicelane.errors.VoiceLiveError:
                    if self.options.chaos is None:
                        raise
                    self.num_refused += 1
                    await new.aclose()
                    continue
                self.sessions[index] = new
                await old.aclose()
                self.num_reopened += 1

    async def _look(self) -> None:
        start_s = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S * self.options.hurry)
            held, stats = Holdings.now(), [session.stats() for session in self.sessions]
            give_back_free_memory()
            look = Look(
                at_s=asyncio.get_running_loop().time() - start_s,
                rss_kib=rss_kib(),
                descriptors=held.descriptors,
                threads=held.threads,
                thread_names=held.thread_names(),
                reconnects=sum(one["reconnects"] for one in stats),
                dropped_ms=sum(one["audio_dropped_ms"] for one in stats),
                history_items=sum(len(session._history) for session in self.sessions),
            )
            self.looks.append(look)
            left_s = self.options.minutes * 60 - look.at_s
            _say(
                f"{look.at_s:5.0f} s, {left_s:4.0f} to go: {look.rss_kib / 1024:.1f} MiB, {look.descriptors} "
                f"descriptors, {look.threads} threads, {look.reconnects} reconnects"
            )

    def _judge(
        self, stats: list[dict[str, Any]], is_back: list[bool], left_over: dict[str, int]
    ) -> None:
        counted = self.server.count()["audio_bytes"]
        for index, one in enumerate(stats):
            if self.options.chaos is None:
                self._judge_calm(index, one, counted[str(index)])
            elif self.ends[index] != (not is_back[index]):
                self._fault(
                    index, f"neither back nor ended once: it ended {self.ends[index]} times"
                )
            ear = self.ears[index]
            if index in self.steady and (ear.wrong_frames or not ear.heard_frames):
                self._fault(index, f"{ear.wrong_frames} frames wrong of {ear.heard_frames} heard")
        if not any(is_back):
            self.faults.append(f"none of {len(is_back)} sessions was open at the end")
        for what, count in left_over.items():
            if count:
                self.faults.append(f"{what} after the end: {count}; {Holdings.thread_names()}")
        self._judge_growth()

    def _judge_calm(self, index: int, one: Mapping[str, Any], arrived: int) -> None:
        """Where the server lives on, nothing may be lost but what it breaks off."""
        if one["audio_dropped_ms"]:
            self._fault(index, f"{one['audio_dropped_ms']:.0f} ms of the microphone dropped")
        if index % _KINDS == _CUT and one["reconnects"] != self.num_cuts:
            self._fault(index, f"{one['reconnects']} reconnects after {self.num_cuts} cuts")
        if index not in self.steady:
            return
        if self.errors[index] or one["reconnects"]:
            self._fault(index, f"disturbed: {self.errors[index]} errors")
        sent = round(one["audio_sent_ms"] * _BYTES_PER_MS)
        if sent != arrived:
            self._fault(index, f"{sent} bytes sent, {arrived} arrived")

    def _judge_growth(self) -> None:
        fifth = len(self.looks) // 5
        if not fifth:
            return
        early, late = self.looks[: 2 * fifth], self.looks[-fifth:]
        items = late[-1].history_items - early[fifth].history_items
        for name, slack in (("rss_kib", items * _ITEM_KIB), ("descriptors", 0), ("threads", 0)):
            then = max(getattr(one, name) for one in early)
            now = statistics.median(getattr(one, name) for one in late)
            if now > then * _MAX_GROWTH + slack:
                self.faults.append(f"{name} grew from {then:.0f} to {now:.0f}")

    def _fault(self, index: int, text: str) -> None:
        self.at_fault.add(index)
        self.faults.append(f"session {index}: {text}")

    def all_is_well(self) -> str:
        """What there is to say where nothing was found wrong: of sessions that gave up, no more than that."""
        num_ended = sum(map(bool, self.ends))
        left = (
            f" by the others: {num_ended} of {len(self.ends)} sessions gave up" if num_ended else ""
        )
        return f"nothing was lost{left}, nothing grew"

    def result(self) -> dict[str, Any]:
        """What came out, for the plots and the page of reliability."""
        ears = [self.ears[index] for index in self.steady]
        return {
            "hours": round(self.options.minutes / 60, 4),
            "sessions": self.options.sessions,
            "chaos": self.options.chaos,
            "reconnects": self.num_reconnects,
            "reopened": self.num_reopened,
            "refused_while_down": self.num_refused,
            "kills": self.num_kills,
            "lost": len(self.at_fault),
            "ended": sum(self.ends),
            "heard": sum(ear.heard_frames for ear in ears),
            "wrong": sum(ear.wrong_frames for ear in ears),
            "gaps": sum(ear.gap_frames for ear in ears),
            "gaps_after_return": sum(ear.return_frames for ear in ears),
            "gaps_of_outages": sum(ear.outage_frames for ear in ears),
            "replies_cut": sum(ear.cut_replies for ear in ears),
            "replies_lost": sum(ear.lost_replies for ear in ears),
            "rss_mib": [round(look.rss_kib / 1024, 1) for look in (self.looks[0], self.looks[-1])],
            "faults": self.faults,
            "looks": [asdict(look) for look in self.looks],
        }


def report(soak: Soak) -> str:
    """The result as Markdown."""
    looks, steady = soak.looks, [soak.ears[index] for index in soak.steady]
    lines = [
        "| after, s | RSS, MiB | items of history | descriptors | threads | reconnects | dropped, ms |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for look in looks[:: max(1, len(looks) // 15)]:
        lines.append(
            f"| {look.at_s:.0f} | {look.rss_kib / 1024:.1f} | {look.history_items} | {look.descriptors} "
            f"| {look.threads} "
            f"| {look.reconnects} | {look.dropped_ms:.0f} |"
        )
    lines += [
        "",
        f"{soak.num_kills} servers killed, {soak.num_reconnects} reconnects, {soak.num_reopened} sessions "
        f"reopened. {len(steady)} sessions went on: {sum(ear.heard_frames for ear in steady)} frames heard, "
        f"{sum(ear.wrong_frames for ear in steady)} of them wrong, "
        f"{sum(ear.gap_frames for ear in steady)} of silence within a reply; "
        f"{sum(ear.return_frames for ear in steady)} more right after a session came back, "
        f"{sum(ear.outage_frames for ear in steady)} until the server was found gone; "
        f"{sum(ear.cut_replies for ear in steady)} replies cut, "
        f"{sum(ear.lost_replies for ear in steady)} lost with their connection.",
        "",
        *[f"- {line}" for line in soak.faults or [soak.all_is_well()]],
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--chunk-ms", type=int, default=20)
    parser.add_argument(
        "--hurry", type=float, default=1.0, help="factor on all periods, for a test"
    )
    parser.add_argument(
        "--chaos", type=int, metavar="SEED", help="kill the server at random, as the seed says"
    )
    parser.add_argument("--output", type=Path, default=Path("target/reliability/soak.json"))
    options = parser.parse_args()
    raise_descriptors(options.sessions + 200)
    # Every cut is an error of its session, which is counted.
    logging.getLogger("voicelane").addHandler(logging.NullHandler())
    try:
        with LoadServer() as server:
            soak = Soak(options, server)
            asyncio.run(soak.run())
    except KeyboardInterrupt:
        return 130
    except RunFailed as error:
        _say(str(error))
        return 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(soak.result(), indent=1))
    print(report(soak))
    return 1 if soak.faults else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
