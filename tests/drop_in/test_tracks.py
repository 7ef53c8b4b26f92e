"""The room's other tracks: one that mixes music in, one that feeds an avatar."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import IS_1, Agent, call, sent, tone

from session_talk import ENDLESS
from support import TIMEOUT_S
from voicelane.simulator import Simulator

if not IS_1:
    pytest.skip("0.x makes them only for a room", allow_module_level=True)

from videosdk.agents.room.output_stream import (
    TeeCustomAudioStreamTrack,
    TeeMixingCustomAudioStreamTrack,
)

MUSIC_LEVEL = 300.0


def music(folder: Path, seconds: float) -> str:
    path = folder / "music.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        quiet = np.frombuffer(tone(seconds, 24_000, 1), np.int16) * (MUSIC_LEVEL / 6_000)
        file.writeframes(quiet.astype(np.int16).tobytes())
    return str(path)


async def test_the_agent_is_heard_over_music_and_barge_ins_silence_it(tmp_path: Path) -> None:
    agent = Agent()
    async with (
        Simulator(audio_speed=8, replies=[ENDLESS]) as sim,
        call(sim, agent=agent, track=TeeMixingCustomAudioStreamTrack) as one,
    ):
        await agent.play_background_audio(music(tmp_path, 30.0))
        await one.until(lambda: max(one.levels[-5:], default=0) > MUSIC_LEVEL / 3, "music")
        handle = await one.session.say("Welcome.")
        for _ in range(2):
            await one.until(lambda: max(one.levels[-5:]) > 5 * MUSIC_LEVEL, "speaks over it")
            await one.is_silenced(3 * MUSIC_LEVEL)
            assert handle.interrupted
        truncated = [event["audio_end_ms"] for event in sent(sim, "conversation.item.truncate")]
        assert len(truncated) == 2
        assert all(0 < told_ms <= 20 * len(one.levels) for told_ms in truncated)
        await agent.stop_background_audio()
        assert one.errors == []


async def test_an_avatar_gets_the_speech_and_the_room_silence() -> None:
    seen = bytearray()

    async def avatar(pcm: bytes) -> None:
        seen.extend(pcm)

    def track(loop: Any) -> TeeCustomAudioStreamTrack:
        return TeeCustomAudioStreamTrack(loop, sinks=[avatar])

    async with Simulator(audio_speed=8) as sim, call(sim, track=track) as one:
        handle = await one.session.say("Welcome.")
        async with asyncio.timeout(TIMEOUT_S):
            await handle
        assert len(seen) > 24_000 * 2  # over a second of speech
        assert np.abs(np.frombuffer(bytes(seen), np.int16)).max() > 1_000
        assert one.loud_frames == 0
        await one.until(lambda: one.states[-1] == "agent:idle", "idle")
        assert "agent:speaking" in one.states
