"""A whole agent session of the installed VideoSDK Agents, without a room."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import videosdk.agents as agents

from support import TIMEOUT_S, speech
from voicelane import Resampler
from voicelane.simulator import Simulator
from voicelane.videosdk import AzureVoiceLive, AzureVoiceLiveConfig

IS_1 = not hasattr(agents, "realtime_metrics_collector")
FRAME_S = 0.02
# Where in the recording somebody speaks without a pause: 1.02 to 3.90 s of 48 kHz mono.
_WORDS = slice(2 * 48_960, 2 * 187_200)


class Agent(agents.Agent):
    def __init__(self, tools: Any = None, **options: Any) -> None:
        super().__init__(instructions="Be brief.", tools=tools or [], **options)

    async def on_enter(self) -> None:
        pass

    async def on_exit(self) -> None:
        pass


class Call:
    """One agent session whose user and listener are the test.

    Attributes:
        levels: of the frames that the listener was given.
        cuts: how many those were each time that the track was interrupted. Not by the clock: a machine that
            stood still lets the track catch up.
        states: what the session told, "agent:speaking" and the like.
    """

    def __init__(self, model: AzureVoiceLive, agent: Agent) -> None:
        self.model = model
        self.agent = agent
        self.levels: list[float] = []
        self.cuts: list[int] = []
        self.states: list[str] = []
        self.errors: list[Any] = []
        self.said: list[dict[str, Any]] = []
        self.track: Any = None
        self.session: Any = None
        self.pipeline: Any = None
        model.on("error", lambda error: self.errors.append(error))
        model.on("realtime_model_transcription", lambda said: self.said.append(said))

    async def start(self, *, with_room: bool = True, track: Any = None, **stages: Any) -> None:
        """`track` makes the room's; `stages` are other parts of a pipeline of 1.x."""
        loop = asyncio.get_running_loop()
        if IS_1:
            self.pipeline = agents.Pipeline(llm=self.model, **stages)
            self.session = agents.AgentSession(agent=self.agent, pipeline=self.pipeline)
            self.track = (track or agents.CustomAudioStreamTrack)(loop)
            self.pipeline._set_loop_and_audio_track(loop, self.track)
        else:
            self.pipeline = agents.RealTimePipeline(model=self.model)
            self.session = agents.AgentSession(agent=self.agent, pipeline=self.pipeline)
            self.pipeline.loop = loop
            self.model.loop = loop
            if with_room:  # what `_configure_components` does where there is one
                self.track = self.model.audio_track = agents.CustomAudioStreamTrack(loop)
        for who in ("agent", "user"):
            self.session.on(
                f"{who}_state_changed",
                lambda state, who=who: self.states.append(f"{who}:{state['state']}"),
            )
        await self.session.start()
        self.track = self.model.audio_track or self.track
        self._note_cuts()

    def _note_cuts(self) -> None:
        interrupt = self.track.interrupt

        def noted() -> None:
            self.cuts.append(len(self.levels))
            interrupt()

        self.track.interrupt = noted

    async def listen(self) -> None:
        while True:
            frame = await self.track.recv()
            samples = frame.to_ndarray().astype(float)
            self.levels.append(float(np.sqrt(np.mean(samples**2))))

    @property
    def loud_frames(self) -> int:
        return sum(level > 50 for level in self.levels)

    async def is_silenced(self, level: float = 50) -> int:
        """Talks into what the agent says until that is faded out. Gives how many frames were heard before."""
        num_cuts = len(self.cuts)
        talk = asyncio.create_task(self.speak(0.6))
        await self.until(lambda: len(self.cuts) > num_cuts, "barge-in")
        await talk
        at = self.cuts[num_cuts]
        await self.until(lambda: len(self.levels) >= at + 30, "600 ms")
        # The host fades for up to 400 ms.
        assert max(self.levels[at + 25 : at + 30]) < level, f"after {at} frames"
        await self.silence(0.5)
        return at

    async def speak(self, seconds: float, *, rate: int = 48_000, channels: int = 2) -> None:
        """The user speaks, in real time, and falls silent."""
        await self.feed(voice(seconds, rate, channels), rate, channels)

    async def silence(self, seconds: float, *, rate: int = 48_000, channels: int = 2) -> None:
        await self.feed(bytes(2 * channels * int(rate * seconds)), rate, channels)

    async def feed(self, pcm: bytes, rate: int, channels: int, pace: float = 0.25) -> None:
        frame = int(rate * FRAME_S) * channels * 2
        for start in range(0, len(pcm), frame):
            await self.pipeline.on_audio_delta(pcm[start : start + frame])
            await asyncio.sleep(FRAME_S * pace)

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"never: {what}; {self.states} {self.errors}") from None


def sent(sim: Simulator, kind: str) -> list[Any]:
    return [event for event in sim.connections[0].received if event["type"] == kind]


def voice(seconds: float, rate: int, channels: int) -> bytes:
    """Recorded words, over and over without a pause: the simulator takes no tone for speech."""
    pcm, recorded_hz, _ = speech("barge-in-48k-mono.wav")
    words = np.frombuffer(Resampler(recorded_hz, rate).process(pcm[_WORDS]), np.int16)
    return np.repeat(np.resize(words, int(seconds * rate)), channels).tobytes()


def tone(seconds: float, rate: int, channels: int) -> bytes:
    """220 Hz, which is nobody's speech."""
    t = np.arange(int(seconds * rate)) / rate
    wave = 9000 * np.sin(2 * math.pi * 220 * t) * (0.6 + 0.4 * np.sin(2 * math.pi * 4 * t))
    return np.repeat(wave.astype(np.int16), channels).tobytes()


def model_for(sim: Simulator, **options: Any) -> AzureVoiceLive:
    options.setdefault("model", "gpt-realtime")
    options.setdefault("config", AzureVoiceLiveConfig(turn_detection_silence_duration_ms=200))
    return AzureVoiceLive(endpoint=sim.endpoint, api_key=sim.api_key, **options)


@contextlib.asynccontextmanager
async def call(
    sim: Simulator,
    *,
    tools: Any = None,
    agent: Agent | None = None,
    with_room: bool = True,
    track: Any = None,
    **options: Any,
) -> AsyncIterator[Call]:
    one = Call(model_for(sim, **options), agent or Agent(tools))
    await one.start(with_room=with_room, track=track)
    listener = asyncio.create_task(one.listen())
    try:
        yield one
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        await one.session.close()


@contextlib.asynccontextmanager
async def in_room(model: AzureVoiceLive, options: Any) -> AsyncIterator[Any]:
    """An agent session of 1.x in a room of these options, or in what stands for one."""
    from videosdk.agents.job import _set_current_job_context

    session = agents.AgentSession(agent=Agent(), pipeline=agents.Pipeline(llm=model))
    context = agents.JobContext(room_options=options)
    _set_current_job_context(context)
    context._set_pipeline_internal(session.pipeline)
    try:
        await context.connect()
        await session.start()
        yield session
    finally:
        await session.close()
        await context.room.cleanup()
        _set_current_job_context(None)
