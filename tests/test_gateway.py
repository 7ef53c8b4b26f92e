"""Calls of browsers: audio, barge-in, tools, push-to-talk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway_support import LONG, SAID, Browser, gateway, voiced
from neighbour import nothing_left
from support import until
from voicelane.simulator import Reply, ToolCall


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    async with nothing_left():
        yield


async def speak(browser: Browser, seconds: float) -> None:
    """A question, 20 ms at a time, as fast as the gateway allows."""
    pcm = voiced(seconds)
    for start in range(0, len(pcm), 1920):
        await browser.websocket.send_bytes(pcm[start : start + 1920])


async def test_a_typed_question_is_answered_in_voice() -> None:
    async with gateway() as server, server.call() as browser:
        await browser.say(type="text", text="Hello?")
        await browser.until("state", lambda told: told["state"] == "speaking")
        await browser.until("state", lambda told: told["state"] == "listening")
        assert bytes(browser.heard) == SAID[0]
        said = [told for told in browser.told if told["type"] == "transcript" and told["is_final"]]
        assert [(one["id"], one["role"]) for one in said] == [(1, "user"), (2, "agent")]
        assert said[1]["text"] == "Hello."


async def test_speech_is_heard_and_answered() -> None:
    async with gateway() as server, server.call() as browser:
        began_s = time.monotonic()
        await speak(browser, 0.8)
        await browser.say(type="mute", muted=True)  # which ends the turn
        await browser.until("state", lambda told: told["state"] == "user_speaking")
        await browser.until("state", lambda told: told["state"] == "thinking")
        # Nothing was being played: there is nothing to clear.
        assert browser.all("clear") == []
        latency = await browser.until("latency")
        assert 0 <= latency["first_audio_ms"] <= (time.monotonic() - began_s) * 1000 + 1
        await browser.until("state", lambda told: told["state"] == "listening")
        assert bytes(browser.heard) == SAID[0]


TALE = " ".join(f"word{number}" for number in range(60))


async def test_an_interrupt_clears_and_tells_the_service_what_was_heard() -> None:
    async with (
        gateway(replies=[Reply(TALE, LONG.pcm), Reply("Hello.", SAID[0])]) as server,
        server.call() as browser,
    ):
        await browser.say(type="text", text="Hello?")
        # With the end of its text the whole answer was received: it is known what share of it was heard.
        await browser.until("transcript", lambda told: told["is_final"] and told["role"] == "agent")
        while len(browser.heard) < 48_000 // 2:
            await browser.step()
        reported_s = time.monotonic()
        await browser.say(type="played", clear=0, frames=6_000)
        await browser.say(type="interrupt")
        clear = await browser.until("clear")
        since_ms = (time.monotonic() - reported_s) * 1000
        heard = len(browser.heard)
        assert clear["clear"] == 1
        await browser.say(type="ping", id=7)
        assert (await browser.until("pong"))["id"] == 7
        assert len(browser.heard) == heard, "audio after the clear"
        received = server.sim.connections[0].received
        await until(lambda: received[-1]["type"] == "conversation.item.truncate")
        # 250 ms (both figures are rounded), and what the clock says was played since that report.
        heard_ms = received[-1]["audio_end_ms"]
        assert 248 <= heard_ms <= 252 + since_ms
        # The whole text was told long before; what the page keeps of it is what was heard.
        assert [told["text"] for told in browser.all("transcript")][-1] == TALE
        [cut] = browser.all("transcript_cut")
        assert cut["id"] == browser.all("transcript")[-1]["id"]
        assert TALE.startswith(cut["text"])
        share = heard_ms / (len(LONG.pcm) / 48)
        assert abs(len(cut["text"].split()) - share * len(TALE.split())) <= 1
        await browser.say(type="text", text="And now?")
        await browser.until("state", lambda told: told["state"] == "speaking")
        await browser.until("state", lambda told: told["state"] == "listening")
        assert bytes(browser.heard[heard:]) == SAID[0]


async def test_barge_in_by_voice() -> None:
    async with gateway(replies=[LONG]) as server, server.call() as browser:
        await browser.say(type="text", text="Hello?")
        await browser.until("state", lambda told: told["state"] == "speaking")
        await speak(browser, 0.8)
        await browser.until("clear")
        heard = len(browser.heard)
        assert heard < len(LONG.pcm)
        await browser.say(type="ping", id=1)
        await browser.until("pong")
        assert len(browser.heard) == heard


async def test_tools_are_shown_as_they_run() -> None:
    def add(a: int, b: int) -> int:
        """A sum."""
        return a + b

    replies = [ToolCall("add", '{"a": 2, "b": 3}'), Reply("Five.")]
    async with gateway(tools=[add], replies=replies) as server, server.call() as browser:
        await browser.say(type="text", text="Two and three?")
        call = await browser.until("tool_call")
        result = await browser.until("tool_result")
        assert (call["name"], call["arguments"]) == ("add", '{"a": 2, "b": 3}')
        assert (result["id"], result["output"], result["is_error"]) == (call["id"], "5", False)


async def test_push_to_talk() -> None:
    async with gateway() as server, server.call(turn_detection="none") as browser:
        await browser.say(type="talk", talking=True)
        await browser.say(type="talk", talking=False)
        assert (await browser.until("error"))["code"] == "too_short"
        await browser.say(type="talk", talking=True)
        await speak(browser, 0.8)
        await browser.say(type="talk", talking=False)
        await browser.until("state", lambda told: told["state"] == "speaking")


async def test_options_change_and_are_refused_by_name() -> None:
    async with gateway() as server, server.call() as browser:
        await browser.say(type="options", turn_detection="none")
        changed = await browser.until("options")
        assert changed["turn_detection"] == "none"
        await browser.say(type="text", text="Hello?")
        await browser.until("state", lambda told: told["state"] == "speaking")
        await browser.say(type="options", voice="de-DE-KatjaNeural")
        refused = await browser.until("error")
        assert refused["code"] == "refused"
        assert refused["message"].startswith("voice: ")


async def test_drain_lets_calls_end_and_takes_no_new_ones() -> None:
    async with gateway() as server, server.call() as browser:
        draining = asyncio.create_task(server.gateway.drain(60))
        assert (await browser.until("draining"))["seconds"] == 60
        async with server.http.get(f"{server.url}/ws") as answer:
            assert answer.status == 503
        async with server.http.get(f"{server.url}/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"status": "draining"})
        await browser.say(type="ping", id=1)
        await browser.until("pong")
        await browser.websocket.close()
        await draining
        assert server.gateway.num_calls == 0


async def test_what_outlasts_the_drain_is_ended() -> None:
    async with gateway() as server, server.call() as browser:
        await server.gateway.drain(0.01)
        assert await browser.close_code() == 1001
