"""Tools that fail, hang, or run when their session ends."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import Any

import pytest

from support import TIMEOUT_S, read_all, until
from tool_talk import EXECUTED, SPOKEN, Slow, get_weather, session, tool_tasks
from voicelane import (
    AzureVoiceLive,
    MCPApprovalRequest,
    PlaybackBuffer,
    ReconnectPolicy,
    Tool,
    ToolSet,
)
from voicelane.actions import CallFunction, Emit
from voicelane.errors import ToolError
from voicelane.open_calls import OpenCalls
from voicelane.protocol import Conversation
from voicelane.simulator import ToolCall

# --- what goes wrong -------------------------------------------------------------------------


async def fails() -> None:
    raise LookupError("the key is very-secret")


def fails_on_a_thread() -> None:
    raise LookupError("the key is very-secret")


async def says_why() -> None:
    raise ToolError("there is no such city")


async def has_its_own_timeout() -> None:
    raise TimeoutError("very-secret")


async def waits_for_what_was_cancelled() -> None:
    raise asyncio.CancelledError


async def says_nothing() -> None:
    raise ToolError


def ends_an_iteration() -> None:
    next(iter(()))


async def gives_no_json() -> object:
    return object()


async def never_ends() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        (fails, "{}", "fails failed (LookupError)"),
        (fails_on_a_thread, "{}", "fails_on_a_thread failed (LookupError)"),
        (says_why, "{}", "there is no such city"),
        (says_nothing, "{}", "says_nothing failed"),
        (has_its_own_timeout, "{}", "has_its_own_timeout failed (TimeoutError)"),
        (waits_for_what_was_cancelled, "{}", "waits_for_what_was_cancelled was cancelled"),
        (ends_an_iteration, "{}", "ends_an_iteration failed (RuntimeError)"),
        (gives_no_json, "{}", "the result, of type object, has no JSON form"),
        (Tool(never_ends, timeout_s=0.01), "{}", "never_ends did not answer within 0.01 s"),
        (get_weather, "{}", "missing: city"),
        (get_weather, '{"city": 5}', "city: expected a string, got 5"),
        (get_weather, '{"city": "Lond', "the arguments are not JSON: Unterminated string"),
        (get_weather, "[]", "the arguments: expected an object, got []"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model_and_to_nobody_else(
    tool: Any, arguments: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with session(tool) as call:
        name = call.model.tools[0]["name"]
        with caplog.at_level(logging.CRITICAL, "voicelane"):
            await call.calls(("c1", name, arguments))
            await call.hears("agent_speech_ended")
        said = json.loads(call.outputs()["c1"])
        assert list(said) == ["error"]
        assert said["error"].startswith(error)
        assert call.log.all(EXECUTED)[0]["is_error"] is True
        assert "very-secret" not in str(call.service.received) + str(call.log.events)
        assert call.log.all("error") == []
        assert call.model.session_ready


async def test_a_name_that_is_no_tool_is_told_with_those_that_are() -> None:
    async with session(get_weather) as call:
        await call.calls(("c1", "get_wether", "{}"))
        await call.until_sent("response.create")
        known = "there is no tool 'get_wether' (known: get_weather)"
        assert json.loads(call.outputs()["c1"]) == {"error": known}


async def test_the_time_out_of_the_set_is_for_tools_without_one() -> None:
    released = threading.Event()

    def blocks() -> None:
        released.wait(TIMEOUT_S)

    tools = ToolSet([blocks, Tool(get_weather, timeout_s=60)], timeout_s=0.01)
    async with session(tools) as call:
        await call.calls(("c1", "blocks", "{}"), ("c2", "get_weather", '{"city": "Rome"}'))
        await call.until_sent("response.create")
        assert json.loads(call.outputs()["c1"]) == {"error": "blocks did not answer within 0.01 s"}
        assert call.outputs()["c2"] == "foggy in Rome"
        released.set()


@pytest.mark.parametrize("leave", ["aclose", "connect"])
async def test_closing_cancels_the_tools_that_run(leave: str) -> None:
    cancelled: list[str] = []
    began = asyncio.Event()

    async def act() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("act")
            raise

    async with session(act) as call:
        await call.calls(("c1", "act", "{}"))
        await asyncio.wait_for(began.wait(), TIMEOUT_S)
        await getattr(call.model, leave)()
        assert cancelled == ["act"]
        assert tool_tasks() == []
        assert call.log.all(EXECUTED) == []
        assert call.log.all("error") == []


async def test_closing_waits_for_no_thread() -> None:
    began, go_on = threading.Event(), threading.Event()

    ended: list[str] = []

    def act() -> None:
        began.set()
        go_on.wait(TIMEOUT_S)
        ended.append("act")

    async with session(act) as call:
        await call.calls(("c1", "act", "{}"))
        await until(began.is_set)
        await call.model.aclose()
        assert tool_tasks() == []
        assert ended == []
        go_on.set()
        # The session can be used again, threads and all.
        await call.model.connect()
        call.service = call.sim.connections[-1]
        await call.calls(("c2", "act", "{}"))
        await call.until_sent("function_call_output")
        assert call.outputs() == {"c2": "null"}


async def test_a_tool_may_hang_up() -> None:
    hung_up = asyncio.Event()

    async with session() as call:

        async def hang_up() -> str:
            await call.model.aclose()
            hung_up.set()
            return "good bye"

        call.model.set_tools([hang_up])
        await call.calls(("c1", "hang_up", "{}"))
        await asyncio.wait_for(hung_up.wait(), TIMEOUT_S)
        await until(lambda: tool_tasks() == [])
        assert not call.model.session_ready
        assert call.log.all("error") == []


async def test_a_tool_that_ends_after_the_connection_was_lost_harms_nobody() -> None:
    slow = Slow()
    never = ReconnectPolicy(max_attempts=0)
    async with session(Tool(slow, name="slow"), reconnect=never) as call:
        await call.calls(("c1", "slow", "{}"))
        await asyncio.wait_for(slow.began.wait(), TIMEOUT_S)
        await call.service.close(1011)
        lost = await call.model.wait_closed()
        slow.go_on.set()
        assert (await call.log.wait_for(EXECUTED))["output"] == "at last"
        assert call.log.all("error") == [str(lost)]


async def test_what_a_tool_returns_after_a_reconnect_reaches_the_model_all_the_same() -> None:
    slow = Slow()
    quick = ReconnectPolicy(first_delay_s=0.001)
    replies = [ToolCall("slow"), SPOKEN]
    async with session(Tool(slow, name="slow"), replies=replies, reconnect=quick) as call:
        reply = await call.model.send_text_message("Take your time.")
        await asyncio.wait_for(slow.began.wait(), TIMEOUT_S)
        await call.log.wait_for("response_done")
        await call.service.abort()
        await call.log.wait_for("reconnected")
        slow.go_on.set()
        call.service = call.sim.connections[1]
        await call.until_sent("response.create")
        assert call.sent() == [
            "message",
            "function_call",
            "function_call_output",
            "response.create",
        ]
        assert list(call.outputs().values()) == ["at last"]
        # The new connection's replies begin anew: the tool once more, then the words.
        await call.log.wait_for("response_done", 3)
        read_all(call.model)
        async with asyncio.timeout(TIMEOUT_S):
            assert (await reply).status == "completed"


async def test_a_reply_is_heard_only_after_the_tools_that_it_needs() -> None:
    slow = Slow()
    async with session(Tool(slow, name="slow"), replies=[ToolCall("slow"), SPOKEN]) as call:
        reply = await call.model.send_text_message("Take your time.")
        await call.log.wait_for("response_done")
        await call.settle()
        assert not reply.is_done
        slow.go_on.set()
        await call.log.wait_for("response_done", 2)
        read_all(call.model)
        async with asyncio.timeout(TIMEOUT_S):
            await reply
        assert (reply.text, reply.status) == (SPOKEN.text, "completed")


async def test_closing_lets_go_who_waits_for_what_a_tool_brings() -> None:
    slow = Slow()
    async with session(Tool(slow, name="slow"), replies=[ToolCall("slow"), SPOKEN]) as call:
        reply = await call.model.send_text_message("Take your time.")
        async with asyncio.timeout(TIMEOUT_S):
            await slow.began.wait()
            await call.model.aclose()
            assert (await reply).status == "cancelled"


async def test_a_call_that_is_left_to_the_caller_ends_the_reply() -> None:
    async with session(replies=[ToolCall("unknown")]) as call:
        reply = await call.model.send_text_message("Whatever.")
        async with asyncio.timeout(TIMEOUT_S):
            assert (await reply).status == "completed"


async def test_tools_may_change_in_mid_call() -> None:
    async with session(get_weather) as call:

        def get_time() -> str:
            return "noon"

        await call.model.update_session(tools=[get_time])
        assert call.service.received[-1]["session"] == {"tools": call.model.tools}
        assert [tool["name"] for tool in call.model.tools] == ["get_time"]
        await call.calls(("c1", "get_time", "{}"))
        await call.until_sent("response.create")
        assert call.outputs() == {"c1": "noon"}
        with pytest.raises(TypeError, match="tools: expected"):
            call.model.set_tools([None])
        assert [tool["name"] for tool in call.model.tools] == ["get_time"]


def test_what_a_call_of_another_connection_returned_is_told_to_the_handlers_alone() -> None:
    conversation = Conversation(lambda: PlaybackBuffer().position, sample_rate_hz=24_000)
    call = CallFunction("c1", "get_weather", "{}")
    (only,) = conversation.calls.answer(call, "fog", is_error=False)
    assert isinstance(only, Emit)
    assert only.event == EXECUTED
    request = MCPApprovalRequest("mcpr_1", "docs", "search", "{}")
    assert conversation.calls.answer_approval(request, approve=True) == []


def test_calls_that_nobody_answers_are_forgotten_in_the_end() -> None:
    calls = OpenCalls()
    for index in range(5_000):
        calls.add(f"c{index}", group="g")
    assert "c0" not in calls
    assert "c4999" in calls
    assert len(calls._calls) <= 1024


@pytest.mark.parametrize("tools", [[None], "get_weather", [get_weather, get_weather]])
def test_what_is_no_tool_is_refused_at_construction(tools: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="tools: expected"):
        AzureVoiceLive(model="m", api_key="key", tools=tools)
