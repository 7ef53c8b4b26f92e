"""One plugin's part in compare_with_original.py: `videosdk_session.py MODULE`. Prints what it saw, as JSON.

Every step has a session of its own, and time-outs, so that one that hangs does not hide the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "drop_in")]

import videosdk.agents as agents  # noqa: E402
from harness import Agent, Call, sent  # noqa: E402

from voicelane.simulator import Reply, Simulator, ToolCall  # noqa: E402

# As long as the simulator takes to answer, several times over.
STEP_S = 10.0
BARGE_INS = 5
Seen = dict[str, str]


class Run:
    """The steps, and what all of them saw together."""

    def __init__(self, plugin: Any) -> None:
        self.plugin = plugin
        self.errors: list[str] = []
        self.finals: list[str] = []
        self.truncations = 0
        self.tasks_left: list[str] = []

    @contextlib.asynccontextmanager
    async def call(self, *, tools: Any = None, **simulated: Any) -> AsyncIterator[Call]:
        before = asyncio.all_tasks()
        async with Simulator(audio_speed=8, **simulated) as sim:
            config = self.plugin.AzureVoiceLiveConfig(turn_detection_silence_duration_ms=200)
            model = self.plugin.AzureVoiceLive(
                model="gpt-realtime", endpoint=sim.endpoint, api_key=sim.api_key, config=config
            )
            one = Call(model, Agent(tools))
            await one.start()
            listener = asyncio.create_task(one.listen())
            try:
                yield one
            finally:
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(one.session.close(), STEP_S)
                self.errors += map(str, one.errors)
                self.finals += [said["role"] for said in one.said if said["is_final"]]
                self.truncations += len(sent(sim, "conversation.item.truncate"))
        await asyncio.sleep(0.1)  # what was cancelled ends
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        self.tasks_left += [task.get_name() for task in left if not task.done()]

    async def say(self) -> Seen:
        async with self.call() as one:
            return {"`await session.say(...)`": await ended(one, one.session.say("Welcome."))}

    async def reply(self) -> Seen:
        async with self.call() as one:
            return {"`await session.reply(...)`": await ended(one, one.session.reply("Greet me."))}

    async def turn(self) -> Seen:
        async with self.call() as one:
            await ask(one)
            await within(lambda: "agent:speaking" in one.states and one.states[-1] == "agent:idle")
            states = [state.removeprefix("agent:") for state in one.states if "agent:" in state]
            return {
                "a question is answered": heard(one),
                "states of the agent": ", ".join(states) or "none",
            }

    async def barge_in(self) -> Seen:
        levels = []
        async with self.call() as one:
            started: list[Any] = []
            one.model.on("user_speech_started", lambda data: started.append(data))
            await ask(one)
            for _ in range(BARGE_INS):
                before, begun = one.loud_frames, len(started)
                await within(lambda before=before: one.loud_frames > before + 20)
                talk = asyncio.create_task(one.speak(0.6))
                await within(lambda begun=begun: len(started) > begun)
                at = len(one.levels)
                await talk
                await within(lambda at=at: len(one.levels) >= at + 30)
                levels.append(max(one.levels[at + 25 : at + 30], default=0.0))
                await one.silence(0.5)
        row = f"loudness 0.5 s after barge-in 1 to {BARGE_INS}"
        return {row: ", ".join(f"{level:.0f}" for level in levels)}

    async def tool(self) -> Seen:
        called: list[str] = []

        @agents.function_tool
        async def get_time() -> str:
            """The time of day."""
            called.append("get_time")
            return "noon"

        replies = [ToolCall("get_time"), Reply("It is noon.")]
        async with self.call(tools=[get_time], replies=replies) as one:
            await ask(one)
            await within(lambda: one.loud_frames > 20)
            return {
                "a tool of the agent": "called" if called else "not called",
                "the answer with it": heard(one),
            }


async def ask(one: Call) -> None:
    await one.speak(0.6)
    await one.silence(0.5)


async def ended(one: Call, begun: Any) -> str:
    """Whether what `say` or `reply` gives is done, and when."""
    at_s = time.monotonic()
    try:
        async with asyncio.timeout(STEP_S):
            handle = await begun
            if handle is not None:
                await handle
    except TimeoutError:
        return f"not done after {STEP_S:.0f} s, {heard(one)}"
    return f"done after {time.monotonic() - at_s:.1f} s, {heard(one)}"


def heard(one: Call) -> str:
    return "heard" if one.loud_frames > 20 else "nothing heard"


async def within(condition: Any) -> bool:
    """Waits until it is so, or the step's time is over. Returns whether it is."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STEP_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    return bool(condition())


async def main() -> Seen:
    run = Run(importlib.import_module(sys.argv[1]))
    seen: Seen = {}
    for step in (run.say, run.reply, run.turn, run.barge_in, run.tool):
        seen |= await step()
    finals = (f"{run.finals.count(role)} of the {role}" for role in ("user", "agent"))
    return seen | {
        "truncations sent": str(run.truncations),
        "final transcripts": ", ".join(finals),
        "`error` events": str(len(run.errors)),
        "tasks left after `close()`": str(len(run.tasks_left)),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
