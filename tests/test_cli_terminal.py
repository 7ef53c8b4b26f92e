"""The live view of `voicelane talk`: on a pseudo-terminal, and what its parts compute."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import re
import sys
from array import array
from pathlib import Path

import pytest

from cli_support import API_KEY, REPLIES, RUN_TIMEOUT_S, calling, read_reply, speech, write_wav
from support import environment
from voicelane.cli.conversation import Status
from voicelane.cli.live_view import LiveView, level
from voicelane.cli.views import PlainView
from voicelane.simulator import Reply, Simulator

TERMINAL = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
REPLY = Reply("It is [bold]five[/bold] o'clock.", REPLIES[1][: 48 * 800])


def full_scale(sample: int) -> bytes:
    return array("h", [0, sample, -sample]).tobytes()


@pytest.mark.parametrize(
    ("pcm", "expected"),
    [
        (b"", 0.0),
        (full_scale(0), 0.0),
        (full_scale(1), 0.0),  # -90 dBFS
        (full_scale(1036), 0.5),  # -30 dBFS
        (full_scale(32767), 1.0),
        (array("h", [-32768]).tobytes(), 1.0),
    ],
)
def test_a_level_is_the_peak_on_a_scale_of_60_db(pcm: bytes, expected: float) -> None:
    assert level(pcm) == pytest.approx(expected, abs=0.001)


def test_plain_lines_tell_the_progress_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    file = io.StringIO()
    status = Status(duration_s=20.0)
    with PlainView(file) as view:
        for _ in range(12 * 4):
            now_s += 0.25
            status.heard_s += 0.25
            view.show(status)
        view.note("user speaks")
    assert file.getvalue().splitlines() == [
        "   5.00 s  5.0 of 20.0 s sent",
        "  10.00 s  10.0 of 20.0 s sent",
        "  12.00 s  user speaks",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("speaks", [{"user"}, {"agent"}, {"user", "agent"}, set()])
def test_the_live_view_shows_who_speaks(speaks: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in TERMINAL.items():
        monkeypatch.setenv(name, text)
    terminal = Terminal()
    with LiveView(terminal) as view:
        view.show(Status(1.0, user_speaks="user" in speaks, agent_speaks="agent" in speaks))
    text = ANSI.sub("", terminal.getvalue())
    assert set(re.findall(r"(user|agent) +\S*━+\S* speaks", text)) == speaks


async def on_a_terminal(*args: object, stream: str, **variables: str) -> tuple[int, str]:
    """Runs `voicelane ARGS` with one stream on a terminal; its exit code, and what was shown."""
    parent, child = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicelane", *map(str, args)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=child if stream == "stdout" else asyncio.subprocess.DEVNULL,
        stderr=child,
        env=environment(**TERMINAL | variables),
    )
    os.close(child)
    shown = bytearray()
    closed = asyncio.Event()

    def read() -> None:
        try:
            data = os.read(parent, 65536)
        except OSError:  # EIO: the other end is closed
            data = b""
        shown.extend(data)
        if not data:
            loop.remove_reader(parent)
            closed.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(parent, read)
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            await closed.wait()
            exit_code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        loop.remove_reader(parent)
        os.close(parent)
    return exit_code, shown.decode()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_the_live_view(tmp_path: Path, stream: str) -> None:
    question = write_wav(tmp_path / "question.wav", speech(0.4))
    async with Simulator(
        api_key=API_KEY, replies=[REPLY], user_transcripts=["What time is it?"], audio_speed=1.0
    ) as simulator:
        exit_code, shown = await on_a_terminal(
            *("talk", question, "-o", tmp_path / "reply.wav"),
            *(["--json", "--fast"] if stream == "stderr" else []),
            stream=stream,
            **calling(simulator.endpoint),
        )
    assert exit_code == 0
    assert "Traceback" not in shown
    assert API_KEY not in shown
    assert read_reply(tmp_path / "reply.wav") == REPLY.pcm
    assert "\x1b[?25l" in shown, "hides the cursor"
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "and shows it again"
    text = ANSI.sub("", shown)
    assert re.search(r"file +\S*━+\S* +0\.\d of 0\.4 s", text)
    assert "user  What time is it?\r\n" in text
    assert "agent It is [bold]five[/bold] o'clock.\r\n" in text
    if stream == "stdout":
        assert "turns        1, 1 answered" in text


async def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    question = write_wav(tmp_path / "question.wav", speech(0.4))
    async with Simulator(api_key=API_KEY, replies=[REPLY]) as simulator:
        exit_code, shown = await on_a_terminal(
            *("talk", question, "-o", tmp_path / "reply.wav", "--fast"),
            stream="stdout",
            TERM="dumb",
            **calling(simulator.endpoint),
        )
    assert exit_code == 0
    assert "\x1b" not in shown
    assert "user speaks" in shown
