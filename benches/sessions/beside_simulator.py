"""Many sessions of voicelane beside `voicelane simulate`: is nothing lost, does all come in time?

    .venv/bin/python benches/sessions/beside_simulator.py [--sessions 1000] [--questions 5] [--message-ms 60]
        [--processes 2]

Each session asks a recorded question every 8 s, each at another moment, and hears the reply, through
`feed_many` and `read_many` every 20 ms. It ends with 1 where a reply is missing or has a gap, where audio
was dropped, or where less than 99 % of the deltas came within 20 ms of their time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
import tempfile
import time
import wave
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meters import raise_descriptors

from voicelane import AzureVoiceLive, Resampler, feed_many, read_many
from voicelane.pacer import Pacer
from voicelane.simulator.responder import Voice

AUDIO_SPEED = 5.0
FRAME_S = 0.02
CYCLE_FRAMES = 400
DELTA_FRAMES = 2400  # 100 ms, as the simulator sends them
ON_TIME_MS = 20.0
_CONNECTS_AT_ONCE = 50
_WATCHED_ONE_IN = 25
_LOOK_S = 0.004
_START_S = _END_S = 10.0
_SILENCE = bytes(3840)  # 20 ms of 48 kHz stereo


def microphone() -> list[bytes]:
    """A question and the silence after it, in frames of 20 ms."""
    mono = array("h", Resampler(24_000, 48_000).process(Voice().bundled[2].pcm))
    stereo = array("h", bytes(4 * len(mono)))
    stereo[0::2] = stereo[1::2] = mono
    pcm = stereo.tobytes().ljust(CYCLE_FRAMES * len(_SILENCE), b"\0")
    return [pcm[start : start + len(_SILENCE)] for start in range(0, len(pcm), len(_SILENCE))]


def write_reply(path: Path) -> int:
    """Write what the simulator is to answer; return its frames, of whole deltas."""
    pcm = Voice().bundled[0].pcm
    num_frames = len(pcm) // 2 // DELTA_FRAMES * DELTA_FRAMES
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(pcm[: 2 * num_frames])
    return num_frames


@dataclass(frozen=True)
class RunningSimulator:
    """`voicelane simulate`, and where it listens."""

    process: subprocess.Popen[bytes]
    endpoint: str
    api_key: str

    def cpu_s(self) -> float:
        """What it and its processes have used so far, user and system."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ticks = sum(map(_cpu_ticks, (pid, *map(int, children))))
        return ticks / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return sum(map(int, stat.rpartition(")")[2].split()[11:13]))


@contextmanager
def simulator(folder: Path, reply: Path, num_processes: int) -> Iterator[RunningSimulator]:
    """Run it as a user does, until the block ends."""
    log = folder / "simulator.log"
    command = (sys.executable, "-m", "voicelane", "simulate", "--port", "0")
    options = ("--audio-speed", str(AUDIO_SPEED), "--processes", str(num_processes))
    with log.open("wb") as output:
        process = subprocess.Popen(
            (*command, *options, "--replies", str(reply)), stdout=output, start_new_session=True
        )
    try:
        deadline_s = time.monotonic() + _START_S
        while "API_KEY=" not in (told := log.read_text()):
            if time.monotonic() > deadline_s or process.poll() is not None:
                raise SystemExit(f"voicelane simulate did not start: {told}")
            time.sleep(0.05)
        exports = [line.partition("=")[2] for line in told.splitlines() if "export" in line]
        endpoint, api_key = (shlex.split(value)[0] for value in exports)
        yield RunningSimulator(process, endpoint, api_key)
    finally:
        process.terminate()
        process.wait(_END_S)


class Caller:
    """One session: what it is fed, and what came of it.

    Args:
        model: The session.
        offset_frames: How late its first question begins.
        num_questions: How often it asks.
    """

    def __init__(self, model: AzureVoiceLive, offset_frames: int, num_questions: int) -> None:
        self.model = model
        self.num_replies = 0
        self.errors: list[str] = []
        self._fed_frames = -offset_frames
        self._last_frame = num_questions * CYCLE_FRAMES
        model.on("response_done", self._take_reply)
        model.on("error", lambda error: self.errors.append(str(error)))

    def _take_reply(self, done: Any) -> None:
        self.num_replies += done["status"] == "completed"

    def next_frame(self, cycle: Sequence[bytes]) -> bytes:
        """The next 20 ms of its microphone."""
        frame, self._fed_frames = self._fed_frames, self._fed_frames + 1
        return cycle[frame % CYCLE_FRAMES] if 0 <= frame < self._last_frame else _SILENCE


class Arrivals:
    """When the deltas of one session came, as exactly as it is looked at."""

    def __init__(self, caller: Caller) -> None:
        self._playback = caller.model.playback
        self._times_s: list[float] = []

    def look(self, now_s: float) -> None:
        """Note what has come since."""
        num_deltas = self._playback.stats()["written_frames"] // DELTA_FRAMES
        self._times_s += [now_s] * (num_deltas - len(self._times_s))

    def lateness_ms(self, reply_frames: int) -> Iterator[float]:
        """How much later than the promptest of its reply each delta came, by the simulator's pace."""
        num_deltas = reply_frames // DELTA_FRAMES
        pace_s = DELTA_FRAMES / 24_000 / AUDIO_SPEED
        for start in range(0, len(self._times_s), num_deltas):
            times_s = self._times_s[start : start + num_deltas]
            begun_s = [time_s - index * pace_s for index, time_s in enumerate(times_s)]
            yield from ((time_s - min(begun_s)) * 1000 for time_s in begun_s)


async def talk(callers: Sequence[Caller], num_frames: int, phases: int) -> None:
    """Feed and hear all, every 20 ms; they begin one frame after the other, as their messages go."""
    cycle = microphone()
    groups = [callers[phase::phases] for phase in range(phases)]
    models: list[AzureVoiceLive] = []
    talking: list[Caller] = []
    pacer = Pacer.of_running_loop()
    start_s = pacer.time()
    for tick in range(num_frames):
        await pacer.sleep_until(start_s + tick * FRAME_S)
        if tick < phases:
            talking += groups[tick]
            models = [caller.model for caller in talking]
        feed_many(models, [caller.next_frame(cycle) for caller in talking])
        read_many([model.playback for model in models], 480)


async def watch(arrivals: Sequence[Arrivals]) -> None:
    pacer = Pacer.of_running_loop()
    while True:
        now_s = pacer.time()
        for one in arrivals:
            one.look(now_s)
        await pacer.sleep_until(now_s + _LOOK_S)


async def run(options: argparse.Namespace, service: RunningSimulator, reply_frames: int) -> bool:
    """The whole conversation; prints its figures and tells whether all is as it should be."""
    callers = [
        Caller(
            AzureVoiceLive(
                model="gpt-realtime",
                endpoint=service.endpoint,
                api_key=service.api_key,
                chunk_ms=options.message_ms,
            ),
            index * 7919 % CYCLE_FRAMES,
            options.questions,
        )
        for index in range(options.sessions)
    ]
    limit = asyncio.Semaphore(_CONNECTS_AT_ONCE)

    async def connect(caller: Caller) -> None:
        async with limit:
            await caller.model.connect()

    await asyncio.gather(*map(connect, callers))
    arrivals = [Arrivals(caller) for caller in callers[::_WATCHED_ONE_IN]]
    watching = asyncio.create_task(watch(arrivals))
    begun = (time.monotonic(), service.cpu_s(), time.process_time())
    num_frames = (options.questions + 1) * CYCLE_FRAMES
    await talk(callers, num_frames, options.message_ms // 20)
    ended = (time.monotonic(), service.cpu_s(), time.process_time())
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    is_good = report(options, callers, arrivals, reply_frames, begun, ended)
    await asyncio.gather(*(caller.model.aclose() for caller in callers))
    return is_good


def report(
    options: argparse.Namespace,
    callers: Sequence[Caller],
    arrivals: Sequence[Arrivals],
    reply_frames: int,
    begun: tuple[float, float, float],
    ended: tuple[float, float, float],
) -> bool:
    """Print what came of it."""
    elapsed_s, service_s, client_s = (
        after - before for before, after in zip(begun, ended, strict=True)
    )
    per_session = 1000 / elapsed_s / options.sessions
    stats = [caller.model.stats() for caller in callers]
    num_replies = sum(caller.num_replies for caller in callers)
    whole = options.questions * reply_frames
    num_whole = sum(one["playback"]["written_frames"] == whole for one in stats)
    dropped_ms = sum(one["audio_dropped_ms"] for one in stats)
    underruns = sum(one["playback"]["underruns"] for one in stats)
    errors = [error for caller in callers for error in caller.errors]
    late_ms = sorted(late for one in arrivals for late in one.lateness_ms(reply_frames))
    p50_ms, p99_ms = (late_ms[int(len(late_ms) * share)] for share in (0.5, 0.99))
    print(
        f"{options.sessions} sessions, {options.message_ms} ms a message, {elapsed_s:.0f} s, "
        f"processes of the simulator: {options.processes}\n"
        f"CPU, ms per session and second: simulator {service_s * per_session:.2f}, "
        f"client {client_s * per_session:.2f}\n"
        f"replies: {num_replies} of {options.sessions * options.questions}; "
        f"all audio of them in {num_whole} sessions; underruns: {underruns}\n"
        f"audio dropped before it was sent: {dropped_ms} ms; errors: {errors[:3]}\n"
        f"lateness of {len(late_ms)} deltas, ms: p50 {p50_ms:.1f}, p99 {p99_ms:.1f}, max {late_ms[-1]:.1f}"
    )
    return (
        num_replies == options.sessions * options.questions
        and num_whole == options.sessions
        and not (dropped_ms or underruns or errors)
        and p99_ms <= ON_TIME_MS
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=5)
    parser.add_argument("--message-ms", type=int, default=60, choices=(20, 40, 60, 80, 100))
    parser.add_argument("--processes", type=int, default=1, help="of the simulator")
    options = parser.parse_args()
    raise_descriptors(2 * options.sessions + 100)
    with tempfile.TemporaryDirectory() as name:
        reply = Path(name) / "reply.wav"
        reply_frames = write_reply(reply)
        with simulator(Path(name), reply, options.processes) as service:
            sys.exit(0 if asyncio.run(run(options, service, reply_frames)) else 1)


if __name__ == "__main__":
    main()
