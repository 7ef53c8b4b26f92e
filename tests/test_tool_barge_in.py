"""Tools that run while the user interrupts."""

from __future__ import annotations

import asyncio

import pytest

from support import TIMEOUT_S, speak, speech
from tool_talk import EXECUTED, Slow, get_weather, session
from voicelane import (
    AzureVoiceLiveConfig,
    Tool,
)
from voicelane.simulator import Reply, ToolCall


async def test_after_an_interrupt_the_model_gets_the_output_and_is_not_asked_to_speak() -> None:
    slow = Slow()
    async with session(Tool(slow, name="slow"), get_weather) as call:
        await call.calls(("c1", "slow", "{}"))
        await asyncio.wait_for(slow.began.wait(), TIMEOUT_S)
        await call.model.interrupt()
        slow.go_on.set()
        await call.until_sent("function_call_output")
        await call.settle()
        assert call.outputs() == {"c1": "at last"}
        assert "response.create" not in call.sent()
        # The next round is as ever.
        await call.calls(("c2", "get_weather", '{"city": "Rome"}'), response="r2")
        await call.until_sent("response.create")


async def test_an_interrupt_counts_for_the_calls_that_its_response_still_brings() -> None:
    async with session(get_weather) as call:
        await call.says("response.created", response={"id": "r1"})
        await call.settle()
        await call.model.interrupt()
        await call.calls(("c1", "get_weather", '{"city": "Rome"}'))
        await call.until_sent("function_call_output")
        await call.settle()
        assert "response.create" not in call.sent()


@pytest.mark.parametrize("create_response", [True, False])
async def test_while_the_user_speaks_the_answer_is_left_to_the_response_to_the_user(
    create_response: bool,
) -> None:
    slow = Slow()
    async with session(Tool(slow, name="slow"), get_weather) as call:
        detection = {"type": "server_vad", "create_response": create_response}
        await call.says("session.updated", session={"id": "s", "turn_detection": detection})
        await call.calls(("c1", "slow", "{}"))
        await asyncio.wait_for(slow.began.wait(), TIMEOUT_S)
        await call.says("input_audio_buffer.speech_started", audio_start_ms=0, item_id="u")
        await call.log.wait_for("user_speech_started")
        slow.go_on.set()
        await call.until_sent("function_call_output")
        await call.settle()
        # Where the service answers no turn by itself, nobody else would ask.
        assert call.sent().count("response.create") == (0 if create_response else 1)
        assert call.log.all(EXECUTED)[0]["output"] == "at last"


async def test_a_spoken_barge_in_is_answered_once_with_the_output_known() -> None:
    pcm, _, _ = speech("barge-in-48k-mono.wav")
    slow = Slow()
    replies = [ToolCall("slow"), Reply("You were saying?")]
    config = AzureVoiceLiveConfig(turn_detection_silence_duration_ms=1_500)  # the speaker pauses
    arguments = {"replies": replies, "config": config, "input_channels": 1}
    async with session(Tool(slow, name="slow"), **arguments) as call:
        await call.model.send_text_message("Look it up.")
        await asyncio.wait_for(slow.began.wait(), TIMEOUT_S)
        await speak(call.model, pcm, chunk_bytes=1920)
        await call.log.wait_for("user_speech_started")
        slow.go_on.set()
        await call.until_sent("function_call_output")
        await speak(call.model, bytes(1920 * 100), chunk_bytes=1920)
        await call.log.wait_for("response_done", 2)
        assert call.log.finals("agent") == ["You were saying?"]
        await call.settle()
        assert call.sent().count("response.create") == 1  # of the text
        assert call.log.all("error") == []


async def test_an_output_after_the_barge_in_was_answered_is_spoken_then() -> None:
    slow = Slow()
    async with session(Tool(slow, name="slow")) as call:
        await call.calls(("c1", "slow", "{}"))
        await call.says("input_audio_buffer.speech_started", audio_start_ms=0, item_id="u")
        await call.says("input_audio_buffer.speech_stopped", audio_end_ms=9, item_id="u")
        await call.says("response.created", response={"id": "r2"})
        await call.says("response.done", response={"id": "r2", "status": "completed"})
        await call.log.wait_for("response_done", 2)
        slow.go_on.set()
        await call.until_sent("response.create")
        assert call.sent() == ["function_call_output", "response.create"]
