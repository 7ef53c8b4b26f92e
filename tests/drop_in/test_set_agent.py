"""Another agent, or another tool, in the course of a call."""

from __future__ import annotations

from typing import Any

import videosdk.agents as agents
from aiohttp import web
from harness import Agent, call, sent

from support import service, until
from voicelane.simulator import Reply, Simulator, ToolCall
from voicelane.videosdk import AzureVoiceLive, AzureVoiceLiveConfig


@agents.function_tool
async def get_time() -> str:
    """The time of day."""
    return "noon"


class Clerk(Agent):
    def __init__(self, tools: Any = None) -> None:
        super().__init__(tools)
        self.instructions = "Take the order."


async def test_an_open_session_takes_the_agent_at_once() -> None:
    replies = [ToolCall("get_time"), Reply("It is noon.")]
    async with Simulator(audio_speed=8, replies=replies) as sim, call(sim) as one:
        one.model.set_agent(Clerk([get_time]))
        await until(lambda: len(sent(sim, "session.update")) == 2)
        changed = sent(sim, "session.update")[1]["session"]
        assert set(changed) == {"instructions", "tools"}
        assert changed["instructions"].startswith("Take the order.")
        assert [tool["name"] for tool in changed["tools"]] == ["get_time"]
        await until(lambda: len(one.model._core.tools) == 1)
        await one.session.reply("What time is it?")
        outputs = [
            event["item"]["output"]
            for event in sent(sim, "conversation.item.create")
            if event["item"]["type"] == "function_call_output"
        ]
        assert outputs == ["noon"]
        assert one.errors == []


async def test_an_agent_of_the_service_keeps_its_instructions() -> None:
    config = AzureVoiceLiveConfig(agent={"agent_name": "clerk", "project_name": "desk"})
    async with Simulator() as sim, call(sim, model="", config=config) as one:
        one.model.set_agent(Clerk([get_time]))
        await until(lambda: len(sent(sim, "session.update")) == 2)
        assert set(sent(sim, "session.update")[1]["session"]) == {"tools"}
        assert one.errors == []


async def test_what_the_service_knows_is_not_told_again() -> None:
    async with Simulator(audio_speed=8) as sim, call(sim, tools=[get_time]) as one:
        one.model.set_agent(one.agent)
        one.agent.instructions = "Be quick."
        one.model.set_agent(one.agent)
        one.model.set_agent(one.agent)
        await until(lambda: len(sent(sim, "session.update")) == 2)
        await one.session.say("Hello.")
        assert len(sent(sim, "session.update")) == 2


async def test_the_last_of_several_changes_is_what_stays() -> None:
    async with Simulator(audio_speed=8) as sim, call(sim) as one:
        one.model.set_agent(Clerk())
        one.model.set_agent(Clerk([get_time]))
        one.model.set_agent(Clerk())
        await until(lambda: len(sent(sim, "session.update")) == 4)
        told = [len(update["session"].get("tools", ())) for update in sent(sim, "session.update")]
        assert told == [0, 0, 1, 0]
        await until(lambda: not one.model._tasks)
        assert one.model._core.tools == []
        assert one.errors == []


async def test_a_change_that_the_service_refuses_is_an_error_event() -> None:
    async def refuse(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        update = await websocket.receive_json()
        error = {"message": "Too many tools.", "event_id": update["event_id"]}
        await websocket.send_json({"type": "error", "error": error})
        await websocket.receive()

    async with service(refuse) as endpoint:
        model = AzureVoiceLive(model="gpt-realtime", endpoint=endpoint, api_key="key")
        errors: list[str] = []
        model.on("error", lambda error: errors.append(error))
        await model.connect()
        model.set_agent(Clerk([get_time]))
        await until(lambda: bool(errors))
        assert errors == ["Error updating the agent: Azure Voice Live error: Too many tools."]
        assert model._core.tools == []
        await model.aclose()
