"""Tools: the agent looks something up while it goes on listening and speaking.

Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded
simulator where there is none:

    python examples/tools.py
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Literal

from shared import account, arguments, run
from voicelane import AzureVoiceLive, Tool
from voicelane.errors import ToolError
from voicelane.events import FunctionExecutedPayload, TranscriptionPayload
from voicelane.simulator import Reply, ToolCall

# What the simulator's model does: it understands nothing, so it is told.
SCRIPT = [
    ToolCall("get_weather", '{"city": "London", "unit": "celsius"}'),
    Reply("It is foggy in London, at 12 degrees."),
    ToolCall("find_table", '{"guests": 40}'),
    Reply("I am sorry, they have no table for forty."),
]


@dataclass
class Weather:
    sky: str
    degrees: float


async def get_weather(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> Weather:
    """The weather in a city now.

    Args:
        city: its name, without the country.
    """
    await asyncio.sleep(0.1)  # a request to somewhere
    return Weather("fog", 12 if unit == "celsius" else 54)


def find_table(guests: Annotated[int, "how many people"]) -> str:
    """A free table in the restaurant, for tonight."""
    if guests > 12:
        raise ToolError("there is no table for more than 12")
    return "table 7"


async def main() -> None:
    async with account(replies=SCRIPT) as where:
        tools = [get_weather, Tool(find_table, timeout_s=5)]
        model = AzureVoiceLive(model="gpt-realtime", tools=tools, **where)
        spoken: asyncio.Queue[str] = asyncio.Queue()

        @model.on("realtime_model_function_executed")
        def show(call: FunctionExecutedPayload) -> None:
            print(f"{call['name']}({call['arguments']}) -> {call['output']}")

        @model.on("realtime_model_transcription")
        def listen(said: TranscriptionPayload) -> None:
            if said["role"] == "agent" and said["is_final"]:
                spoken.put_nowait(said["text"])

        model.on("error", print)
        async with model:
            for question in ("What is the weather in London?", "Have you a table for forty?"):
                print(f"user: {question}")
                await model.send_text_message(question)
                print(f"agent: {await spoken.get()}")


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
