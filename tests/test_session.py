"""A whole session against the simulator: what is said, heard, interrupted and refused."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from session_talk import ENDLESS, SILENCE, model_for
from support import (
    EventLog,
    read_all,
    reply_pcm,
    service,
    speak,
    speech,
    stop_sending,
    until,
)
from voicelane import (
    AzureVoiceLive,
    AzureVoiceLiveConfig,
    Resampler,
    errors,
)
from voicelane.simulator import Reply, Simulator


async def speak_and_pause(model: AzureVoiceLive) -> None:
    """Six seconds of speech as 20 ms of 48 kHz stereo each, then a second of silence."""
    pcm, rate_hz, channels = speech("question-48k-stereo.wav")
    assert (rate_hz, channels) == (48_000, 2)
    await speak(model, pcm[: len(pcm) // 4 * 4], chunk_bytes=len(SILENCE))
    await speak(model, SILENCE * 50, chunk_bytes=len(SILENCE))


async def test_a_spoken_turn_brings_events_transcripts_and_audio_in_order() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await speak_and_pause(model)
        done = await log.wait_for("response_done")
        await log.wait_until(lambda: bool(log.finals("user")))

        assert not log.all("agent_speech_started"), "nothing of it was heard yet"
        # What it said is in the buffer, sample for sample.
        assert read_all(model) == reply_pcm(0)
        await log.wait_for("agent_speech_ended")
        assert model.playback.is_idle

        spoken = [name for name, _ in log.events if name.endswith(("started", "ended"))]
        assert spoken == [
            "user_speech_started",
            "user_speech_ended",
            "agent_speech_started",
            "agent_speech_ended",
        ]
        assert log.all("user_speech_started") == [{"type": "done"}]
        assert done["status"] == "completed"
        assert done["usage"]["output_token_details"]["audio_tokens"] > 0
        assert log.finals("agent") == ["Hello, I can hear you well. How can I help?"]
        assert log.finals("user")[0].endswith("s of speech]")
        partial = [
            said["text"]
            for said in log.all("realtime_model_transcription")
            if said["role"] == "agent" and not said["is_final"]
        ]
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(partial))
        assert partial[-1] == log.finals("agent")[0]
        assert log.all("error") == []

        # What the service heard is the speech, at half the rate and mono, every frame of it.
        pcm, _, _ = speech("question-48k-stereo.wav")
        frames = len(pcm) // 4 + 50 * 960
        whole_chunks = frames // 2 // 480 * 480
        await until(lambda: sim.connections[0].audio_bytes == 2 * whole_chunks)
        assert model.playback.stats()["underruns"] == 0


@pytest.mark.parametrize(
    ("output_format", "rate_hz"),
    [
        ("g711_ulaw", 8_000),
        ("g711_alaw", 8_000),
        ("pcm16_8000hz", 8_000),
        ("pcm16_16000hz", 16_000),
    ],
)
async def test_every_output_format_is_heard_as_speech(output_format: str, rate_hz: int) -> None:
    config = AzureVoiceLiveConfig(output_audio_format=output_format, input_audio_format="g711_ulaw")
    async with Simulator(audio_speed=1000) as sim, model_for(sim, config=config) as model:
        log = EventLog(model)
        await model.send_text_message("hello")
        await log.wait_for("response_done")
        assert model.playback.output_rate_hz == rate_hz
        heard = np.frombuffer(read_all(model), np.int16).astype(float)
        said = np.frombuffer(Resampler(24_000, rate_hz).process(reply_pcm(0)), np.int16)
        assert abs(len(heard) - len(said)) <= rate_hz // 100
        length = min(len(heard), len(said))
        # The same speech, to the precision of eight bits and a filter's delay.
        shifts = [
            np.corrcoef(heard[shift:length], said[: length - shift])[0, 1]
            for shift in range(rate_hz // 200)
        ] + [
            np.corrcoef(heard[: length - shift], said[shift:length])[0, 1]
            for shift in range(rate_hz // 200)
        ]
        assert max(shifts) > 0.97
        assert log.all("error") == []


async def test_three_text_rounds_on_one_connection() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        for turn in range(3):
            await model.send_text_message(f"question {turn}")
            await log.wait_for("response_done", turn + 1)
            assert len(log.finals("agent")) == turn + 1
            assert read_all(model) == reply_pcm(turn)
        assert log.all("error") == []
        assert len(set(log.finals("agent"))) == 3


async def test_text_rounds_that_do_not_wait_for_each_other_are_all_answered() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        for turn in range(3):
            await model.send_text_message(f"question {turn}")
        await log.wait_for("response_done", 3)
        assert [done["status"] for done in log.all("response_done")] == ["completed"] * 3
        assert log.all("error") == []


async def test_send_message_has_the_agent_say_that_text() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await model.send_message("Welcome to voicelane.")
        await log.wait_for("response_done")
        assert log.finals("agent") == ["Welcome to voicelane."]
        assert len(read_all(model)) > 24_000


async def test_text_only_sessions_answer_in_text() -> None:
    config = AzureVoiceLiveConfig(modalities=["text"])
    async with Simulator() as sim, model_for(sim, config=config) as model:
        log = EventLog(model)
        await model.send_text_message("hello")
        await log.wait_for("response_done")
        assert log.all("text_response") == [{"text": log.finals("agent")[0], "type": "done"}]
        await model.handle_audio_input(SILENCE)
        await model.flush_audio()
        assert sim.connections[0].audio_bytes == 0
        assert model.playback.stats()["written_frames"] == 0


async def test_every_barge_in_silences_the_agent_and_says_what_was_heard() -> None:
    pcm, _, _ = speech("barge-in-48k-mono.wav")
    config = AzureVoiceLiveConfig(turn_detection_silence_duration_ms=1_500)  # the speaker pauses
    async with (
        Simulator(audio_speed=20) as sim,
        model_for(sim, config=config, input_channels=1) as model,
    ):
        log = EventLog(model)
        for turn in range(3):
            await model.send_text_message("tell me")
            await log.hear(model, 100, of_ms=500)
            await speak(model, pcm + bytes(1920 * 100), chunk_bytes=1920)
            await log.wait_for("user_speech_started", turn + 1)
            await log.wait_for("response_done", 2 * turn + 2)
            assert read_all(model) == reply_pcm((2 * turn + 1) % 4), "something stale was played"
        received = sim.connections[0].received
        truncated = [event for event in received if event["type"] == "conversation.item.truncate"]
        assert [event["audio_end_ms"] for event in truncated] == [100] * 3
        assert len({event["item_id"] for event in truncated}) == 3
        assert log.all("error") == []
        # The service cancels by itself: a cancel of ours would be refused.
        assert not any(event["type"] == "response.cancel" for event in received)


async def test_interrupt_cancels_the_response_and_drops_what_still_arrives() -> None:
    replies = [ENDLESS, ENDLESS, Reply("Good bye.", reply_pcm(0))]
    async with Simulator(audio_speed=20, replies=replies) as sim, model_for(sim) as model:
        log = EventLog(model)
        for turn in (1, 2):
            await model.send_text_message("tell me")
            await log.hear(model, 20, of_ms=100)
            await model.interrupt()
            done = await log.wait_for("response_done", turn)
            assert done["status"] == "cancelled"
            assert read_all(model) == b""
        await model.interrupt()  # nothing to interrupt: no error either
        await model.send_text_message("again")
        await log.wait_for("response_done", 3)
        assert read_all(model) == reply_pcm(0)
        assert log.all("error") == []


async def test_the_first_message_is_what_the_original_sends() -> None:
    config = AzureVoiceLiveConfig(
        temperature=0.7, max_completion_tokens=100, input_audio_transcription=None
    )
    async with Simulator() as sim:
        model = model_for(sim, config=config)
        model.set_agent(SimpleNamespace(instructions="Be brief."))
        async with model:
            first = sim.connections[0].received[0]
    assert first == {
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": "Be brief.",
            "voice": {"name": "en-US-AvaNeural", "type": "azure-standard"},
            "input_audio_format": "pcm16",
            "input_audio_sampling_rate": 24000,
            "output_audio_format": "pcm16",
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
            },
            "temperature": 0.7,
            "max_response_output_tokens": 100,
        },
    }


async def test_events_that_nobody_can_read_do_not_end_the_session() -> None:
    odd_events = ["not json", "[1]", '{"type": 7}', '{"no": "type"}', '{"type": "tomorrow.delta"}',
                  '{"type": "response.audio.delta", "delta": "A"}', '{"type": "response.done"}',
                  '{"type": "error"}']  # fmt: skip

    async def talk_nonsense(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        for text in odd_events:
            await websocket.send_str(text)
        await websocket.send_json({"type": "response.text.done", "text": "still here"})
        await websocket.receive()

    async with service(talk_nonsense) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        log = EventLog(model)
        async with model:
            assert (await log.wait_for("text_response"))["text"] == "still here"
            assert (
                len(log.all("error")) == 4
            )  # three unreadable texts and the error without a message


async def test_the_slow_network_costs_the_oldest_audio_and_one_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Simulator() as sim, model_for(sim) as model:
        log = EventLog(model)
        go_on = stop_sending(model, monkeypatch)
        for _ in range(300):  # six seconds
            await model.handle_audio_input(SILENCE)
        assert len(log.all("error")) == 1
        assert "dropping the oldest audio" in log.all("error")[0]
        assert model.stats()["audio_dropped_ms"] == pytest.approx(4_000, abs=20)
        go_on()
        await model.flush_audio()
        await model.handle_audio_input(SILENCE)
        assert len(log.all("error")) == 1


async def test_an_error_is_a_text_with_its_fault_behind_it() -> None:
    async with Simulator() as sim, model_for(sim) as model:
        log = EventLog(model)
        await model.connection.send(
            {"type": "conversation.item.delete", "item_id": "nowhere", "event_id": "e1"}
        )
        await log.wait_for("error")
        await model.handle_audio_input(b"x")
        told, audio = log.all("error")
        assert isinstance(told, str)
        assert told.startswith("Azure Voice Live error: ")
        assert isinstance(told.error, errors.ServiceError)
        assert (told.event_id, told.retryable) == ("e1", False)
        assert told.code == told.error.code
        assert isinstance(audio.error, ValueError)


async def test_audio_is_coalesced_as_asked() -> None:
    async with Simulator() as sim, model_for(sim, chunk_ms=60) as model:
        for _ in range(7):
            await model.handle_audio_input(SILENCE)
        await model.flush_audio()
        await until(lambda: sim.connections[0].audio_bytes == 2 * 60 * 24 * 2)
        append = sim.connections[0].received[-1]
        assert (append["count"], append["audio_bytes"]) == (2, 5760)


async def test_handlers_may_be_any_callable_and_never_stop_the_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    class Handler:
        def __call__(self, payload: Any) -> None:
            seen.append("object")

    async def slow(payload: Any) -> None:
        await asyncio.sleep(0)
        seen.append("async")

    def broken(payload: Any) -> None:
        raise LookupError("the user's own")

    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        model.on("response_done", broken)
        model.on("response_done", lambda: seen.append("no argument"))
        model.on("response_done", Handler())
        model.on("response_done", slow)
        removed = model.on("response_done", lambda _: seen.append("removed"))
        model.off("response_done", removed)
        with caplog.at_level(logging.ERROR, "voicelane"):
            await model.send_text_message("hello")
            await log.wait_for("response_done")
    assert seen == ["no argument", "object", "async"]
    assert "the user's own" in caplog.text


async def test_audio_that_is_wrong_in_two_ways_is_told_and_ends_nothing() -> None:
    audio = base64.b64encode(b"abc").decode()  # it ends within a sample, and belongs nowhere

    async def tell(websocket: Any) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        delta = {"type": "response.audio.delta", "delta": audio, "content_index": "first"}
        await websocket.send_json(delta)
        await websocket.send_json({"type": "input_audio_buffer.speech_started"})
        await websocket.receive()

    async with service(tell) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        log = EventLog(model)
        async with model:
            await log.wait_for("user_speech_started")
            assert ["content_index" in error for error in log.all("error")] == [True]
            assert model.session_ready
