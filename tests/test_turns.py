"""Turns as the listener has them: what is told when it is heard, and what can be awaited."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from aiohttp import web

from clock import Clock
from session_talk import ENDLESS, model_for
from support import TIMEOUT_S, EventLog, read_all, reply_pcm, service, speak, speech, until
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, PlaybackBuffer, errors, events
from voicelane.metrics import Latency
from voicelane.play_head import POLL_S, PlayHeadWatch, Progress
from voicelane.simulator import Reply, Simulator, ToolCall


async def test_speech_begins_and_ends_when_it_is_heard() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        reply = await model.send_text_message("hello")
        await log.wait_for("response_done")
        assert (reply.status, reply.is_done) == ("completed", False)
        assert log.all("agent_speech_started") == []
        model.playback.read(480)
        await log.wait_for("agent_speech_started")
        assert model._agent_speaking
        assert log.all("agent_speech_ended") == []
        read_all(model)
        await log.wait_for("agent_speech_ended")
        assert not model._agent_speaking
        async with asyncio.timeout(TIMEOUT_S):
            assert await reply is reply
        assert reply.text == log.finals("agent")[0]
        assert reply.usage is not None
        assert reply.usage["total_tokens"] > 0


async def test_a_reply_that_is_cut_off_lets_go_at_once() -> None:
    async with Simulator(audio_speed=20, replies=[ENDLESS]) as sim, model_for(sim) as model:
        log = EventLog(model)
        reply = await model.send_text_message("hello")
        await log.hear(model, 100, of_ms=200)
        await log.wait_for("agent_speech_started")
        await model.interrupt()
        assert log.all("agent_speech_ended") == [{}]
        model.playback.read(480)
        async with asyncio.timeout(TIMEOUT_S):
            assert (await reply).status == "cancelled"
        assert model.stats()["silence"]["count"] == 1


async def test_a_reply_that_is_refused_raises_what_the_service_said() -> None:
    async def refuse(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        async for message in websocket:
            event = message.json()
            if event["type"] == "response.create":
                details = {"code": "quota", "message": "Enough.", "event_id": event["event_id"]}
                await websocket.send_json({"type": "error", "error": details})

    async with (
        service(refuse) as endpoint,
        AzureVoiceLive(model="m", endpoint=endpoint, api_key="key") as model,
    ):
        log = EventLog(model)
        reply = await model.send_text_message("more")
        with pytest.raises(errors.ServiceError, match=r"Enough\.") as caught:
            await reply
        assert caught.value.code == "quota"
        assert log.all("error") == [str(caught.value)]


async def test_push_to_talk_asks_only_when_committed() -> None:
    # Silence that ends a turn is a minute: the VAD finds no end by itself.
    config = AzureVoiceLiveConfig(turn_detection_silence_duration_ms=60_000)
    pcm, _, _ = speech("question-48k-stereo.wav")
    async with Simulator(audio_speed=1000) as sim, model_for(sim, config=config) as model:
        log = EventLog(model)
        await speak(model, pcm[: 3840 * 50], chunk_bytes=3840)
        await model.clear_audio()
        await speak(model, pcm[3840 * 50 : 3840 * 150], chunk_bytes=3840)
        assert log.all("response_done") == []
        await model.commit_audio()
        await log.wait_for("response_done")
        assert read_all(model) == reply_pcm(0)
        kinds = [event["type"] for event in sim.connections[0].received]
        assert kinds == [
            "session.update",
            "input_audio_buffer.append",
            "input_audio_buffer.clear",
            "input_audio_buffer.append",
            "input_audio_buffer.commit",
            "response.create",
        ]
        assert log.all("error") == []


async def test_events_can_be_iterated_over_as_dataclasses() -> None:
    async with Simulator(audio_speed=1000) as sim:
        model = model_for(sim)
        stream = model.events()
        async with model:
            await model.send_text_message("hello")
            seen: list[events.Event] = []
            async for event in stream:
                seen.append(event)
                if isinstance(event, events.ResponseDone):
                    break
            finals = [e for e in seen if isinstance(e, events.Transcription) and e.is_final]
            assert [(said.role, said.text) for said in finals] == [
                ("agent", "Hello, I can hear you well. How can I help?")
            ]
            assert seen[-1].status == "completed"
        rest = [event async for event in stream]
        assert rest[-1] == events.Closed(error=None)


async def test_a_stream_that_nobody_takes_from_is_bounded() -> None:
    model = AzureVoiceLive(model="m", api_key="key")
    stream = model.events()
    for n in range(1030):
        model.emit("error", str(n))
    assert stream.dropped == 6
    assert await anext(stream) == events.Error("6")
    model.emit("something of the user's own", 1)
    assert model.stats()["errors"] == 1030


async def test_a_stream_that_nobody_holds_is_forgotten() -> None:
    model = AzureVoiceLive(model="m", api_key="key")
    forgotten = weakref.ref(model.events())
    gc.collect()
    assert forgotten() is None


async def test_words_and_visemes_are_told() -> None:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    word = {
        "audio_offset_ms": 490,
        "audio_duration_ms": 387,
        "text": "end",
        "timestamp_type": "word",
    }

    async def tell(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        await websocket.send_json({"type": "response.audio_timestamp.delta", **where, **word})
        viseme = {"audio_offset_ms": 455, "viseme_id": 20}
        await websocket.send_json({"type": "response.animation_viseme.delta", **where, **viseme})
        await websocket.receive()

    async with service(tell) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        stream = model.events()
        async with model:
            assert await anext(stream) == events.WordTimestamp("i", "end", 490, 387)
            assert await anext(stream) == events.Viseme("i", 20, 455)


async def test_the_figures_of_a_turn() -> None:
    pcm, _, _ = speech("question-48k-stereo.wav")
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await speak(model, pcm[: len(pcm) // 4 * 4] + bytes(3840 * 50), chunk_bytes=3840)
        await log.wait_for("response_done")
        read_all(model)
        await log.wait_for("agent_speech_ended")
        stats = model.stats()
        assert stats["audio_in_ms"] == pytest.approx(7_540, abs=21)
        assert (stats["audio_waiting_ms"], stats["audio_dropped_ms"]) == (0, 0)
        assert (stats["errors"], stats["reconnects"]) == (0, 0)
        assert stats["first_audio"]["count"] == stats["first_heard"]["count"] == 1
        assert 0 <= stats["first_audio"]["p50_ms"] <= stats["first_heard"]["p50_ms"]


@pytest.mark.parametrize("text", [None, 7, b"bytes"])
async def test_only_text_can_be_sent(text: Any) -> None:
    async with Simulator() as sim, model_for(sim) as model:
        for send in (model.send_message, model.send_text_message):
            with pytest.raises(TypeError, match="message: expected a str, got"):
                await send(text)


def test_latencies_are_percentiles_of_the_latest() -> None:
    latency = Latency(print)
    assert latency.summary() == {"count": 0, "p50_ms": None, "p99_ms": None}
    latency.stop(5.0)  # without a start
    for n in range(1000):
        latency.start(0.0)
        latency.stop(n / 1000)
    summary = latency.summary()
    assert summary["count"] == 512
    assert summary["p50_ms"] == pytest.approx(743.5)
    assert summary["p99_ms"] == pytest.approx(993.89)


async def test_the_play_head_is_watched_only_while_somebody_waits(clock: Clock) -> None:
    playback = PlaybackBuffer()
    watch = PlayHeadWatch(playback, 24_000)
    reached: list[str] = []
    assert clock.pending_s() == []
    playback.write(bytes(48_000))
    watch.when(Progress.PASSED, 24_000, lambda: reached.append("end"))
    watch.when(Progress.HEARD, 1, lambda: reached.append("begin"))
    playback.read(1)
    await asyncio.sleep(POLL_S)
    assert reached == ["begin"]
    assert clock.pending_s() == pytest.approx([clock.now_s + 0.1])  # of a second to go
    watch.when(Progress.DROPPED, 23_999, lambda: reached.append("dropped"))
    assert clock.pending_s() == pytest.approx([clock.now_s + POLL_S])
    playback.clear()
    playback.read(1)
    await asyncio.sleep(POLL_S)
    assert reached == ["begin", "end", "dropped"]
    assert clock.pending_s() == []
    watch.when(Progress.HEARD, 50_000, lambda: reached.append("never"))
    watch.close()
    assert clock.pending_s() == []


async def test_what_is_heard_in_real_time_is_told_within_half_a_frame(clock: Clock) -> None:
    playback = PlaybackBuffer()
    watch = PlayHeadWatch(playback, 24_000)
    begin_s = clock.now_s
    told: list[float] = []
    playback.write(bytes(2 * 24_000))
    for frames in (1, 3_600, 24_000):
        watch.when(Progress.HEARD, frames, lambda: told.append(clock.now_s - begin_s))
    for _ in range(50):
        playback.read(480)
        await asyncio.sleep(0.02)
    assert told == pytest.approx([0.01, 0.15, 0.99], abs=0.0101)


async def test_the_service_is_told_what_a_listener_behind_the_play_head_heard() -> None:
    async with Simulator(audio_speed=20) as sim, model_for(sim) as model:
        log = EventLog(model)
        model.listener_lag_ms = lambda: 120.0
        await model.send_text_message("hello")
        await log.hear(model, 500, of_ms=600)
        await model.interrupt()
        assert log.all("playback_interrupted") == [{}]
        received = sim.connections[0].received
        await until(lambda: received[-1]["type"] == "conversation.item.truncate")
        assert received[-1]["audio_end_ms"] == 380


async def test_a_session_has_the_id_that_the_service_gave() -> None:
    async def accept(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        await websocket.receive()

    async with service(accept) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        assert model.session_id is None
        model.catch_up()  # nothing to hear of
        async with model:
            assert model.session_id == "s"
        assert model.session_id is None


async def test_a_function_is_told_before_it_runs() -> None:
    order: list[str] = []

    def add(a: int, b: int) -> int:
        """A sum."""
        order.append("runs")
        return a + b

    replies = [ToolCall("add", '{"a": 2, "b": 3}'), Reply("Five.")]
    async with (
        Simulator(audio_speed=1000, replies=replies) as sim,
        model_for(sim, tools=[add]) as model,
    ):
        log = EventLog(model)
        model.on("realtime_model_function_started", lambda _call: order.append("told"))
        await model.send_text_message("two and three?")
        executed = await log.wait_for("realtime_model_function_executed")
        [started] = log.all("realtime_model_function_started")
        assert order == ["told", "runs"]
        assert (started["name"], started["arguments"]) == ("add", '{"a": 2, "b": 3}')
        assert started["call_id"] == executed["call_id"]
