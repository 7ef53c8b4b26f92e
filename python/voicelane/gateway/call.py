"""A call, whatever its client is: the session, the pace of its audio, its end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import ErrorText, VoiceLiveError
from ..session import AzureVoiceLive
from .close_codes import CallEndedError, CloseCode
from .lead import Lead
from .limits import RateLimit
from .metrics import GatewayMetrics
from .outbox import Outbox
from .pump import TICK_S
from .settings import CallRequest, GatewaySettings

BYTES_PER_FRAME = 2
_AUDIO_PACE = 1.25
# What a network or a busy gateway held up comes at once.
_STOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class CallParts:
    """What a call is made of.

    Attributes:
        session: connected.
        outbox: takes what the client is told.
        request: what the client asked for.
        settings: the gateway's.
        metrics: the gateway's.
    """

    session: AzureVoiceLive
    outbox: Outbox
    request: CallRequest
    settings: GatewaySettings
    metrics: GatewayMetrics


class Call(ABC):
    """A session and the client that it talks to. What ends the call is raised, or is what `ended` gives.

    A subclass knows how its kind of client is spoken to, and what it may say.
    """

    messages_per_s: ClassVar[int]

    def __init__(self, parts: CallParts) -> None:
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self.ended: asyncio.Future[Exception] = loop.create_future()
        self._session = session = parts.session
        self._outbox = parts.outbox
        self._settings = parts.settings
        self._metrics = parts.metrics
        self._input_bytes_per_s = parts.request.input_sample_rate_hz * BYTES_PER_FRAME
        self._rate_hz = session.playback.output_rate_hz
        self._lead = Lead(self._rate_hz)
        now_s = self._time()
        self._audio_limit = RateLimit(
            _AUDIO_PACE * self._input_bytes_per_s, _STOCK_S * self._input_bytes_per_s, now_s
        )
        self._message_limit = RateLimit(self.messages_per_s, _STOCK_S * self.messages_per_s, now_s)
        self._state = "listening"
        self._speech_ended_s: float | None = None
        self._active_s = now_s
        self._last_s = now_s + parts.settings.max_call_s
        session.listener_lag_ms = lambda: self._lead.unheard_ms(self._time())
        for event, handler in self._event_handlers().items():
            session.on(event, handler)

    @classmethod
    @abstractmethod
    def opening(cls, data: str | bytes, settings: GatewaySettings) -> CallRequest | None:
        """What the client asks for by its first messages; None if that is still to come.

        Raises:
            CallEndedError: it may not have it.
        """

    @classmethod
    @abstractmethod
    def take_early(cls, data: str | bytes) -> None:
        """What the client says between `opening` and `greet`, while the session connects.

        Raises:
            CallEndedError: the call is over with it.
        """

    @abstractmethod
    async def take(self, data: str | bytes) -> None:
        """A message of the client.

        Raises:
            CallEndedError: it is none that a client may send now, or one too many.
        """

    @abstractmethod
    def greet(self) -> None:
        """Tells the client that the call has begun."""

    @abstractmethod
    def _tell_audio(self, pcm: bytes) -> None:
        """The agent's speech."""

    @abstractmethod
    def _tell(self, message: dict[str, Any]) -> None:
        """What docs/gateway-protocol.md has the gateway say, where the client knows the like of it."""

    def tell_draining(self, seconds: float) -> None:
        """The gateway stops: the call has so long."""
        self._tell({"type": "draining", "seconds": seconds})

    def tick(self, now_s: float) -> None:
        """Sends what is due of the agent's speech, and ends a call whose time is up, or that has a fault."""
        try:
            self._look_after(now_s)
        except Exception as error:  # noqa: BLE001 - ends this call; the pump goes on with the others
            self._end(error)

    def _end(self, error: Exception) -> None:
        """The first counts."""
        if not self.ended.done():
            self.ended.set_result(error)

    def _look_after(self, now_s: float) -> None:
        self._outbox.check()
        self._send_audio(now_s)
        if self._state != "listening":
            self._active_s = now_s
        if now_s - self._active_s > self._settings.idle_timeout_s:
            raise CallEndedError(CloseCode.TIMED_OUT, "nobody spoke or wrote")
        if now_s > self._last_s:
            raise CallEndedError(CloseCode.TIMED_OUT, "the call lasted as long as a call may")

    # --- audio -------------------------------------------------------------------------------

    def _admit_audio(self, num_bytes: int) -> None:
        """Counts 16-bit audio of the client.

        Raises:
            CallEndedError: it is too much.
        """
        if not self._audio_limit.allows(num_bytes, self._time()):
            raise CallEndedError(CloseCode.TOO_FAST, "expected audio in real time, got more")
        self._metrics.bytes_in.inc(num_bytes)

    def _admit_message(self) -> None:
        """Counts a message of the client.

        Raises:
            CallEndedError: it is one too many.
        """
        if not self._message_limit.allows(1, self._time()):
            reason = f"expected {self.messages_per_s} messages a second, got more"
            raise CallEndedError(CloseCode.TOO_FAST, reason)

    def _send_audio(self, now_s: float) -> None:
        playback = self._session.playback
        if playback.is_finished and self._state != "speaking":
            return
        waiting = int(playback.buffered_ms * self._rate_hz / 1000)
        # What came before this audio is told before it: an interrupt, or the end of the user's speech.
        self._session.catch_up()
        ahead = self._lead.paced_frames(now_s)
        if not waiting:
            if not ahead and self._state == "speaking" and playback.is_finished:
                self._set_state("listening")
            return
        missing = int(self._settings.lead_ms * self._rate_hz / 1000 - ahead)
        # Not a few samples at a time.
        if missing >= int(TICK_S * self._rate_hz) or missing >= waiting:
            self._send_frames(self._unfaded(min(missing, waiting)), now_s)

    def _unfaded(self, num_frames: int) -> bytes:
        """The next frames without the fade of an interrupt, of which this listener dropped the beginning."""
        playback = self._session.playback
        before = playback.stats()
        pcm, frames = playback.take(num_frames)
        after = playback.stats()
        if after["dropped_frames"] > before["dropped_frames"]:
            self._session.catch_up()  # there was an interrupt this very moment
        # The fade comes first, and is not counted as played.
        whole = after["played_frames"] - before["played_frames"]
        return pcm[BYTES_PER_FRAME * (frames - whole) : BYTES_PER_FRAME * frames]

    def _send_frames(self, pcm: bytes, now_s: float) -> None:
        if not pcm:
            return
        if self._speech_ended_s is not None:
            # Not by the turn's time: what it caught up with is later.
            delay_s, self._speech_ended_s = self._time() - self._speech_ended_s, None
            self._metrics.first_audio.observe(delay_s)
            self._tell({"type": "latency", "first_audio_ms": round(1000 * delay_s)})
        self._set_state("speaking")
        self._lead.sent(len(pcm) // BYTES_PER_FRAME, now_s)
        self._metrics.bytes_out.inc(len(pcm))
        self._tell_audio(pcm)

    # --- from the session --------------------------------------------------------------------

    def _event_handlers(self) -> dict[str, Callable[..., None]]:
        return {
            "user_speech_started": lambda: self._set_state("user_speaking"),
            "user_speech_ended": self._user_has_spoken,
            "playback_interrupted": self._interrupted,
            "response_done": self._response_done,
            "error": self._session_error,
            "closed": self._session_closed,
        }

    def _interrupted(self) -> None:
        # Told whenever the user begins to speak, whether the agent is being heard or not.
        if self._outbox.drop_audio() or self._lead.may_be_held(self._time()):
            self._metrics.interrupts.inc()
            self._tell({"type": "clear", "clear": self._lead.cleared()})
        if self._state == "speaking":
            self._set_state("listening")

    def _user_has_spoken(self) -> None:
        self._speech_ended_s = self._active_s = self._time()
        self._set_state("thinking")

    def _response_done(self) -> None:
        if self._state == "thinking" and self._session.playback.is_idle:
            self._set_state("listening")

    def _session_error(self, text: ErrorText) -> None:
        self._tell_error("service" if isinstance(text.error, VoiceLiveError) else "audio", text)

    def _session_closed(self, closed: dict[str, Any]) -> None:
        if closed["error"] is None:
            self._end(CallEndedError(CloseCode.NORMAL, "the agent hung up"))
        else:
            self._end(CallEndedError(CloseCode.NO_SERVICE, "the voice service was lost"))

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._tell({"type": "state", "state": state})

    def _tell_error(self, code: str, message: str) -> None:
        self._tell({"type": "error", "code": code, "message": str(message)})
