"""Tools in a session, through a real socket: who is called, when, and what the model is told."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from support import TIMEOUT_S, read_all, reply_pcm, until
from tool_talk import EXECUTED, LONDON, SPOKEN, Slow, get_weather, session
from voicelane import (
    Tool,
    ToolSet,
)
from voicelane.simulator import Reply, ToolCall

# --- a round ---------------------------------------------------------------------------------


async def test_a_tool_is_called_and_the_model_says_what_it_returned() -> None:
    async with session(get_weather, replies=[LONDON, SPOKEN]) as call:
        assert call.service.received[0]["session"]["tools"] == call.model.tools
        assert call.model.tools == [Tool(get_weather).wire()]
        await call.model.send_text_message("What is the weather?")
        await call.log.wait_for("response_done", 2)

        (executed,) = call.log.all(EXECUTED)
        call_id = executed["call_id"]
        assert executed == {
            "name": "get_weather",
            "arguments": '{"city": "London"}',
            "call_id": call_id,
            "output": "foggy in London",
            "is_error": False,
        }
        assert call.outputs() == {call_id: "foggy in London"}
        assert call.sent() == [
            "message",
            "response.create",
            "function_call_output",
            "response.create",
        ]
        assert call.log.finals("agent") == [SPOKEN.text]
        assert call.log.all("error") == []


async def test_a_session_without_tools_sends_none_and_leaves_calls_to_its_user() -> None:
    async with session() as call:
        assert "tools" not in call.service.received[0]["session"]
        await call.calls(("c1", "get_weather", "{}"))
        await call.settle()
        assert call.outputs() == {}
        assert call.log.all(EXECUTED) == []


async def test_a_sync_tool_runs_on_a_thread_with_the_context_of_the_call() -> None:
    seen: list[str] = []

    def where() -> dict[str, str]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append(threading.current_thread().name)
        return {"thread": "yes"}

    async with session(where) as call:
        await call.calls(("c1", "where", "{}"))
        await call.until_sent("function_call_output")
        assert call.outputs() == {"c1": '{"thread": "yes"}'}
        assert seen[0].startswith("voicelane-tool")


async def test_what_a_sync_tool_hands_out_to_be_awaited_is_awaited() -> None:
    def later(city: str) -> Any:
        return get_weather(city)

    async with session(later) as call:
        await call.calls(("c1", "later", '{"city": "Rome"}'))
        await call.until_sent("function_call_output")
        assert call.outputs() == {"c1": "foggy in Rome"}


async def test_the_calls_of_one_response_run_at_once_and_bring_one_response() -> None:
    both = asyncio.Barrier(2)  # neither gets on without the other

    async def meet(name: str) -> str:
        await both.wait()
        return name

    async with session(meet) as call:
        await call.calls(("c1", "meet", '{"name": "a"}'), ("c2", "meet", '{"name": "b"}'))
        await call.hears("agent_speech_started")
        await call.settle()
        assert call.outputs() == {"c1": "a", "c2": "b"}
        assert call.sent()[:3] == ["function_call_output"] * 2 + ["response.create"]
        assert call.sent().count("response.create") == 1
        assert call.log.all("error") == []


async def test_no_more_calls_run_at_once_than_allowed_and_the_others_follow() -> None:
    running = 0
    most = 0
    go_on = asyncio.Semaphore(0)

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.acquire()
        running -= 1

    async with session(ToolSet([count], max_running_calls=2)) as call:
        await call.calls(*((f"c{index}", "count", "{}") for index in range(5)))
        await until(lambda: running == 2)
        await call.settle()
        assert call.outputs() == {}
        for _ in range(5):
            go_on.release()
        await call.until_sent("response.create")
        assert len(call.outputs()) == 5
        assert most == 2


# --- time ------------------------------------------------------------------------------------


async def test_a_slow_tool_delays_no_audio() -> None:
    slow = Slow()
    replies = [ToolCall("slow"), Reply("Meanwhile."), SPOKEN]
    async with session(Tool(slow, name="slow"), replies=replies) as call:
        await call.model.send_text_message("Look it up.")
        await asyncio.wait_for(slow.began.wait(), TIMEOUT_S)
        await call.model.send_text_message("Are you there?")
        await call.log.wait_for("response_done", 2)
        assert read_all(call.model) == reply_pcm(1)
        assert call.outputs() == {}
        slow.go_on.set()
        await call.log.wait_for("response_done", 3)
        assert list(call.outputs().values()) == ["at last"]
        assert call.log.finals("agent") == ["Meanwhile.", SPOKEN.text]
        assert call.log.all("error") == []


async def test_a_blocking_sync_tool_delays_no_audio() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        go_on.wait(TIMEOUT_S)
        return "at last"

    async with session(slow, replies=[ToolCall("slow"), Reply("Meanwhile."), SPOKEN]) as call:
        await call.model.send_text_message("Look it up.")
        await until(began.is_set)
        await call.model.send_text_message("Are you there?")
        await call.log.wait_for("response_done", 2)
        assert read_all(call.model) == reply_pcm(1)
        go_on.set()
        await call.log.wait_for("response_done", 3)
        assert call.log.finals("agent") == ["Meanwhile.", SPOKEN.text]


async def test_an_output_that_comes_while_a_response_is_active_waits_for_its_end() -> None:
    slow = Slow()
    async with session(Tool(slow, name="slow")) as call:
        await call.calls(("c1", "slow", "{}"))
        await call.says("response.created", response={"id": "r2"})
        await call.settle()
        slow.go_on.set()
        await call.until_sent("function_call_output")
        await call.settle()
        assert "response.create" not in call.sent()
        await call.says("response.done", response={"id": "r2", "status": "completed"})
        await call.until_sent("response.create")


async def test_a_response_that_waits_already_will_know_the_output() -> None:
    slow = Slow()
    async with session(Tool(slow, name="slow")) as call:
        await call.calls(("c1", "slow", "{}"))
        await call.says("response.created", response={"id": "r2"})
        await call.settle()
        await call.model.send_text_message("And then?")
        slow.go_on.set()
        await call.until_sent("function_call_output")
        await call.says("response.done", response={"id": "r2", "status": "completed"})
        await call.hears("agent_speech_ended")
        await call.settle()
        assert call.sent()[:3] == ["message", "function_call_output", "response.create"]
        assert call.sent().count("response.create") == 1


# --- what must not run -----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete", "in_progress"])
async def test_a_response_that_was_not_completed_calls_nothing(status: str) -> None:
    ran: list[str] = []
    async with session(Tool(lambda: ran.append("ran"), name="act")) as call:
        arguments = {"response_id": "r1", "item_id": "i", "call_id": "c1", "name": "act"}
        await call.says("response.function_call_arguments.done", **arguments, arguments="{}")
        item = {"type": "function_call", "call_id": "c1", "name": "act", "arguments": "{}"}
        item["status"] = "completed"
        await call.says("response.output_item.done", response_id="r1", item=item)
        await call.calls(("c1", "act", "{}"), status=status)
        await call.settle()
        assert ran == []
        assert call.outputs() == {}
        assert call.log.all(EXECUTED) == []


async def test_an_item_that_is_not_whole_is_not_called() -> None:
    async with session(get_weather) as call:
        item = {"type": "function_call", "call_id": "c1", "name": "get_weather"}
        whole = {**item, "call_id": "c2", "arguments": '{"city": "Rome"}'}
        odd = [
            {**item, "status": "incomplete", "arguments": '{"ci'},
            None,
            {},
            {**item, "call_id": None},
        ]
        done = {"id": "r1", "status": "completed", "output": [*odd, whole, whole]}
        await call.says("response.done", response=done)
        await call.log.wait_for(EXECUTED)
        await call.settle()
        assert call.outputs() == {"c2": "foggy in Rome"}
        assert len(call.log.all(EXECUTED)) == 1


async def test_an_interrupted_call_is_never_run() -> None:
    ran: list[str] = []

    def act(text: str) -> None:
        ran.append(text)

    long = ToolCall("act", json.dumps({"text": "word " * 500}))
    async with session(act, replies=[long, SPOKEN], speed=1) as call:
        await call.model.send_text_message("Act.")
        delta = "response.function_call_arguments.delta"
        await call.service.wait_until(lambda service: service.sent["response.created"] == 1)
        await until(lambda: call.service.sent[delta] >= 2)
        await call.model.interrupt()
        assert (await call.log.wait_for("response_done"))["status"] == "cancelled"
        await call.settle()
        assert ran == []
        assert call.service.sent["response.function_call_arguments.done"] == 1
