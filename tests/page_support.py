"""The gateway's page in a browser: Debian's Chromium, which hears a WAV file for a microphone."""

from __future__ import annotations

import os
import shutil
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from support import speech

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def write_conversation(path: Path, pause_s: float) -> Path:
    """A WAV that Chromium plays in a loop: 1.6 s of speech, and a pause in which the agent begins to answer."""
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
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}",
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        try:
            yield browser
        finally:
            await browser.close()
