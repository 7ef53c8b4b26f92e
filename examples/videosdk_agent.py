"""An agent of VideoSDK Agents 1.x, whole: it greets the caller, and calls a tool to answer. No room needed.

Needs ``pip install 'voicelane[videosdk]'``. Talks to the service named by AZURE_VOICE_LIVE_ENDPOINT and
AZURE_VOICE_LIVE_API_KEY, or to the embedded simulator where there is none:

    python examples/videosdk_agent.py
"""

import asyncio

from videosdk.agents import Agent, AgentSession, CustomAudioStreamTrack, Pipeline, function_tool

from shared import account, arguments, run
from voicelane.simulator import Reply, ToolCall
from voicelane.videosdk import AzureVoiceLive

GREETING = "Welcome! How can I help?"
# The simulator understands nothing, so it is told; a model decides by itself to call the tool.
SCRIPT = [
    ToolCall("get_weather", '{"city": "Oslo"}'),
    Reply("The sky over Oslo is clear."),
]


@function_tool
async def get_weather(city: str) -> dict[str, str]:
    """The weather now.

    Args:
        city: where.
    """
    print(f"get_weather({city!r})")
    return {"city": city, "sky": "clear"}


class Host(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a friendly host. Be brief.", tools=[get_weather])

    async def on_enter(self) -> None:
        await self.session.say(GREETING)

    async def on_exit(self) -> None:
        print("goodbye")


def show(said: dict[str, object]) -> None:
    if said["is_final"]:
        print(f"{said['role']}: {said['text']}")


async def listen(track: CustomAudioStreamTrack) -> None:
    """Stands for the caller; a room does this by itself."""
    while True:
        await track.recv()


async def main() -> None:
    async with account(replies=SCRIPT) as where:
        model = AzureVoiceLive(model="gpt-realtime", **where)
        pipeline = Pipeline(llm=model)
        session = AgentSession(agent=Host(), pipeline=pipeline)
        session.on("agent_state_changed", lambda change: print(f"[{change['state']}]"))
        model.on("realtime_model_transcription", show)

        # In a job, `await context.connect()` does this with the room's track.
        loop = asyncio.get_running_loop()
        track = CustomAudioStreamTrack(loop)
        pipeline._set_loop_and_audio_track(loop, track)
        caller = asyncio.create_task(listen(track))

        await session.start()
        await session.reply("What is the weather like in Oslo?")
        await session.close()
        caller.cancel()


if __name__ == "__main__":
    arguments(__doc__).parse_args()
    run(main())
