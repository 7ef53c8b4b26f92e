"""Pipelines of 1.x that hear, or speak, by another service: the model does the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import videosdk.agents as agents
from harness import IS_1, Agent, Call, model_for, sent

from voicelane.simulator import Simulator

if not IS_1:
    pytest.skip("0.x has no such pipelines", allow_module_level=True)

QUIET = 500  # of the other voice; the simulator's is louder


class OtherVoice(agents.TTS):
    """Says any text as 400 ms of a square wave."""

    def __init__(self) -> None:
        super().__init__(sample_rate=24_000)
        self.texts: list[str] = []

    async def synthesize(
        self, text: AsyncIterator[Any] | str, voice_id: str | None = None, **options: Any
    ) -> None:
        parts = [text] if isinstance(text, str) else [part async for part in text]
        self.texts.append("".join(part for part in parts if isinstance(part, str)))
        wave = np.tile(np.repeat(np.array([QUIET, -QUIET], np.int16), 24), 200)
        await self.audio_track.add_new_bytes(wave.tobytes())

    async def interrupt(self) -> None:
        self.audio_track.interrupt()


class OtherEar(agents.STT):
    """Takes a second of audio for a question."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0

    async def process_audio(
        self, audio_frames: bytes, language: str | None = None, **options: Any
    ) -> None:
        self.frames += 1
        if self.frames == 50:
            said = agents.SpeechData(text="What time is it?", confidence=1.0)
            await self._transcript_callback(
                agents.STTResponse(event_type=agents.SpeechEventType.FINAL, data=said)
            )


async def test_another_voice_says_what_the_model_answers() -> None:
    voice = OtherVoice()
    async with Simulator(audio_speed=8) as sim:
        one = Call(model_for(sim), Agent())
        await one.start(tts=voice)
        listener = asyncio.create_task(one.listen())
        await one.speak(0.6)
        await one.silence(0.5)
        await one.until(lambda: one.loud_frames >= 19, "heard")
        answers = [
            said["text"] for said in one.said if said["role"] == "agent" and said["is_final"]
        ]
        assert voice.texts == answers
        assert max(one.levels) < 1.1 * QUIET  # the model's own voice is not heard
        assert one.errors == []
        await one.session.close()
        listener.cancel()


async def test_the_model_answers_what_another_ear_has_heard() -> None:
    async with Simulator(audio_speed=8) as sim:
        one = Call(model_for(sim), Agent())
        await one.start(stt=OtherEar())
        listener = asyncio.create_task(one.listen())
        await one.speak(1.2)
        await one.until(lambda: one.loud_frames > 20, "heard")
        (item,) = (event["item"] for event in sent(sim, "conversation.item.create"))
        assert item["role"] == "user"
        assert item["content"] == [{"type": "input_text", "text": "What time is it?"}]
        assert sim.connections[0].audio_bytes == 0
        assert one.errors == []
        await one.session.close()
        listener.cancel()
