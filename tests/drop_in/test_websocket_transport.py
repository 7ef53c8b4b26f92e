"""The websocket transport of 1.x: a client of its own in the place of a room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
import videosdk.agents as agents
from harness import IS_1, in_room, model_for, voice

from ports import reserved_port
from session_talk import ENDLESS
from support import TIMEOUT_S, reply_pcm, until
from voicelane.simulator import Reply, Simulator
from voicelane.videosdk import AzureVoiceLive

if not IS_1:
    pytest.skip("0.x has another one", allow_module_level=True)

from videosdk.agents.room.output_stream import CustomAudioStreamTrack
from websockets.asyncio.client import ClientConnection, connect


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


async def test_audio_goes_both_ways_before_and_after_a_barge_in(port: int) -> None:
    options = agents.RoomOptions(
        transport_mode="websocket",
        websocket=agents.WebSocketConfig(port=port),
        playground=False,
    )
    replies = [ENDLESS, ENDLESS, Reply("Yes?", reply_pcm(1)), Reply("Goodbye.", reply_pcm(2))]
    async with Simulator(audio_speed=8, replies=replies) as sim:
        model = model_for(sim)
        async with in_room(model, options) as session:
            assert isinstance(model.audio_track, CustomAudioStreamTrack)
            async with connect(f"ws://127.0.0.1:{port}/ws") as client:
                await converse(client, session, model)


async def converse(
    client: ClientConnection, session: agents.AgentSession, model: AzureVoiceLive
) -> None:
    heard = [0]
    interrupts = []

    async def listen() -> None:
        async for message in client:
            if isinstance(message, bytes):
                heard[0] += len(message)
            else:
                interrupts.append(json.loads(message))

    listener = asyncio.create_task(listen())
    try:
        for turn in range(3):
            before, cuts = heard[0], len(interrupts)
            words = voice(0.6, 48_000, 2)
            for start in range(0, len(words), 3840):
                await client.send(words[start : start + 3840])
                await asyncio.sleep(0.005)
            if turn:
                await until(lambda cuts=cuts: len(interrupts) > cuts)
            for _ in range(25):
                await client.send(bytes(3840))
                await asyncio.sleep(0.005)
            await until(lambda before=before: heard[0] - before > 48_000)
        handle = await session.say("Goodbye.")
        async with asyncio.timeout(TIMEOUT_S):
            await handle
        assert model.audio_track.frame_buffer == []
    finally:
        listener.cancel()
