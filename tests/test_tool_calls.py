"""Tools in a session, through a real socket: who is called, what the model is told, and when it speaks."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support import TIMEOUT_S, EventLog, read_all, reply_pcm, speak, speech, until
from voicelane import (
    AzureVoiceLive,
    AzureVoiceLiveConfig,
    MCPApprovalRequest,
    MCPServer,
    PlaybackBuffer,
    ReconnectPolicy,
    Tool,
    ToolSet,
)
from voicelane.actions import CallFunction, Emit
from voicelane.errors import ToolError
from voicelane.open_calls import OpenCalls
from voicelane.protocol import Conversation
from voicelane.simulator import Reply, Simulator, ToolCall
from voicelane.simulator.connection import Connection

PING = "input_audio_buffer.clear"  # changes nothing here
EXECUTED = "realtime_model_function_executed"
LONDON = ToolCall("get_weather", '{"city": "London"}')
SPOKEN = Reply("It is foggy in London.")


async def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"foggy in {city}"


class Call:
    """A session with tools, its service, and what each said."""

    def __init__(self, sim: Simulator, model: AzureVoiceLive) -> None:
        self.sim = sim
        self.model = model
        self.log = EventLog(model)
        self.service: Connection = sim.connections[-1]
        self.pings = 0

    def sent(self) -> list[str]:
        """What the client sent after its session.update, in short."""
        return [
            event["item"]["type"] if event["type"] == "conversation.item.create" else event["type"]
            for event in self.service.received
            if event["type"] not in ("session.update", PING)
        ]

    def outputs(self) -> dict[str, str]:
        """The outputs that the service was given, by call id."""
        items = [event.get("item", {}) for event in self.service.received]
        return {
            item["call_id"]: item["output"]
            for item in items
            if item.get("type") == "function_call_output"
        }

    async def until_sent(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await self.service.wait_until(lambda _: self.sent().count(kind) >= count)

    async def hears(self, event: str) -> None:
        """Listens to the agent until that event."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self.log.all(event):
                read_all(self.model)
                await asyncio.sleep(0.001)

    async def says(self, kind: str, **fields: Any) -> None:
        """The service says something that its simulator would not say by itself."""
        await self.service.send({"type": kind, **fields})

    async def calls(
        self, *calls: tuple[str, str, str], status: str = "completed", response: str = "r1"
    ) -> None:
        """A response that calls (call id, function, arguments)."""
        output = [
            {"type": "function_call", "id": f"item_{call_id}", "status": "completed",
             "call_id": call_id, "name": name, "arguments": arguments}
            for call_id, name, arguments in calls
        ]  # fmt: skip
        await self.says("response.created", response={"id": response})
        done = {"id": response, "status": status, "output": output}
        await self.says("response.done", response=done)

    async def settle(self) -> None:
        """Until both sides have handled all that was said so far."""
        count = len(self.log.all("text_response"))
        await self.says("response.text.done", text="settled")
        await self.log.wait_for("text_response", count + 1)
        await self.model.flush_audio()
        self.pings += 1
        await self.model.connection.send({"type": PING})
        await self.service.wait_until(
            lambda service: [one["type"] for one in service.received].count(PING) == self.pings
        )


@asynccontextmanager
async def session(
    *tools: Any, replies: Any = None, speed: float = 1000, **more: Any
) -> AsyncIterator[Call]:
    given = tools[0] if tools and isinstance(tools[0], ToolSet) else tools
    async with Simulator(audio_speed=speed, replies=replies) as sim:
        arguments = {"model": "gpt-realtime", "endpoint": sim.endpoint, "api_key": sim.api_key}
        async with AzureVoiceLive(**arguments, tools=given, **more) as model:
            yield Call(sim, model)


class Slow:
    """A tool that goes on when it is told to."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self) -> str:
        self.began.set()
        await self.go_on.wait()
        return "at last"


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


# --- barge-in and interrupt ------------------------------------------------------------------


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


# --- closing ---------------------------------------------------------------------------------


def tool_tasks() -> list[str]:
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("voicelane-tool", "voicelane-approval"))]


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


# --- MCP servers -----------------------------------------------------------------------------

REQUEST = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "docs", "name": "search"}


def docs(on_approval: Callable[[MCPApprovalRequest], Any] | None, **more: Any) -> MCPServer:
    return MCPServer("docs", "https://example.com/mcp", on_approval=on_approval, **more)


async def approval(call: Call) -> dict[str, Any]:
    await call.until_sent("mcp_approval_response")
    items = [event.get("item", {}) for event in call.service.received]
    (answer,) = [item for item in items if item.get("type") == "mcp_approval_response"]
    return dict(answer)


async def test_an_approval_is_asked_for_once_with_all_that_is_known() -> None:
    asked: list[MCPApprovalRequest] = []

    async def on_approval(request: MCPApprovalRequest) -> bool:
        asked.append(request)
        return True

    async with session(docs(on_approval)) as call:
        assert call.service.received[0]["session"]["tools"] == call.model.tools
        whole = {**REQUEST, "arguments": '{"query": "a"}'}
        # Without arguments first: nobody can approve what is not known.
        await call.says("conversation.item.created", item={**REQUEST, "arguments": ""})
        await call.says("response.output_item.done", response_id="r1", item=whole)
        await call.says("conversation.item.created", item=whole)
        answer = await approval(call)
        await call.settle()
        assert asked == [MCPApprovalRequest("mcpr_1", "docs", "search", '{"query": "a"}')]
        expected = {"approval_request_id": "mcpr_1", "approve": True}
        assert answer == {"type": "mcp_approval_response", **expected}
        # What was approved is called by the service; only then there is something to say.
        assert "response.create" not in call.sent()
        await call.says("response.mcp_call.in_progress", item_id="m1", output_index=0)
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.until_sent("response.create")


def denies(_request: MCPApprovalRequest) -> bool:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()  # a sync one is on a thread
    return False


async def never_decides(_request: MCPApprovalRequest) -> bool:
    await asyncio.Event().wait()
    return True


def fails_to_decide(_request: MCPApprovalRequest) -> bool:
    raise LookupError("no one there")


def says_yes_in_words(_request: MCPApprovalRequest) -> Any:
    return "no"


@pytest.mark.parametrize(
    "on_approval", [None, denies, never_decides, fails_to_decide, says_yes_in_words]
)
async def test_in_doubt_the_answer_is_no_and_the_model_speaks_on(on_approval: Any) -> None:
    async with session(docs(on_approval, approval_timeout_s=0.05)) as call:
        await call.says("conversation.item.created", item={**REQUEST, "arguments": "{}"})
        assert (await approval(call))["approve"] is False
        await call.until_sent("response.create")
        assert call.log.all("error") == []


@pytest.mark.parametrize("tools", [[], [docs(denies)]])
async def test_a_request_of_a_server_of_somebody_else_is_let_be(
    tools: list[MCPServer], caplog: pytest.LogCaptureFixture
) -> None:
    async with session(*tools) as call:
        other = {**REQUEST, "server_label": "other", "arguments": "{}"}
        await call.says("conversation.item.created", item=other)
        await call.settle()
        assert "mcp_approval_response" not in call.sent()
        await until(lambda: tool_tasks() == [])
        gc.collect()  # a task that failed unseen would be logged now
        assert caplog.records == []


async def test_calls_of_servers_that_an_agent_brings_are_answered_by_the_agent() -> None:
    async with session(get_weather) as call:
        await call.says("response.mcp_call.in_progress", item_id="m1", output_index=0)
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.settle()
        assert "response.create" not in call.sent()


@pytest.mark.parametrize("end", ["completed", "failed"])
async def test_after_the_last_call_of_mcp_servers_one_response_is_asked_for(end: str) -> None:
    async with session(docs(None)) as call:
        await call.says("response.created", response={"id": "r1"})
        for item_id in ("m1", "m2"):
            await call.says("response.mcp_call.in_progress", item_id=item_id, output_index=0)
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.says("response.done", response={"id": "r1", "status": "completed"})
        await call.settle()
        assert "response.create" not in call.sent()
        await call.says(f"response.mcp_call.{end}", item_id="m2", output_index=0)
        await call.hears("agent_speech_ended")
        await call.settle()
        assert call.sent().count("response.create") == 1


async def test_after_an_interrupt_no_response_is_asked_for_what_mcp_servers_bring() -> None:
    async with session(docs(None)) as call:
        await call.says("response.mcp_call.in_progress", item_id="m1", output_index=0)
        await call.settle()
        await call.model.interrupt()
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.settle()
        assert "response.create" not in call.sent()


async def test_closing_cancels_an_approval_that_is_open() -> None:
    async with session(docs(never_decides)) as call:
        await call.says("conversation.item.created", item={**REQUEST, "arguments": "{}"})
        await until(lambda: len(tool_tasks()) == 1)
        await call.model.aclose()
        assert tool_tasks() == []
        assert "mcp_approval_response" not in call.sent()


async def test_text_only_sessions_call_tools_too() -> None:
    config = AzureVoiceLiveConfig(modalities=["text"])
    async with session(get_weather, replies=[LONDON, SPOKEN], config=config) as call:
        await call.model.send_text_message("What is the weather?")
        assert (await call.log.wait_for("text_response"))["text"] == SPOKEN.text
