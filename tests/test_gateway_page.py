"""The gateway's page in a real browser, which hears a WAV file for a microphone."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from cli_support import started
from page_support import CHROMIUM, begin_call, chromium, open_page, served, write_conversation
from ports import reserved_port
from support import TIMEOUT_S, reply_pcm, until
from voicelane.simulator import Reply, ToolCall

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: scripts/system-packages, or CHROMIUM"
    ),
]
# A browser, its driver, a microphone that repeats itself every few seconds: nothing here is to time out.
LONG_S = 3 * TIMEOUT_S
expect.set_options(timeout=LONG_S * 1000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    folder = tmp_path_factory.mktemp("microphone")
    async with chromium(write_conversation(folder / "microphone.wav", pause_s=2.0)) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of its own, which must not meet a fault that nobody handles, or its security policy."""
    faults: list[str] = []
    async with open_page(browser) as page:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.append(told.text) if "Policy" in told.text else None)
        yield page
    assert faults == []


class Frames:
    """What the page's websockets carry."""

    def __init__(self, page: Page) -> None:
        self.sent: list[Any] = []
        self.received: list[Any] = []
        page.on("websocket", self._follow)

    def _follow(self, websocket: Any) -> None:
        websocket.on("framesent", lambda data: self.sent.append(_parsed(data)))
        websocket.on("framereceived", lambda data: self.received.append(_parsed(data)))

    def all_sent(self, kind: str) -> list[Any]:
        return _all(self.sent, kind)

    def all_received(self, kind: str) -> list[Any]:
        return _all(self.received, kind)

    @property
    def sent_audio_bytes(self) -> int:
        return sum(len(told) for told in self.sent if isinstance(told, bytes))

    @property
    def received_frames(self) -> list[int]:
        """Frames of audio between one clear and the next."""
        frames = [0]
        for told in self.received:
            if isinstance(told, bytes):
                frames[-1] += len(told) // 2
            elif told["type"] == "clear":
                frames.append(0)
        return frames


def _parsed(data: str | bytes) -> Any:
    return json.loads(data) if isinstance(data, str) else data


def _all(frames: list[Any], kind: str) -> list[Any]:
    return [told for told in frames if isinstance(told, dict) and told["type"] == kind]


def _ms(shown: str) -> int:
    return int(shown.split()[0])


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def line(page: Page, role: str) -> Locator:
    return page.locator(f"#transcript .{role} p")


async def level(page: Page, whose: str) -> float:
    style = await page.locator(f"#{whose}-level").get_attribute("style") or "0"
    return float(re.sub(r"[^0-9.e-]+", "", style.removeprefix("--level:")))


async def until_level(page: Page, whose: str, condition: Callable[[float], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not condition(await level(page, whose)):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Message to the agent").fill(text)
    await button(page, "Send").click()


# So long that it does not end before the microphone begins again.
TALE = Reply("Hello, " + "once upon a time " * 50, 10 * reply_pcm(0))


async def test_it_talks_and_a_barge_in_silences_it(page: Page) -> None:
    frames = Frames(page)
    async with served(page, replies=[TALE]) as server:
        await begin_call(page, server.url)
        await until_level(page, "user", lambda level: level > 0.3)
        await expect(line(page, "agent").filter(has_text="Hello").first).to_be_visible()
        await until_level(page, "agent", lambda level: level > 0.3)
        answer = page.locator("#answer-ms")
        await expect(answer).to_have_text(re.compile(r"\d+ ms"))
        # What the gateway measured, and then what the page took.
        told = [latency["first_audio_ms"] for latency in frames.all_received("latency")]
        assert _ms(await answer.inner_text()) >= min(told)
        # The recording begins again: the user talks into the answer. It is shown when the speaker is silent.
        await expect(page.locator("#silence-ms")).to_have_text(re.compile(r"\d+ ms"))
        await until_level(page, "agent", lambda level: level == 0)
        # The transcript ends where the user stopped to hear, though the whole text was there before.
        cut = page.locator("#transcript .agent.cut", has_text=re.compile("Hello.*…")).first
        await expect(cut).to_contain_text("interrupted")
        kept = await cut.locator("p").inner_text()
        assert kept.endswith("…")
        assert TALE.text.startswith(kept.removesuffix("…").rstrip())
        assert len(kept) < len(TALE.text)
        await expect(line(page, "user").first).to_contain_text("of speech")
        # The question stands before its answer, though its text comes later.
        await expect(page.locator("#transcript li").first).to_have_class("line user")
        reports = frames.all_sent("played")
        for clear, received in enumerate(frames.received_frames):
            played = [told["frames"] for told in reports if told["clear"] == clear]
            assert played == sorted(played)
            assert all(0 <= num_frames <= received for num_frames in played)
        assert any(told["frames"] for told in reports)


PLAY_AND_CLEAR = """async () => {
    let Player;
    const told = [];
    globalThis.sampleRate = 24000;
    globalThis.AudioWorkletProcessor = class {
        port = { postMessage: (message) => told.push(message.type) };
    };
    globalThis.registerProcessor = (_, processor) => (Player = processor);
    await import("/static/player-worklet.js");
    const player = new Player();
    const take = (data) => player.port.onmessage({ data });
    const play = (blocks) => Array.from({ length: blocks }, () => {
        const output = new Float32Array(128);
        player.process([], [[output]]);
        return [...output];
    }).flat();
    take(new Int16Array(24000).fill(8192).buffer);
    const before = play(10);
    take(1);
    const after = play(300);
    take(new Int16Array(24000).fill(-8192).buffer);
    return { before, after, next: play(10), told: told.filter((type) => type !== "played") };
}"""


async def test_what_the_player_held_is_not_heard_after_a_clear(page: Page) -> None:
    async with served(page) as server:
        await page.goto(server.url)
        heard = await page.evaluate(PLAY_AND_CLEAR)
    assert heard["before"] == [0.25] * 1280
    fade, silence = heard["after"][:240], heard["after"][240:]
    assert fade == sorted(fade, reverse=True)
    assert (fade[0], silence) == (0.25, [0] * len(silence))
    assert heard["next"] == [-0.25] * 1280
    assert heard["told"] == ["started", "silent", "started"]


async def test_a_killed_server_is_survived(page: Page) -> None:
    with reserved_port() as port:
        serve = ("serve", "--simulator", "--port", port)
        async with started(*serve) as run:
            await run.line_with("gateway to")
            await page.context.clear_permissions()
            await begin_call(page, f"http://127.0.0.1:{port}")
            await write(page, "Hello?")
            await expect(line(page, "user")).to_have_text("Hello?")
            run.process.send_signal(signal.SIGKILL)
            await expect(page.get_by_role("alert")).to_contain_text("Connection lost")
            await expect(page.locator("#connection")).to_contain_text("Trying again")
        async with started(*serve) as run:
            await run.line_with("gateway to")
            await expect(page.locator("#connection")).to_have_text("Connected")
            await expect(page.get_by_role("alert")).to_be_hidden()
            await write(page, "And now?")
            await expect(line(page, "user")).to_have_text(["Hello?", "And now?"])
            await expect(page.locator("#transcript .divider")).to_contain_text("New call")
            await expect(line(page, "agent").last).to_contain_text("Hello")


async def test_a_denied_microphone_leaves_writing(page: Page) -> None:
    await page.context.clear_permissions()
    frames = Frames(page)
    async with served(page) as server:
        await begin_call(page, server.url)
        await expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked")
        await expect(button(page, "Use microphone")).to_be_enabled()
        await write(page, "Hello?")
        await expect(line(page, "agent")).to_contain_text("Hello")
    assert frames.all_sent("mute") == [{"type": "mute", "muted": True}]
    assert frames.sent_audio_bytes == 0


async def test_a_wrong_token_is_asked_for_again(page: Page) -> None:
    async with served(page, token="right") as server:
        await page.goto(f"{server.url}/#token=wrong")
        await button(page, "Start call").click()
        dialog = page.get_by_role("dialog", name="Access token")
        await expect(dialog).to_contain_text("did not take this token")
        assert "wrong" not in page.url
        await dialog.get_by_label("Token").fill("right")
        await page.keyboard.press("Enter")
        await expect(page.locator("#connection")).to_have_text("Connected")
        await expect(dialog).to_be_hidden()


async def test_a_full_server_is_told_and_tried_again(page: Page) -> None:
    async with served(page, max_calls=1) as server:
        async with server.call():
            await page.goto(server.url)
            await button(page, "Start call").click()
            await expect(page.get_by_role("alert")).to_contain_text("All lines are busy")
            await expect(page.locator("#connection")).to_contain_text("Trying again in")
        await button(page, "Try now").click()
        await expect(page.locator("#connection")).to_have_text("Connected")


async def test_the_keyboard_is_enough(page: Page) -> None:
    frames = Frames(page)
    state = page.locator("#state")
    async with served(page, replies=[TALE]) as server:
        await page.goto(server.url)
        await _tab_to(page, "call")
        await page.keyboard.press("Enter")
        await expect(page.locator("#connection")).to_have_text("Connected")
        await page.keyboard.press("Control+m")
        await expect(button(page, "Unmute")).to_be_visible()
        await _tab_to(page, "text")
        await page.keyboard.type("Hello?")
        await page.keyboard.press("Enter")
        await expect(state).to_have_text("The agent is speaking")
        await page.keyboard.press("Escape")
        await expect(state).to_have_text("Listening")
        await page.keyboard.press("Control+m")
        await _tab_to(page, "turn-detection")
        await page.keyboard.press("End")
        await expect(button(page, "Hold to talk")).to_be_enabled()
        await _tab_to(page, "talk")
        before = frames.sent_audio_bytes
        await page.keyboard.down(" ")
        await expect(state).to_have_text("You are speaking")
        await until(lambda: frames.sent_audio_bytes >= before + 48_000)
        await page.keyboard.up(" ")
        await expect(state).to_have_text("The agent is speaking")
        talks = [told["talking"] for told in frames.all_sent("talk")]
        assert talks == [True, False]
        await page.locator("#talk:focus").evaluate(SLIP_OF_THE_FINGER)
        await expect(page.get_by_role("alert")).to_contain_text("Hold the button")
        await _tab_to(page, "notice-action")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_be_hidden()


# Both at once: between two key presses from outside there may be time enough for a turn.
SLIP_OF_THE_FINGER = """button => ["keydown", "keyup"].forEach(
    (type) => button.dispatchEvent(new KeyboardEvent(type, { key: " ", bubbles: true }))
)"""


async def _tab_to(page: Page, identifier: str) -> None:
    for _ in range(20):
        if await page.locator(f"#{identifier}:focus").count():
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no Tab leads to {identifier}")


async def test_tools_are_shown(page: Page) -> None:
    def get_weather(city: str) -> str:
        """The weather."""
        return f"Rain in {city}"

    replies = [ToolCall("get_weather", '{"city": "Oslo"}'), Reply("It rains.")]
    async with served(page, tools=[get_weather], replies=replies) as server:
        await page.context.clear_permissions()
        await begin_call(page, server.url)
        await write(page, "Do I need an umbrella?")
        tool = page.locator("#transcript .tool")
        await expect(tool.locator("summary")).to_contain_text(re.compile(r"get_weather.*\d+ ms"))
        await tool.locator("summary").click()
        await expect(tool).to_contain_text("Rain in Oslo")
        await expect(tool).to_contain_text('"city": "Oslo"')


async def test_every_control_has_a_name(page: Page) -> None:
    async with served(page) as server:
        await begin_call(page, server.url)
        await page.get_by_label("Turn detection").select_option("none")
        await expect(button(page, "Hold to talk")).to_be_visible()
        controls = page.locator("button:visible, input:visible, select:visible, summary:visible")
        tree = await page.locator("body").aria_snapshot()
        named = re.findall(r'- (?:button|textbox|combobox) "[^"]+"', tree)
        nameless = re.findall(r"- (?:button|textbox|combobox)(?: \[|:|$)", tree, re.MULTILINE)
        assert nameless == []
        assert len(named) >= await controls.count() - 1  # a summary is no button in the tree
        assert await page.locator("img:not([alt])").count() == 0
        assert await page.locator("html[lang]").count() == 1
        ids = await page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
        assert len(ids) == len(set(ids))
        # Nothing is wider than the narrowest phone, or than a wide one at 400 %.
        await page.set_viewport_size({"width": 320, "height": 568})
        width = await page.locator("html").evaluate("html => html.scrollWidth")
        assert width == 320


FILL = """async () => {
    const { Transcript } = await import("/static/transcript.js");
    const [list, scroller] = ["transcript", "scroller"].map((id) => document.getElementById(id));
    const transcript = new Transcript(list, scroller, () => {});
    const said = (id, text) => transcript.said({ id, role: "agent", text, is_final: true });
    list.hidden = true;  // nearly all of it costs no layout
    for (let id = 1; id <= 1490; id++) said(id, `Sentence ${id}`);
    list.hidden = false;
    scroller.scrollTop = scroller.scrollHeight;
    for (let id = 1491; id <= 1500; id++) said(id, `Sentence ${id}`);
}"""


async def test_a_long_call_does_not_grow_without_a_bound(page: Page) -> None:
    async with served(page) as server:
        await page.goto(server.url)
        await page.evaluate(FILL)
        await expect(page.locator("#transcript li")).to_have_count(1000)
        await expect(line(page, "agent").last).to_have_text("Sentence 1500")
        await expect(line(page, "agent").last).to_be_in_viewport()
