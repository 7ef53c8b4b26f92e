"""What is measured inside a client's process: its CPU, memory and event loop, and what is heard."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import threading
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FRAME_BYTES = 960  # 20 ms of 24 kHz mono s16le
SILENCE = bytes(FRAME_BYTES)
_LAG_PERIOD_S = 0.01
_RETURN_FRAMES = 100
_SETTLE_S, _LOOK_S = 1.0, 0.02


@dataclass(frozen=True)
class Cpu:
    """CPU time of this process, all of its threads."""

    user_s: float
    system_s: float
    loop_s: float
    """Of this thread alone, which is the event loop's."""
    waited_s: float
    """How long this thread could have run, and waited for a CPU."""

    @classmethod
    def now(cls) -> Cpu:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/thread-self/schedstat") as schedstat:
            waited_s = int(schedstat.read().split()[1]) / 1e9
        return cls(usage.ru_utime, usage.ru_stime, time.thread_time(), waited_s)


class Ear:
    """Holds what one session plays against what the server has it say, frame by frame.

    Args:
        reply: the frames of the agent's reply, which it says again in every cycle.
        first: the frame that the session's first reply begins with.
    """

    def __init__(self, reply: Sequence[bytes], first: int) -> None:
        self._reply = reply
        self._next = first
        self._places = {pcm: place for place, pcm in enumerate(reply)}
        self._speaking = False
        self._may_jump = False
        self.heard_frames = 0
        self._gap_frames = 0
        self.return_frames = 0
        """Of silence within a reply, in the two seconds after another connection was first heard."""
        self.outage_frames = 0
        """Of the same, where it went on until the connection was found lost: the server was gone."""
        self.cut_replies = 0
        """Interrupted by the user's speech before their end: the client was that late."""
        self.lost_replies = 0
        """Begun on a connection that was lost: the next one is in another place of the reply."""
        self.wrong_frames = 0
        self._silent_frames = 0
        self._frames_since_return = _RETURN_FRAMES

    @property
    def gap_frames(self) -> int:
        """Of silence within a reply, at any other time: an underrun, also one that lasts."""
        return self._gap_frames + self._silent_frames

    def may_jump(self) -> None:
        """The connection was lost: once what it brought is heard, the next one is somewhere in the reply."""
        self._may_jump = True
        self.outage_frames += self._silent_frames
        self._silent_frames = 0

    def hear(self, pcm: bytes) -> None:
        """Takes the next 20 ms that came out of the session's playback."""
        self._frames_since_return += 1
        if pcm == SILENCE:
            if self._speaking and not self._may_jump:
                self._silent_frames += 1
        elif pcm == self._reply[self._next]:
            self._heard()
        elif self._may_jump and pcm in self._places:
            self._may_jump = False
            self._frames_since_return = 0
            self.lost_replies += self._next > 0
            self._next = self._places[pcm]
            self._heard()
        elif pcm == self._reply[0] or _is_faded(pcm, self._reply[0]):
            self.cut_replies += self._next > 0  # the rest of the last one
            self._next = 0
            self._heard()
        elif _is_faded(pcm, self._reply[self._next]):
            self._heard()
        else:
            self.wrong_frames += 1

    def _heard(self) -> None:
        if self._frames_since_return < _RETURN_FRAMES:
            self.return_frames += self._silent_frames
        else:
            self._gap_frames += self._silent_frames
        self._silent_frames = 0
        self.heard_frames += 1
        self._next = (self._next + 1) % len(self._reply)
        self._speaking = self._next > 0


def _is_faded(pcm: bytes, whole: bytes) -> bool:
    """Whether these are the same samples, or quieter: so an interrupt ends a reply."""
    samples = zip(array("h", pcm), array("h", whole), strict=True)
    return all(0 <= quiet * loud <= loud * loud for quiet, loud in samples)


class LagProbe:
    """How late the event loop wakes a task that sleeps for 10 ms."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due_s = clock() + _LAG_PERIOD_S
            await asyncio.sleep(_LAG_PERIOD_S)
            self.lags_s.append(clock() - due_s)


def quantiles_ms(values_s: Sequence[float]) -> dict[str, float]:
    """The median, the 99th percentile and the largest."""
    ordered = sorted(values_s) or [0.0]
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[int(last * share)] * 1000, 3) for name, share in shares.items()}


def give_back_free_memory() -> None:
    """Has the C library return what it keeps for later: what stays resident is in use, or in pieces."""
    with contextlib.suppress(AttributeError):  # where it is not glibc
        ctypes.CDLL(None).malloc_trim(0)


def rss_kib(*, collect: bool = True) -> int:
    """Resident memory of this process, after the garbage is gone; `collect` takes a while."""
    if collect:
        gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


@dataclass(frozen=True)
class Holdings:
    """What this process holds of the system."""

    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> Holdings:
        return cls(len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")))

    @staticmethod
    def thread_names() -> list[str]:
        """The threads of this process: Python's by their own names, others by the system's."""
        names = {str(one.native_id): one.name for one in threading.enumerate()}
        for thread in os.listdir("/proc/self/task"):
            if thread not in names:
                with contextlib.suppress(FileNotFoundError):  # it has just ended
                    names[thread] = Path(f"/proc/self/task/{thread}/comm").read_text().strip()
        return sorted(names.values())

    async def left_over(self) -> dict[str, int]:
        """What there is beyond this, once it had a second to go."""
        for _ in range(round(_SETTLE_S / _LOOK_S)):
            if (now := Holdings.now()) == self:
                break
            await asyncio.sleep(_LOOK_S)
        return {
            "threads_left": now.threads - self.threads,
            "descriptors_left": now.descriptors - self.descriptors,
        }


def raise_descriptors(needed: int) -> None:
    """Allows as many descriptors as the system does.

    Raises:
        SystemExit: that is not enough.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(f"{needed} sessions need as many descriptors, and `ulimit -Hn` is {hard}")
