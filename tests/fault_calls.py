"""A call that meets a fault in one of its phases, and what has to be true of it afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from support import TIMEOUT_S, EventLog, speech, until
from voicelane import AzureVoiceLive, ReconnectPolicy
from voicelane.reply import Reply as Answer
from voicelane.simulator import Connection, Faults, Reply, Simulator, ToolCall

PHASES = ("connecting", "idle", "user speaking", "agent speaking", "tool running", "closing")

_DELTA_MS = 50
_FRAME = bytes(3840)  # 20 ms of the microphone
_FRAME_WIRE_BYTES = 960
_QUESTION = speech("question-48k-stereo.wav")[0]
# 24 kHz mono: noise, so that no part of it is like another.
REPLY = Reply("As you say.", random.Random(9).randbytes(24 * 2 * 12 * _DELTA_MS))

# How long the service may be silent, or take to answer, where a test waits for that.
QUICK_S = TIMEOUT_S / 10
_ENDS_BY_TIME = ("ConnectTimeoutError", "SessionNotReadyError")
GOES_ON, RECOVERS, WAITS, CLOSES = "goes on", "reconnects", "waits", "closes"
_WARNING = {"type": "warning", "event_id": "event_w", "warning": {"message": "Mind the gap."}}


class Ear:
    """Hears what a session plays, as soon as it is there."""

    def __init__(self, model: AzureVoiceLive) -> None:
        self.heard = bytearray()
        self._playback = model.playback
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            pcm, num_frames = self._playback.take(24 * _DELTA_MS)
            self.heard += pcm[: 2 * num_frames]
            await asyncio.sleep(0.001)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@dataclass(frozen=True)
class Fault:
    """What strikes a call, and what is to become of it.

    Attributes:
        faults: of the connection: while it connects from its beginning, else from the strike on.
        open: what becomes of an open session.
        connecting: what becomes of one that connects; None where the fault does not exist then.
        later: what the connections after the struck one meet.
        restarts: the server starts anew; `faults` do not strike.
        is_cut_off: the caller interrupts the agent, and asks for another turn.
        errors: what the handlers are told beside the one loss.
        is_silent: the times after which silence is a loss are short.
    """

    faults: Faults = field(default_factory=Faults)
    open: str = GOES_ON
    connecting: str | None = GOES_ON
    later: Faults = field(default_factory=Faults)
    restarts: Callable[[Simulator], Awaitable[None]] | None = None
    is_cut_off: bool = False
    errors: frozenset[str] = frozenset()
    is_silent: bool = False


class Call:
    """A session with the simulator that is led to a phase and struck there.

    Args:
        fault: what strikes it.
        phase: one of `PHASES`.
    """

    def __init__(self, fault: Fault, phase: str) -> None:
        self.fault = fault
        self.phase = phase
        # What the session accepted to say, each once to be told to the service.
        self._texts: list[str] = []
        self._is_looking_up, self._is_found = asyncio.Event(), asyncio.Event()

    async def hold(self) -> str:
        """Leads the call from its beginning to its end. Returns what became of the session."""
        is_connecting = self.phase == "connecting"
        ends_by_time = is_connecting and self.fault.connecting in _ENDS_BY_TIME
        self.sim = Simulator(
            audio_speed=10,
            delta_ms=_DELTA_MS,
            replies=[ToolCall("look_up"), REPLY] if self.phase == "tool running" else [REPLY],
            faults=self.fault.faults if is_connecting else Faults(),
        )
        async with self.sim:
            self.model = AzureVoiceLive(
                model="m",
                endpoint=self.sim.endpoint,
                api_key=self.sim.api_key,
                tools=[self.look_up],
                connect_timeout_s=QUICK_S if ends_by_time else TIMEOUT_S,
                reconnect=ReconnectPolicy(
                    # A server that starts anew is away for longer than some attempts take.
                    max_attempts=6 if self.fault.restarts is None else 500,
                    first_delay_s=0.001,
                    max_delay_s=0.01,
                ),
            )
            self.log = EventLog(self.model)
            self._ear = Ear(self.model)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    return await (self._struck_early() if is_connecting else self._struck_late())
            finally:
                await self.model.aclose()
                await self._ear.close()

    async def look_up(self) -> str:
        """Looks it up."""
        self._is_looking_up.set()
        await self._is_found.wait()
        return "found"

    async def _struck_early(self) -> str:
        connecting = asyncio.create_task(self.model.connect())
        if self.fault.restarts is not None:
            await until(lambda: bool(self.sim.connections))
            await self.fault.restarts(self.sim)
        await asyncio.wait({connecting})
        error, outcome = connecting.exception(), GOES_ON
        if error is not None:
            outcome = described(error)
            assert [str(error) in text for text in self.log.all("error")] == [True]
            self.sim.faults = Faults()
            await self.model.connect()  # the same session, once more
        await self._check_alive()
        return outcome

    async def _struck_late(self) -> str:
        await self.model.connect()
        answer = await self._reach()
        struck = self.sim.connections[-1]
        await self._strike(struck)
        if self.phase == "closing":
            await self.model.aclose()
            assert self.log.all("closed") == [{"error": None}]
            return CLOSES
        outcome = await self._outcome(answer)
        if answer is not None and self.fault.faults.error_every_events:
            await self._end_errors()
        if outcome in (GOES_ON, RECOVERS):
            await self._check_alive()
        self._check_accounts()
        self._check_errors(outcome)
        return outcome

    async def _reach(self) -> Answer | None:
        """Leads the call to its phase; returns the answer that is on its way."""
        match self.phase:
            case "user speaking":
                frames = iter(range(0, len(_QUESTION), len(_FRAME)))
                while not self.log.all("user_speech_started"):
                    start = next(frames)
                    await self._say(_QUESTION[start : start + len(_FRAME)])
                    await asyncio.sleep(0.001)
            case "agent speaking":
                return await self._speaking()
            case "tool running":
                answer = await self._ask("Look it up.")
                await self._is_looking_up.wait()
                return answer
        return None

    async def _speaking(self) -> Answer:
        """An answer that has begun to be heard, and of which most is still to be sent."""
        sent = self.sim.connections[-1].sent
        while True:
            num_sent, num_heard = sent["response.audio.delta"], len(self._ear.heard)
            answer = await self._ask("Speak to me.")
            await until(lambda heard=num_heard: len(self._ear.heard) > heard)
            if sent["response.audio.delta"] - num_sent <= 4:
                return answer
            await answer  # this machine stood still meanwhile: once more

    async def _strike(self, connection: Connection) -> None:
        self.sim.faults = self.fault.later
        if self.fault.restarts is not None:
            return await self.fault.restarts(self.sim)
        connection.faults = self.fault.faults
        # Something of which the bytes can be struck.
        if not connection.is_closing:
            await connection.send(_WARNING)
        if self.fault.is_cut_off:
            await self.model.interrupt()
        return None

    async def _outcome(self, answer: Answer | None) -> str:
        """What became of the open session that was struck; where it lives, its turn is over."""
        await self._say(_FRAME * 50)  # which ends the user's turn
        self._is_found.set()
        if self.fault.open == WAITS:
            answer = answer or await self._ask("Are you there?")
            await until(lambda: texts_told(self.sim.connections[-1]) == self._texts)
            assert self.model.session_ready
            assert not answer.is_done
            return WAITS
        if self.fault.open in (GOES_ON, RECOVERS):
            return await self._survives(answer)
        lost = await self.model.wait_closed()
        if answer is not None:
            await answer  # whoever waits is let go; what had come whole is heard first
        assert self.log.all("closed") == [{"error": str(lost)}]
        return described(lost)

    async def _survives(self, answer: Answer | None) -> str:
        if self.fault.faults.expire_after_deltas and self.phase == "idle":
            answer = await self._ask("Go on.")
        if self.fault.open == RECOVERS:
            await self.log.wait_for("reconnected")
        elif self.phase == "user speaking":
            await self.log.wait_for("response_done")
        if answer is not None:
            await answer
        await until(lambda: self.model._session.is_pause)
        assert self.model.session_ready
        return RECOVERS if self.model.stats()["reconnects"] else GOES_ON

    async def _end_errors(self) -> None:
        """The next, which comes by chance, could be taken for a refusal of the next turn."""
        connection = self.sim.connections[-1]
        connection.faults = Faults()
        last = "the last of them"
        await connection.send({"type": "error", "error": {"type": "server_error", "message": last}})
        await self.log.wait_until(lambda: any(last in text for text in self.log.all("error")))

    async def _ask(self, text: str) -> Answer:
        self._texts.append(text)
        return await self.model.send_text_message(text)

    async def _say(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), len(_FRAME)):
            await self.model.handle_audio_input(pcm[start : start + len(_FRAME)])

    # --- what has to be true -----------------------------------------------------------------

    async def _check_alive(self) -> None:
        """The session talks and listens as ever."""
        await self.model.flush_audio()
        connection = self.sim.connections[-1]
        num_heard = len(self._ear.heard)
        answer = await self._ask("Are you there?")
        await answer
        assert answer.status == "completed"
        heard = bytes(self._ear.heard[num_heard:])
        assert heard == REPLY.pcm, f"expected the reply whole, got {len(heard)} bytes"
        before = connection.audio_bytes
        await self._say(_FRAME * 10)
        await until(lambda: connection.audio_bytes == before + 10 * _FRAME_WIRE_BYTES)

    def _check_accounts(self) -> None:
        """What was accepted was sent once, or told to be dropped, or waits."""
        check_audio(self.model, self.log)
        stats = self.model.stats()
        arrived = sum(connection.audio_bytes for connection in self.sim.connections)
        sent = stats["audio_sent_ms"] * _FRAME_WIRE_BYTES / 20
        if not self.model.session_ready:
            assert arrived <= sent
            return
        if len(self.sim.connections) == 1 and self.fault.open != WAITS:
            assert arrived == sent
        assert texts_told(self.sim.connections[-1]) == self._texts

    def _check_errors(self, outcome: str) -> None:
        """One error for the loss, and no other but those that the service itself told."""
        told = [described(text.error) for text in self.log.all("error") if text.error is not None]
        losses = [text for text in told if text.startswith("ConnectionLostError")]
        assert len(losses) == (outcome not in (GOES_ON, WAITS))
        assert {text for text in told if text not in losses} <= self.fault.errors
        assert len(self.log.all("reconnected")) == (outcome == RECOVERS)


def check_audio(model: AzureVoiceLive, log: EventLog) -> None:
    """What was taken of the microphone was sent, or waits, or was told to be dropped."""
    stats = model.stats()
    left_ms = stats["audio_in_ms"] - stats["audio_sent_ms"] - stats["audio_dropped_ms"]
    assert left_ms == stats["audio_waiting_ms"], stats
    was_told = any("dropping" in text for text in log.all("error"))
    assert was_told == (stats["audio_dropped_ms"] > 0)


def quick_times(monkeypatch: pytest.MonkeyPatch, quick_s: float = QUICK_S) -> None:
    """Silence is a loss after that time."""
    from voicelane.transport import native, sdk

    for module in (native, sdk):
        monkeypatch.setattr(module, "HEARTBEAT_S", quick_s)
        monkeypatch.setattr(module, "CLOSE_TIMEOUT_S", quick_s)


def described(error: BaseException | None) -> str:
    """An end, as the table has it."""
    code = getattr(error, "code", None) or getattr(error, "status", None)
    return f"{type(error).__name__}{f' {code}' if code else ''}"


def texts_told(connection: Connection) -> list[str]:
    """What the service knows by a connection that the user wrote."""
    items: list[Mapping[str, Any]] = [event.get("item", {}) for event in connection.received]
    users = [item for item in items if item.get("role") == "user"]
    texts = [part.get("text", "") for item in users for part in item["content"]]
    return [text for text in texts if not text.startswith("[")]  # which are what was spoken
