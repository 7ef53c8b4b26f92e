"""One call that feeds many sessions."""

from __future__ import annotations

import asyncio

import pytest

from support import EventLog, until
from voicelane import AzureVoiceLive, PlaybackBuffer, feed_many, read_many
from voicelane.simulator import Simulator

FRAME = bytes(range(256)) * 15  # 20 ms of 48 kHz stereo


def session(sim: Simulator) -> AzureVoiceLive:
    return AzureVoiceLive(model="m", endpoint=sim.endpoint, api_key=sim.api_key)


async def test_every_session_gets_its_own_and_all_of_it() -> None:
    async with Simulator() as sim:
        models = [session(sim) for _ in range(5)]
        await asyncio.gather(*(model.connect() for model in models))
        for frame in range(10):
            feed_many(models, [FRAME[4 * index :] + bytes(4 * index) for index in range(5)])
            assert len(read_many([model.playback for model in models], 480)) == 5, frame
        await asyncio.gather(*(model.flush_audio() for model in models))
        await until(lambda: all(one.audio_bytes == 9_600 for one in sim.connections))
        # The same as each would have been sent alone.
        alone = session(sim)
        async with alone:
            for _ in range(10):
                await alone.handle_audio_input(FRAME)
            await alone.flush_audio()
            await until(lambda: sim.connections[5].audio_bytes == 9_600)
        heard = {bytes(connection.audio) for connection in sim.connections}
        assert len(heard) == 5, "five different microphones, the first of them twice"
        await asyncio.gather(*(model.aclose() for model in models))


async def test_what_is_wrong_with_one_keeps_none_of_the_others_from_theirs() -> None:
    async with Simulator() as sim:
        models = [session(sim) for _ in range(3)]
        logs = [EventLog(model) for model in models]
        await asyncio.gather(*(model.connect() for model in models))
        feed_many(models, [FRAME, FRAME[:-1], FRAME])
        assert [len(log.all("error")) for log in logs] == [0, 1, 0]
        assert "whole number of frames" in logs[1].all("error")[0]
        await asyncio.gather(*(model.flush_audio() for model in models))
        assert [model.stats()["audio_sent_ms"] for model in models] == [20, 0, 20]
        await asyncio.gather(*(model.aclose() for model in models))


async def test_closed_sessions_are_passed_over() -> None:
    async with Simulator() as sim:
        closed, open_one = session(sim), session(sim)
        async with open_one:
            feed_many([closed, open_one], [FRAME, FRAME])
            await open_one.flush_audio()
            assert [one.stats()["audio_sent_ms"] for one in (closed, open_one)] == [0, 20]


async def test_as_many_buffers_as_sessions() -> None:
    async with Simulator() as sim, session(sim) as model:
        with pytest.raises(ValueError, match="as many buffers as sessions, 1, got 2"):
            feed_many([model], [FRAME, FRAME])
        assert model.stats()["audio_in_ms"] == 0
        assert read_many([PlaybackBuffer(), model.playback], 2) == [bytes(4)] * 2
