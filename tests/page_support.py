"""The gateway's page in a browser: Debian's Chromium, which hears a WAV file for a microphone."""

from __future__ import annotations

import os
import shutil
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from gateway_support import Server, gateway
from support import reply_pcm, speech
from voicelane.simulator import Reply

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)


# Longer than the pause of the microphone.
LONG = Reply("Hello, I can hear you well. How can I help?", reply_pcm(0))


def write_conversation(path: Path, pause_s: float) -> Path:
    """A WAV that Chromium plays in a loop: 1.6 s of speech, and a pause for the agent to begin in."""
    pcm, rate_hz, _ = speech("barge-in-48k-mono.wav")
    silence = bytes(2 * int(pause_s / 2 * rate_hz))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(silence + pcm[2 * int(2.0 * rate_hz) : 2 * int(3.6 * rate_hz)] + silence)
    return path


@asynccontextmanager
async def chromium(microphone: Path) -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}",
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A page in a profile of its own, which may use the microphone."""
    context = await browser.new_context(permissions=["microphone"], **options)
    try:
        yield await context.new_page()
    finally:
        await context.close()


@asynccontextmanager
async def served(page: Page, **settings: Any) -> AsyncIterator[Server]:
    """A gateway, which the page has left before it stops: it would try to come back."""
    settings.setdefault("replies", [LONG])
    async with gateway(**settings) as server:
        yield server
        await page.goto("about:blank")


async def begin_call(page: Page, url: str) -> None:
    await page.goto(url)
    await page.get_by_role("button", name="Start call").click()
    await expect(page.locator("#connection")).to_have_text("Connected")
