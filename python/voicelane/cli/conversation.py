"""One spoken conversation: a recording goes in as from a microphone, the reply comes out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .audio_file import REPLY_RATE_HZ, AudioInput, ReplyFile
from .exit_codes import CommandError, ExitCode, one_line

if TYPE_CHECKING:
    from voicelane import AzureVoiceLive
    from voicelane.events import ResponseDonePayload, TranscriptionPayload

    from .views import View

CHUNK_MS = 20
# With --fast, this much silence follows the file at once: enough to end the turn.
FAST_SILENCE_MS = 1_000
FAST_FLUSH_CHUNKS = 10
FRAME_FRAMES = REPLY_RATE_HZ * CHUNK_MS // 1000


@dataclass
class Status:
    """What a view shows, and what the summary is made of."""

    duration_s: float
    heard_s: float = 0.0
    num_turns: int = 0
    num_replies: int = 0
    first_reply_ms: list[float] = field(default_factory=list)
    user_speaks: bool = False
    agent_speaks: bool = False
    last_input: bytes = b""
    last_output: bytes = b""
    partial: dict[str, str] = field(default_factory=dict)
    transcripts: list[dict[str, Any]] = field(default_factory=list)
    last_error: str = ""


class Pace:
    """Ticks of an absolute schedule: a late tick does not delay the ones after it."""

    def __init__(self, interval_ms: int, *, ahead_ms: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._interval_s = interval_ms / 1000
        self._start_s = self._loop.time() - ahead_ms / 1000
        self._index = 0

    async def tick(self) -> None:
        """Waits until the next tick is due."""
        self._index += 1
        due_s = self._start_s + self._index * self._interval_s
        await asyncio.sleep(max(0.0, due_s - self._loop.time()))


class Conversation:
    """Streams a file to a connected session and keeps what the agent says.

    Handlers only note what happened; one task judges it, writes the reply and feeds the view.

    Args:
        model: The session, not yet connected: no event is missed; `run` comes after `connect`.
        audio: What the user says.
        reply: Gets what the agent says.
        view: Shows it.
        fast: As fast as possible, not in real time.
        reply_timeout_s: How long nothing may happen after the end of the file.
    """

    def __init__(
        self,
        model: AzureVoiceLive,
        audio: AudioInput,
        reply: ReplyFile,
        view: View,
        *,
        fast: bool,
        reply_timeout_s: float,
    ) -> None:
        self.status = Status(audio.duration_s)
        self._model = model
        self._audio = audio
        self._reply = reply
        self._view = view
        self._fast = fast
        self._reply_timeout_s = reply_timeout_s
        self._file_ended = False
        self._active_s = 0.0
        self._speech_ended_s: float | None = None
        self._awaits_reply = False
        self._reply_status = ""
        model.on("user_speech_started", self._on_user_speech_started)
        model.on("user_speech_ended", self._on_user_speech_ended)
        model.on("agent_speech_started", self._on_agent_speech_started)
        model.on("agent_speech_ended", self._on_agent_speech_ended)
        model.on("realtime_model_transcription", self._on_transcription)
        model.on("response_done", self._on_response_done)
        model.on("error", self._on_error)

    async def run(self) -> None:
        """Returns when the last reply was played; a `CommandError` says why it was not."""
        sender = asyncio.create_task(self._send(), name="voicelane-talk-send")
        closed = asyncio.create_task(self._model.wait_closed(), name="voicelane-talk-closed")
        try:
            await self._play(sender, closed)
        finally:
            sender.cancel()
            closed.cancel()
            await asyncio.wait((sender, closed))
            self._take_all()  # what was received is kept, whatever ended the run

    async def _send(self) -> None:
        pace = Pace(CHUNK_MS)
        num_frames = 0
        for index, chunk in enumerate(self._audio.chunks(CHUNK_MS)):
            if not self._fast:
                await pace.tick()
            elif index % FAST_FLUSH_CHUNKS == 0:
                await self._model.flush_audio()
            await self._model.handle_audio_input(chunk)
            self.status.last_input = chunk
            num_frames += len(chunk) // (2 * self._audio.num_channels)
            self.status.heard_s = num_frames / self._audio.sample_rate_hz
        self._file_ended = True
        self._active_s = time.monotonic()
        self.status.last_input = b""
        silence_frames = self._audio.sample_rate_hz * CHUNK_MS // 1000
        silence = bytes(silence_frames * 2 * self._audio.num_channels)
        pace = Pace(CHUNK_MS, ahead_ms=FAST_SILENCE_MS if self._fast else 0)
        while True:  # as a live microphone would
            await pace.tick()
            await self._model.handle_audio_input(silence)

    async def _play(self, sender: asyncio.Task[None], closed: asyncio.Task[object]) -> None:
        pace = Pace(CHUNK_MS)
        while True:
            await pace.tick()
            if self._fast:
                self._take_all()
            else:
                self._take(FRAME_FRAMES)
            self._view.show(self.status)
            if sender.done():
                sender.result()  # the file could not be read to its end
            if self._is_complete and self._model.playback.is_idle:
                self._check_reply()
                return
            if closed.done() and not self._is_complete:
                raise CommandError(ExitCode.CONNECTION_LOST, self._lost(closed.result()))
            if self._file_ended and time.monotonic() - self._active_s > self._reply_timeout_s:
                raise CommandError(ExitCode.NO_REPLY, self._no_reply())

    def _take_all(self) -> None:
        # Exactly what is there: to ask for more would count as an underrun.
        num_frames = round(self._model.playback.buffered_ms * REPLY_RATE_HZ / 1000)
        self._take(num_frames)

    def _take(self, num_frames: int) -> None:
        """Moves audio that is due from the playback buffer to the reply file."""
        pcm = bytearray(2 * num_frames)
        num_spoken: int = self._model.playback.read_into(pcm) if num_frames else 0
        self.status.last_output = spoken = bytes(pcm[: 2 * num_spoken])
        self.status.agent_speaks = num_spoken > 0
        if not num_spoken:
            return
        self._active_s = time.monotonic()
        if self._speech_ended_s is not None:
            waited_s = self._active_s - self._speech_ended_s
            self.status.first_reply_ms.append(1000 * waited_s)
            self._speech_ended_s = None
        self._reply.write(spoken)

    @property
    def _is_complete(self) -> bool:
        """Whether the file is sent and the reply to its last turn is received."""
        status = self.status
        answered = status.num_turns > 0 and not self._awaits_reply
        return self._file_ended and answered and not status.user_speaks

    def _check_reply(self) -> None:
        if self._reply_status == "failed":
            message = f"the reply to turn {self.status.num_turns} failed{self._because()}"
            raise CommandError(ExitCode.NO_REPLY, message)
        if not self._reply.duration_s:
            raise CommandError(ExitCode.NO_REPLY, "the reply held no audio")

    def _no_reply(self) -> str:
        waited = f"within {self._reply_timeout_s:g} s"
        if not self.status.num_turns and not self.status.user_speaks:
            return f"no reply: the service heard no speech {waited} of the file's end"
        return f"no reply {waited}{self._because()}"

    def _lost(self, error: object) -> str:
        turn = self.status.num_turns + self.status.user_speaks
        where = f"in turn {turn}" if turn else "before the first turn"
        reason = one_line(str(error)) if error else "the connection ended"
        return f"{reason}, {where}{self._because(reason)}"

    def _because(self, known: str = "") -> str:
        error = self.status.last_error
        return f"; last error: {error}" if error and error != known else ""

    def _on_user_speech_started(self) -> None:
        self._note("user speaks")
        self.status.user_speaks = True
        self._speech_ended_s = None

    def _on_user_speech_ended(self) -> None:
        self._note("user stops")
        self.status.user_speaks = False
        self.status.num_turns += 1
        self._awaits_reply = True
        self._speech_ended_s = time.monotonic()

    def _on_agent_speech_started(self) -> None:
        self._note("agent speaks")

    def _on_agent_speech_ended(self) -> None:
        self._note("agent stops")

    def _on_transcription(self, said: TranscriptionPayload) -> None:
        self._active_s = time.monotonic()
        role, text = said["role"], one_line(said["text"])
        if said["is_final"]:
            self.status.partial.pop(role, None)
            self.status.transcripts.append({"role": role, "text": text, "is_final": True})
            self._view.say(role, text)
        else:
            self.status.partial[role] = text

    def _on_response_done(self, response: ResponseDonePayload) -> None:
        self._active_s = time.monotonic()
        self._reply_status = response["status"]
        self.status.partial.pop("agent", None)  # of one that was cut off
        if response["status"] == "completed":
            self.status.num_replies += 1
        else:
            self._view.note(f"response {one_line(response['status'])}")
        # A cancelled response is one that was talked over: the turn that did so gets another.
        if response["status"] != "cancelled":
            self._awaits_reply = False

    def _on_error(self, message: str) -> None:
        self.status.last_error = one_line(message)
        self._view.note(f"error: {self.status.last_error}")

    def _note(self, text: str) -> None:
        self._active_s = time.monotonic()
        self._view.note(text)
