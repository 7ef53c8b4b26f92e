"""A session with tools, at a simulator that calls them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support import TIMEOUT_S, EventLog, read_all
from voicelane import (
    AzureVoiceLive,
    ToolSet,
)
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


# --- closing ---------------------------------------------------------------------------------


def tool_tasks() -> list[str]:
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("voicelane-tool", "voicelane-approval"))]
