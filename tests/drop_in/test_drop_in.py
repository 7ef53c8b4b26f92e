"""What others read, write and call on the model."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import traceback
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
import videosdk.agents as agents
from harness import IS_1, Agent, call, model_for, sent, tone

import voicelane.videosdk
from public_names import unexplained
from support import TIMEOUT_S, reply_pcm, until
from voicelane import PlaybackBuffer
from voicelane.reconnect import ReconnectPolicy
from voicelane.simulator import Reply, Simulator
from voicelane.simulator.faults import Faults
from voicelane.videosdk import AgentAudioTrack, AzureVoiceLive
from voicelane.videosdk.room import TrackPlayback

SECRET = "a-key-that-must-not-show"


def test_it_is_a_realtime_model_whose_public_attributes_hold_no_secret() -> None:
    model = AzureVoiceLive(api_key=SECRET, model="gpt-realtime")
    assert isinstance(model, agents.RealtimeBaseModel)
    public = {name: value for name, value in vars(model).items() if not name.startswith("_")}
    assert set(public) <= {"loop", "current_utterance"}
    assert SECRET not in repr(public)
    assert model.model == "gpt-realtime"
    assert model.audio_track is None
    assert not model.session_ready


def test_an_argument_that_is_refused_shows_no_key() -> None:
    with pytest.raises(ValueError, match="chunk_ms") as caught:
        AzureVoiceLive(model="m", api_key=SECRET, chunk_ms=0)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert SECRET not in "".join(told.format())


def test_every_public_name_is_explained() -> None:
    assert list(unexplained(voicelane.videosdk)) == []


def test_the_missing_model_is_named() -> None:
    with pytest.raises(TypeError, match="'model'"):
        AzureVoiceLive(api_key=SECRET)  # type: ignore[call-arg]


async def test_a_track_that_takes_nothing_is_given_ten_minutes_and_no_more() -> None:
    class Stuck:
        async def add_new_bytes(self, _pcm: bytes) -> None:
            await asyncio.Event().wait()

    audio = base64.b64encode(bytes(10 * 48_000)).decode()
    event = {"type": "response.audio.delta", "response_id": "r", "item_id": "i", "delta": audio}
    playback = TrackPlayback(PlaybackBuffer(), Stuck(), 24_000)
    for _ in range(62):
        playback.write_event(json.dumps(event))
    assert playback.buffered_ms <= 600_000
    assert playback.stats()["overrun_frames"] >= 24_000 * 20
    await playback.close()


async def test_two_legs_of_8_and_48_khz_do_not_disturb_each_other() -> None:
    async with Simulator() as sim, call(sim) as phone, call(sim) as web:
        for _ in range(50):  # frame by frame in turn, as two calls of one process
            await phone.pipeline.on_audio_delta(bytes(320))
            await web.pipeline.on_audio_delta(bytes(3840))
            await asyncio.sleep(0.002)
        # One second of 24 kHz each, less what the filter holds.
        for index in range(2):
            record = sim.connections[index]
            await until(lambda record=record: record.audio_bytes >= 46_000)
            assert abs(record.audio_bytes - 48_000) <= 960
        assert phone.model.input_sample_rate == 8_000
        assert web.model.input_sample_rate == 48_000


async def test_a_given_format_is_not_learned() -> None:
    async with Simulator() as sim:
        model = model_for(sim, input_sample_rate_hz=16_000, input_channels=2)
        await model.connect()
        for _ in range(50):
            await model.handle_audio_input(bytes(320))  # 5 ms each
        await until(lambda: sim.connections[0].audio_bytes >= 11_000)
        assert model.input_sample_rate == 16_000
        await model.aclose()


async def test_bad_input_is_an_error_event_and_raises_nothing() -> None:
    async with Simulator() as sim, call(sim) as one:
        await one.pipeline.on_audio_delta(bytes(3840))
        await one.pipeline.on_audio_delta(b"\0")
        await one.pipeline.on_audio_delta(None)
        assert len(one.errors) == 2
        assert all("Error processing audio input: " in error for error in one.errors)


async def test_what_must_not_be_interrupted_is_not() -> None:
    async with Simulator(audio_speed=8) as sim, call(sim) as one:
        handle = await one.session.say("Every word of it.", interruptible=False)
        await one.until(lambda: one.loud_frames > 10, "speaks")
        before = sim.connections[0].audio_bytes
        await one.speak(0.4)
        await one.model.interrupt()
        assert sim.connections[0].audio_bytes == before
        async with asyncio.timeout(TIMEOUT_S):
            await handle
        assert not handle.interrupted
        assert not sent(sim, "conversation.item.truncate")
        assert "user:speaking" not in one.states


async def test_an_interrupt_of_the_host_ends_what_is_said() -> None:
    async with Simulator(audio_speed=1) as sim, call(sim) as one:
        handle = await one.session.say("A long welcome.")
        await one.until(lambda: one.loud_frames > 10, "speaks")
        one.session.interrupt()
        await one.until(lambda: one.states[-1] == "agent:idle", "idle")
        assert handle.interrupted
        at = one.cuts[0]
        await one.until(lambda: len(one.levels) >= at + 30, "600 ms")
        assert max(one.levels[at + 25 :]) < 50
        assert len(sent(sim, "response.cancel")) == 1
        assert len(sent(sim, "conversation.item.truncate")) == 1
        assert one.errors == []


async def test_the_agents_context_is_told_at_connect() -> None:
    async with Simulator() as sim:
        agent = Agent()
        agent.chat_context.add_message(role=agents.ChatRole.USER, content="My order is 4711.")
        model = model_for(sim)
        model.set_agent(agent)
        await model.connect()
        told = sent(sim, "session.update")[0]["session"]["instructions"]
        assert told.startswith("Be brief.")
        assert ("4711" in told) == IS_1
        await model.aclose()


async def test_images_are_said_with_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
    async with Simulator(audio_speed=8) as sim, call(sim) as one:
        await one.model.handle_video_input(frame)
        monkeypatch.setattr("voicelane.videosdk.model._VIDEO_INTERVAL_S", math.inf)
        await one.model.handle_video_input(frame)  # too soon
        async with asyncio.timeout(TIMEOUT_S):
            await one.session.reply("What do you see?", frames=[frame])
        items = [event["item"]["content"] for event in sent(sim, "conversation.item.create")]
        assert [[part["type"] for part in content] for content in items] == [
            ["input_image"],
            ["input_image", "input_text"],
        ]
        assert items[0][0]["image_url"].startswith("data:image/jpeg;base64,/9j/")


async def test_usage_reaches_the_metrics() -> None:
    if not IS_1:
        pytest.skip("0.x has no place for it")
    from videosdk.agents.metrics import metrics_collector

    async with Simulator(audio_speed=8) as sim, call(sim) as one:
        one.model.on("response_done", lambda done: usages.append(done["usage"]))
        usages: list[dict[str, int]] = []
        taken: list[dict[str, int]] = []
        one.model._host._metrics = Recorder(metrics_collector, "set_realtime_usage", taken)
        await one.session.reply("Hello.")
        assert taken[0]["total_tokens"] == usages[0]["total_tokens"] > 0


class Recorder:
    def __init__(self, of: object, name: str, calls: list) -> None:
        self._of, self._name, self._calls = of, name, calls

    def __getattr__(self, name: str) -> object:
        return self._calls.append if name == self._name else getattr(self._of, name)


async def test_a_server_that_closes_in_mid_turn_is_told_once() -> None:
    faults = Faults(close_after_deltas=3)
    never = ReconnectPolicy(max_attempts=0)
    async with Simulator(faults=faults) as sim, call(sim, reconnect=never) as one:
        handle = await one.session.say("This will not be said to its end.")
        await one.until(lambda: bool(one.errors), "told")
        for _ in range(100):
            await one.pipeline.on_audio_delta(bytes(3840))
        async with asyncio.timeout(TIMEOUT_S):
            await handle
        assert len(one.errors) == 1
        assert not one.model.session_ready


async def test_close_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    async with Simulator() as sim:
        async with call(sim) as one:
            handle = await one.session.say("Cut short.")
            await one.until(lambda: one.loud_frames > 5, "speaks")
            track = one.track
        assert handle.done()
        assert track.readyState == "live"
        model = one.model
        await model.aclose()
        await model.handle_audio_input(bytes(3840))

    def left() -> list[str]:
        names = [task.get_name() for task in asyncio.all_tasks() - before]
        return [name for name in names if name.startswith(("voicelane", "azure"))]

    await until(lambda: left() == [])


async def test_a_model_without_a_room_makes_its_own_track() -> None:
    async with Simulator(audio_speed=8) as sim:
        model = model_for(sim)
        await model.connect()
        assert isinstance(model.audio_track, AgentAudioTrack)
        assert isinstance(model.audio_track, agents.CustomAudioStreamTrack)
        ended = []
        model.on("agent_speech_ended", lambda data: ended.append(data))
        reply = await model.send_message("Hello.")
        frames = []
        while not reply.is_done and len(frames) < 500:
            frames.append(await model.audio_track.recv())
        steps = [after.pts - frame.pts for frame, after in pairwise(frames)]
        assert (frames[0].pts, min(steps)) == (0, 480)  # more, where the machine stood still
        assert {frame.time_base for frame in frames} == {Fraction(1, 24_000)}
        assert len(frames) > 20
        assert len(ended) == 1
        await model.aclose()


@pytest.mark.skipif(IS_1, reason="1.x always brings a track")
async def test_0_x_without_a_room_is_heard_on_the_models_track() -> None:
    async with Simulator(audio_speed=8) as sim, call(sim, with_room=False) as one:
        assert isinstance(one.track, AgentAudioTrack)
        handle = await one.session.say("Welcome.")
        async with asyncio.timeout(TIMEOUT_S):
            await handle
        assert one.loud_frames > 10


async def test_the_agents_own_track_keeps_the_contract() -> None:
    track = AgentAudioTrack(asyncio.get_running_loop())
    ended = asyncio.Event()

    async def on_end() -> None:
        ended.set()

    track.on_last_audio_byte(on_end)
    track.mark_synthesis_start()
    await track.add_new_bytes(tone(0.1, 24_000, 1)[:-480])  # 90 ms
    assert track.is_speaking
    frames = [await track.recv() for _ in range(2)]
    assert track.snapshot_playback() == (960, 2160)
    await track.pause()
    assert not (await track.recv()).to_ndarray().any()
    await track.resume()
    assert (await track.recv()).to_ndarray().any()
    track.mark_synthesis_complete()
    for _ in range(20):
        frames.append(await track.recv())
    assert ended.is_set()
    assert not track.is_speaking
    for _ in range(3):  # every interrupt, not only the first
        await track.add_new_bytes(tone(2.0, 24_000, 1))
        await track.recv()
        track.interrupt()
        for _ in range(21):
            await track.recv()
        assert not (await track.recv()).to_ndarray().any()
    track.enable_audio_input(manual_control=True)
    track.interrupt()
    await track.add_new_bytes(tone(0.1, 24_000, 1))
    assert not track.playback.buffered_ms
    await track.cleanup()
    with pytest.raises(Exception) as stopped:  # noqa: PT011 - each generation has it in another module
        await track.recv()
    assert stopped.typename == "MediaStreamError"


async def test_a_track_that_a_text_to_speech_left_at_its_rate_is_set_right() -> None:
    async with Simulator() as sim:
        model = model_for(sim)
        track = agents.CustomAudioStreamTrack(asyncio.get_running_loop())
        track.sample_rate, track.samples, track.chunk_size = 16_000, 320, 640
        model.loop, model.audio_track = track.loop, track
        await model.connect()
        assert (track.sample_rate, track.samples, track.chunk_size) == (24_000, 480, 960)
        await model.aclose()
        assert track.readyState == "live"


async def test_somebody_elses_interrupt_of_the_track_is_no_hearing() -> None:
    long = Reply("A long welcome.", 10 * reply_pcm(0))
    async with Simulator(audio_speed=math.inf, replies=[long]) as sim, call(sim) as one:
        await one.model.send_text_message("Hello.")
        await one.until(lambda: one.loud_frames > 15, "speaks")
        written = len(long.pcm) // 2
        await until(lambda: one.model.stats()["playback"]["written_frames"] >= written)
        one.track.interrupt()
        await one.until(lambda: one.states[-1] == "agent:idle", "idle")
        stats = one.model.stats()["playback"]
        assert stats["buffered_frames"] == 0
        if IS_1:  # 0.x does not tell what was played and what was dropped
            assert stats["played_frames"] <= 480 * (one.cuts[0] + 20), (
                "what was heard, and the fade"
            )


async def test_the_agents_own_track_takes_other_formats() -> None:
    track = AgentAudioTrack(asyncio.get_running_loop())
    track.set_input_format(48_000, 2)
    pcm = tone(0.2, 48_000, 2)
    for start in range(0, len(pcm), 999):  # cut within frames, and within samples
        await track.add_new_bytes(pcm[start : start + 999])
    assert abs(track.playback.buffered_ms - 200) < 3
    samples = np.concatenate([(await track.recv()).to_ndarray()[0] for _ in range(9)])
    crossings = np.count_nonzero(np.diff(np.signbit(samples)))
    assert abs(crossings - 2 * 220 * 0.18) <= 3
    track.set_input_format(24_000)
    track.interrupt()
    await track.add_new_bytes(bytes(960))
    assert track.playback.stats()["written_frames"] >= 4_800
