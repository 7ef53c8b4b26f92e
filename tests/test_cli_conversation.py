"""What `voicelane talk` makes of a call, on a clock of the test's own: its pace, and when it gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cli_support import REPLIES, read_reply, speech, write_wav
from clock import Clock
from voicelane import PlaybackBuffer
from voicelane.cli.audio_file import AudioInput, ReplyFile
from voicelane.cli.conversation import CHUNK_MS, Conversation
from voicelane.cli.exit_codes import CommandError, ExitCode
from voicelane.cli.views import View
from voicelane.emitter import EventEmitter

REPLY_TIMEOUT_S = 0.4
QUESTION_S = 0.4


class Session(EventEmitter):
    """In the place of a connected one: notes what it hears; the test emits what it says."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.playback = PlaybackBuffer()
        # How much of the user, and when, in seconds.
        self.heard: list[tuple[float, float]] = []
        self._clock = clock
        self._started_s = clock.now_s

    async def handle_audio_input(self, pcm: bytes) -> None:
        before_s = self.heard[-1][0] if self.heard else 0.0
        heard_s = before_s + len(pcm) / 48_000
        self.heard.append((heard_s, self._clock.now_s - self._started_s))

    async def flush_audio(self) -> None:
        pass

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()

    def hear_a_turn(self) -> None:
        self.emit("user_speech_started")
        self.emit("user_speech_ended")

    def say(self, pcm: bytes) -> None:
        self.playback.write(pcm)

    def end_response(self, status: str) -> None:
        self.emit("response_done", {"status": status})


@asynccontextmanager
async def talking(
    folder: Path, clock: Clock, *, fast: bool
) -> AsyncIterator[tuple[Session, asyncio.Task[None]]]:
    """A conversation that asks a question, and the session that it is held with."""
    session: Any = Session(clock)
    reply = ReplyFile(folder / "reply.wav")
    with AudioInput(write_wav(folder / "question.wav", speech(QUESTION_S))) as audio:
        conversation = Conversation(
            session, audio, reply, View(), fast=fast, reply_timeout_s=REPLY_TIMEOUT_S
        )
        running = asyncio.create_task(conversation.run())
        try:
            yield session, running
        finally:
            running.cancel()
            await asyncio.wait({running})
            reply.close()


@pytest.fixture
def clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr("voicelane.cli.conversation.time.monotonic", lambda: clock.now_s)
    return clock


async def test_it_speaks_at_the_pace_of_time_and_catches_up(tmp_path: Path, clock: Clock) -> None:
    async with talking(tmp_path, clock, fast=False) as (session, running):
        await asyncio.sleep(QUESTION_S + REPLY_TIMEOUT_S / 2)  # silence follows the file
        clock.now_s += 2  # the machine stands still
        while session.heard[-1][0] < 3:
            session.say(REPLIES[0][:960])
            await asyncio.sleep(CHUNK_MS / 1000)
        assert not running.done()
    assert all(heard_s <= elapsed_s + 1e-6 for heard_s, elapsed_s in session.heard)
    heard_s, elapsed_s = session.heard[-1]
    assert heard_s == pytest.approx(elapsed_s, abs=1.5 * CHUNK_MS / 1000)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("say", "kept_bytes"),
    [
        (lambda session: None, 0),
        (lambda session: session.say(REPLIES[0][:9600]), 9600),
        (lambda session: session.end_response("cancelled"), 0),
    ],
    ids=["silent", "stalled", "cancelled"],
)
async def test_a_turn_without_a_whole_reply_is_given_up(
    tmp_path: Path, clock: Clock, fast: bool, say: Callable[[Session], None], kept_bytes: int
) -> None:
    async with talking(tmp_path, clock, fast=fast) as (session, running):
        session.hear_a_turn()
        say(session)
        with pytest.raises(CommandError) as caught:
            await running
    assert caught.value.exit_code is ExitCode.NO_REPLY
    assert str(caught.value) == "no reply within 0.4 s"
    path = tmp_path / "reply.wav"
    assert path.exists() == bool(kept_bytes)
    assert (read_reply(path) if kept_bytes else b"") == REPLIES[0][:kept_bytes]
    elapsed_s = session.heard[-1][1]
    file_s = 0.0 if fast else QUESTION_S
    assert elapsed_s == pytest.approx(file_s + REPLY_TIMEOUT_S, abs=2 * CHUNK_MS / 1000)
