from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import videosdk.agents as agents
from harness import Agent, call, model_for, sent

from session_talk import ENDLESS
from support import TIMEOUT_S
from voicelane.simulator import Reply, Simulator, ToolCall


def in_order(states: list[str], *expected: str) -> bool:
    rest = iter(states)
    return all(state in rest for state in expected)


async def test_a_spoken_turn_is_answered() -> None:
    async with Simulator() as sim, call(sim) as one:
        await one.speak(0.6)
        await one.silence(0.5)
        await one.until(lambda: "agent:speaking" in one.states, "speaking")
        await one.until(lambda: one.states[-1] == "agent:idle", "idle again")
        assert in_order(
            one.states, "agent:listening", "agent:thinking", "agent:speaking", "agent:idle"
        )
        assert in_order(one.states, "user:speaking", "user:idle", "user:listening", "user:idle")
        assert one.loud_frames > 20
        assert one.errors == []
        finals = [said["role"] for said in one.said if said["is_final"]]
        assert sorted(finals) == ["agent", "user"]
        messages = [item for item in one.agent.chat_context.items if hasattr(item, "role")]
        roles = [message.role.value for message in messages]
        assert roles.count("assistant") == 1
        assert roles.count("user") == 1


async def test_say_and_reply_complete_their_handles() -> None:
    async with Simulator(audio_speed=8) as sim, call(sim) as one:
        handle = await one.session.say("Welcome.")
        async with asyncio.timeout(TIMEOUT_S):
            await handle
        assert not handle.interrupted
        assert one.loud_frames > 10
        async with asyncio.timeout(TIMEOUT_S):
            handle = await one.session.reply("Greet the user.")
        assert handle.done()
        assert one.model.current_utterance is None


async def test_five_barge_ins_in_a_row_each_silence_the_agent() -> None:
    async with Simulator(audio_speed=8, replies=[ENDLESS]) as sim, call(sim) as one:
        handle = await one.session.say("A long welcome.")
        heard_ms = []
        for round_ in range(5):
            heard, begin = one.loud_frames, len(one.levels)
            await one.until(lambda heard=heard: one.loud_frames > heard + 20, f"{round_} speaks")
            heard_ms.append(20 * (await one.is_silenced() - begin))
            assert one.states.count("user:speaking") == round_ + 1
            assert handle.interrupted
        truncated = [one["audio_end_ms"] for one in sent(sim, "conversation.item.truncate")]
        assert len(truncated) == 5
        for told_ms, most_ms in zip(truncated, heard_ms, strict=True):
            assert 300 < told_ms <= most_ms + 400, "the fade is heard, too"
        assert one.errors == []


async def test_tools_sync_and_async_are_called_and_the_answer_is_spoken() -> None:
    threads = []

    @agents.function_tool
    async def get_weather(city: str, days: int = 1) -> dict[str, Any]:
        """The weather in a city.

        Args:
            city: its name.
            days: how many.
        """
        await asyncio.sleep(0.01)
        return {"city": city, "days": days, "sky": "clear"}

    @agents.function_tool
    def get_time() -> str:
        """The time."""
        threads.append(threading.current_thread())
        return "noon"

    async with (
        Simulator(
            audio_speed=8,
            replies=[
                ToolCall("get_weather", '{"city": "Oslo"}'),
                ToolCall("get_time"),
                Reply("Clear."),
            ],
        ) as sim,
        call(sim, tools=[get_weather, get_time]) as one,
    ):
        async with asyncio.timeout(TIMEOUT_S):
            await one.session.reply("How is the weather, and what time is it?")
        assert one.loud_frames > 10
        outputs = [
            event["item"]
            for event in sent(sim, "conversation.item.create")
            if event["item"]["type"] == "function_call_output"
        ]
        weather, time = (item["output"] for item in outputs)
        assert json.loads(weather) == {"city": "Oslo", "days": 1, "sky": "clear"}
        assert time == "noon"
        assert threads != [threading.main_thread()]
        calls = [item for item in one.agent.chat_context.items if hasattr(item, "call_id")]
        assert [call.name for call in calls] == ["get_weather"] * 2 + ["get_time"] * 2
        told = {tool["name"]: tool for tool in sent(sim, "session.update")[0]["session"]["tools"]}
        assert told["get_weather"]["parameters"]["required"] == ["city"]
        assert one.errors == []


async def test_a_tool_with_a_schema_of_its_own_gets_what_the_model_gave() -> None:
    """As those of the agent's MCP servers, which are known only after the first `set_agent`."""

    @agents.function_tool
    async def search(**given: Any) -> str:
        return json.dumps(given)

    search._tool_info.parameters_schema = {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    }
    replies = [ToolCall("search", '{"query": "x"}'), Reply("Found.")]
    tools: list[Any] = []
    async with Simulator(audio_speed=8, replies=replies) as sim:
        model = model_for(sim)
        agent = Agent(tools)
        model.set_agent(agent)
        agent._tools.append(search)
        model.set_agent(agent)
        await model.connect()
        reply = await model.send_text_message("Search.")
        while not reply.is_done:
            await model.audio_track.recv()
        (output,) = (
            event["item"]["output"]
            for event in sent(sim, "conversation.item.create")
            if event["item"]["type"] == "function_call_output"
        )
        assert json.loads(output) == {"query": "x"}
        await model.aclose()
