"""An avatar that brings the track of the room: the agent's own one is read by nobody."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
import videosdk.agents as agents
from harness import IS_1, Agent, model_for, sent, voice

from support import TIMEOUT_S, until
from voicelane.simulator import Simulator

if not IS_1:
    pytest.skip("it is built of the room of 1.x", allow_module_level=True)

from videosdk.agents.job import _set_current_job_context
from videosdk.agents.room.output_stream import TeeCustomAudioStreamTrack


class Avatar:
    """As Simli's and Anam's: hears what the agent says, and speaks it on a track of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.audio_track = agents.CustomAudioStreamTrack(loop)
        self.heard = bytearray()
        self.interrupts = 0

    async def handle_audio_input(self, pcm: bytes) -> None:
        self.heard += pcm

    async def interrupt(self) -> None:
        self.interrupts += 1


async def test_say_ends_and_a_barge_in_cuts_at_what_was_spoken_by_then() -> None:
    loop = asyncio.get_running_loop()
    avatar = Avatar(loop)
    # The two tracks as a room has them with an avatar.
    track = TeeCustomAudioStreamTrack(loop, sinks=[avatar])
    room = SimpleNamespace(audio_track=avatar.audio_track, agent_audio_track=track)
    async with Simulator(audio_speed=8) as sim:
        model = model_for(sim)
        pipeline = agents.Pipeline(llm=model, avatar=avatar)
        session = agents.AgentSession(agent=Agent(), pipeline=pipeline)
        context = agents.JobContext(room_options=agents.RoomOptions(join_meeting=False))
        _set_current_job_context(context)
        try:
            context.room = room
            pipeline._set_loop_and_audio_track(loop, room.audio_track)
            await session.start()
            assert model.audio_track is track
            started_s = loop.time()
            async with asyncio.timeout(TIMEOUT_S):
                await (await session.say("Welcome."))
            spoken_s = len(avatar.heard) / 48_000
            assert np.abs(np.frombuffer(bytes(avatar.heard), np.int16)).max() > 1_000
            assert spoken_s - 0.1 < loop.time() - started_s
            assert track.frame_buffer == []
            handle = await session.say("A long welcome.")
            before = len(avatar.heard)
            await until(lambda: len(avatar.heard) > before + 24_000)
            words = voice(0.6, 48_000, 2)
            for start in range(0, len(words), 3840):
                await pipeline.on_audio_delta(words[start : start + 3840])
            await until(lambda: bool(avatar.interrupts))
            await until(lambda: len(sent(sim, "conversation.item.truncate")) == 1)
            assert handle.interrupted
        finally:
            await session.close()
            _set_current_job_context(None)
