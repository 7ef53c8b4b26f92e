"""A barge-in on one axis of time: docs/img/barge-in.svg, by `python benches/plot_barge_in.py`.

Everything in it was measured in one run: a session against the simulator, a recorded interruption for a
microphone, the session's own track for a speaker.
"""

from __future__ import annotations

import asyncio
import time
import wave
from array import array
from dataclasses import dataclass, field
from pathlib import Path

from voicelane import AzureVoiceLive, PlaybackTrack
from voicelane.simulator import Simulator

ROOT = Path(__file__).parent.parent
RECORDING = ROOT / "examples/audio/barge-in-48k-mono.wav"
PICTURE = ROOT / "docs/img/barge-in.svg"
SPEAKS_UP_AFTER_S = 1.2
PHRASE_BEGINS_S = 2.0  # before it, the recording has one word, too short for a turn
FRAME_S = 0.02
LOUD = 600  # of 32767: what of the recording is speech

WIDTH, HEIGHT = 880, 372
LEFT, RIGHT = 116, 24
LANES = {"microphone": 92, "service": 172, "speaker": 252}
LANE_HEIGHT = 44


@dataclass
class Run:
    """What was seen, in seconds since the agent was first heard.

    Attributes:
        spoken: when each 20 ms of the microphone were given, and their peak.
        received: when the received audio came to so many milliseconds.
        heard: when each 20 ms of the speaker were taken, and their peak.
        moments: when each named thing happened.
        truncated_ms: what the service was told to have been heard.
    """

    spoken: list[tuple[float, int]] = field(default_factory=list)
    received: list[tuple[float, float]] = field(default_factory=list)
    heard: list[tuple[float, int]] = field(default_factory=list)
    moments: dict[str, float] = field(default_factory=dict)
    truncated_ms: int = 0

    def now(self, name: str) -> None:
        self.moments.setdefault(name, time.monotonic())

    def since(self, start_s: float) -> None:
        """Makes `start_s` the zero of all times."""
        for series in (self.spoken, self.received, self.heard):
            series[:] = [(at_s - start_s, value) for at_s, value in series]
        self.moments = {name: at_s - start_s for name, at_s in self.moments.items()}


def peak(pcm: bytes) -> int:
    return max(map(abs, array("h", pcm)), default=0)


async def listen(model: AzureVoiceLive, run: Run) -> None:
    stats = model.playback.stats
    while True:
        level = peak(await model.audio_track.recv())
        now_s = time.monotonic()
        run.heard.append((now_s, level))
        run.received.append((now_s, stats()["written_frames"] / 24))
        if level:
            run.now("first heard")


async def speak_up(model: AzureVoiceLive, run: Run) -> None:
    """The recording from a phrase's first loud frame on; before and after it, silence."""
    with wave.open(str(RECORDING)) as file:
        file.setpos(round(PHRASE_BEGINS_S * file.getframerate()))
        frames = [file.readframes(960) for _ in range((file.getnframes() - file.tell()) // 960)]
    first = next(index for index, pcm in enumerate(frames) if peak(pcm) > LOUD)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    number = -round(SPEAKS_UP_AFTER_S / FRAME_S)
    while True:
        pcm = frames[first + number] if 0 <= number < len(frames) - first else bytes(1920)
        await model.handle_audio_input(pcm)
        run.spoken.append((time.monotonic(), peak(pcm)))
        if number == 0:
            run.now("the user speaks up")
        number += 1
        due_s += FRAME_S
        await asyncio.sleep(due_s - loop.time())


async def measure() -> Run:
    run = Run()
    async with Simulator() as simulator:
        account = {"endpoint": simulator.endpoint, "api_key": simulator.api_key}
        model = AzureVoiceLive(model="gpt-realtime", input_channels=1, **account)
        heard, interrupted = asyncio.Event(), asyncio.Event()
        model.on("agent_speech_started", heard.set)
        model.on("user_speech_started", lambda: run.now("speech_started"))
        model.on("playback_interrupted", interrupted.set)
        model.audio_track = PlaybackTrack(model.playback, frame_type="bytes")
        async with model, asyncio.TaskGroup() as tasks:
            speaker = tasks.create_task(listen(model, run))
            reply = await model.send_text_message("Tell me a story.")
            await heard.wait()
            microphone = tasks.create_task(speak_up(model, run))
            await interrupted.wait()
            await reply
            await asyncio.sleep(1.2)  # to be seen: silence
            microphone.cancel()
            speaker.cancel()
        told = {event["type"]: event for event in simulator.connections[0].received}
    run.truncated_ms = told["conversation.item.truncate"]["audio_end_ms"]
    run.since(run.moments["first heard"])
    spoken_up_s = run.moments["the user speaks up"]
    run.moments["silence"] = next(
        at_s for at_s, level in run.heard if at_s > spoken_up_s + 0.02 and not level
    )
    return run


# --- the picture -----------------------------------------------------------------------------------

STYLE = """
:root{--paper:#ffffff;--ink:#20242c;--soft:#5c6370;--line:#c9ced6;--user:#2f6fb5;--agent:#c8622a;--lost:#f0c9b2}
@media (prefers-color-scheme:dark){:root{--paper:#1c2027;--ink:#eceff4;--soft:#a4adba;--line:#454c58;
--user:#78b1ec;--agent:#ef9a66;--lost:#6e452e}}
text{font:13px system-ui,sans-serif;fill:var(--ink)}.soft{fill:var(--soft);font-size:12px}
.title{font-size:15px;font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}
.axis,.mark{stroke:var(--line)}.mark{stroke:var(--ink);stroke-dasharray:3 3}
.user{fill:var(--user)}.agent{fill:var(--agent)}.lost{fill:var(--lost)}"""


class Picture:
    """An SVG in pieces, over an axis of seconds."""

    def __init__(self, end_s: float) -> None:
        self.pieces: list[str] = []
        self._scale = (WIDTH - LEFT - RIGHT) / end_s

    def x(self, at_s: float) -> float:
        return LEFT + at_s * self._scale

    def text(self, x: float, y: float, text: str, kind: str = "") -> None:
        self.pieces.append(f'<text x="{x:.1f}" y="{y}" class="{kind}">{text}</text>')

    def bars(self, series: list[tuple[float, int]], middle: int, kind: str) -> None:
        """A sound, as its peaks."""
        loudest = max(level for _, level in series) or 1
        width = FRAME_S * self._scale * 0.8
        for at_s, level in series:
            if level and self.x(at_s) > LEFT - 1:
                height = max(1.5, LANE_HEIGHT * level / loudest)
                self.rectangle(self.x(at_s), middle - height / 2, width, height, kind)

    def rectangle(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self.pieces.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>'
        )

    def area(self, heights: list[tuple[float, float]], base: float, kind: str) -> None:
        """What is between a line and its base."""
        ends = [(heights[0][0], 0.0), *heights, (heights[-1][0], 0.0)]
        points = " ".join(f"{self.x(at_s):.1f},{base - height:.1f}" for at_s, height in ends)
        self.pieces.append(f'<polygon points="{points}" class="{kind}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.pieces.append(
            f'<line x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}" class="{kind}"/>'
        )

    def svg(self, title: str) -> str:
        body = "\n".join(self.pieces)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style>\n"
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" style="fill:var(--paper)"/>\n{body}\n</svg>\n'
        )


def draw(run: Run) -> str:
    end_s = run.heard[-1][0]
    picture = Picture(end_s)
    speaks_s, told_s, silent_s = (
        run.moments[name] for name in ("the user speaks up", "speech_started", "silence")
    )
    picture.text(20, 32, "A barge-in, as it was measured", "title")
    for name, middle in LANES.items():
        picture.text(LEFT - 12, middle + 4, name, "end")
        picture.line(LEFT, middle, WIDTH - RIGHT, middle, "axis")

    picture.bars(run.spoken, LANES["microphone"], "user")
    draw_received(picture, run, silent_s)
    picture.bars(run.heard, LANES["speaker"], "agent")

    for at_s in (speaks_s, told_s, silent_s):
        picture.line(picture.x(at_s), 58, picture.x(at_s), 296, "mark")
    picture.text(picture.x(speaks_s) - 4, 54, "the user speaks up", "soft end")
    picture.text(
        picture.x(told_s) + 4, 54, f"the service notices: {ms(told_s - speaks_s)} later", "soft"
    )
    picture.text(
        picture.x(silent_s) + 6, 292, f"silence: {ms(silent_s - told_s)} after that, faded", "soft"
    )

    picture.line(LEFT, 316, WIDTH - RIGHT, 316, "axis")
    for half in range(int(end_s * 2) + 1):
        picture.text(picture.x(half / 2), 333, f"{half / 2:g} s", "soft middle")
    received_ms = max(value for _, value in run.received)
    picture.text(
        20,
        358,
        f"The service is told: heard were {run.truncated_ms} ms of the {received_ms:.0f} ms that it had "
        "sent. The rest is forgotten on both sides.",
    )
    return picture.svg("What microphone, service and speaker do when the user interrupts")


def draw_received(picture: Picture, run: Run, silent_s: float) -> None:
    """How much had come, and how much of that was heard, until the rest was dropped."""
    base = LANES["service"] + LANE_HEIGHT / 2
    scale = LANE_HEIGHT / max(value for _, value in run.received)
    received = [(at_s, value) for at_s, value in run.received if 0 <= at_s < silent_s]
    picture.area([(at_s, value * scale) for at_s, value in received], base, "lost")
    picture.area([(at_s, 1000 * at_s * scale) for at_s, _ in received], base, "agent")
    x = picture.x(silent_s) + 6
    picture.text(x, base - LANE_HEIGHT + 10, "received: not heard yet (pale)", "soft")
    picture.text(x, base - 6, "and heard (full)", "soft")


def ms(duration_s: float) -> str:
    return f"{1000 * duration_s:.0f} ms"


def main() -> None:
    run = asyncio.run(measure())
    PICTURE.write_text(draw(run), encoding="utf-8")
    for name, at_s in sorted(run.moments.items(), key=lambda moment: moment[1]):
        print(f"{at_s:7.3f} s  {name}")
    print(f"truncated at {run.truncated_ms} ms")


if __name__ == "__main__":
    main()
