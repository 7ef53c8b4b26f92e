"""One browser's call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ..errors import ErrorText, ServiceError, VoiceLiveError
from ..playout import INTERRUPT_FADE_MS
from ..session import AzureVoiceLive
from .close_codes import CallEndedError, CloseCode
from .lead import Lead
from .limits import RateLimit
from .messages import bad_message, choice, field, parsed
from .metrics import GatewayMetrics
from .outbox import Outbox
from .pump import TICK_S
from .settings import CallRequest, GatewaySettings
from .transcript import TranscriptLines

PROTOCOL = 1
MAX_TEXT_CHARACTERS = 4000
_BYTES_PER_FRAME = 2
_AUDIO_PACE = 1.25
_AUDIO_STOCK_S = 2.0
_MESSAGES_PER_S = 50
_MESSAGES_STOCK = 100
# Of push-to-talk: what is shorter is a slip of the finger, and the service refuses it.
_SHORTEST_TURN_S = 0.1
# Longer than the silence that ends a turn.
_MUTE_SILENCE_S = 1.0


class BrowserCall:
    """A session and the client that it talks to. What ends the call is raised, or set by `end`.

    Args:
        session: connected.
        outbox: takes what the client is told.
        request: what the client asked for.
        settings: the gateway's.
        metrics: the gateway's.
    """

    def __init__(
        self,
        session: AzureVoiceLive,
        outbox: Outbox,
        request: CallRequest,
        settings: GatewaySettings,
        metrics: GatewayMetrics,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self.ended: asyncio.Future[CallEndedError] = loop.create_future()
        self._session = session
        self._outbox = outbox
        self._settings = settings
        self._metrics = metrics
        self._voice, self._turn_detection = request.voice, request.turn_detection
        self._input_bytes_per_s = request.input_sample_rate_hz * _BYTES_PER_FRAME
        self._rate_hz = session.playback.output_rate_hz
        self._lead = Lead(self._rate_hz)
        now_s = self._time()
        self._audio_limit = RateLimit(
            _AUDIO_PACE * self._input_bytes_per_s, _AUDIO_STOCK_S * self._input_bytes_per_s, now_s
        )
        self._message_limit = RateLimit(_MESSAGES_PER_S, _MESSAGES_STOCK, now_s)
        self._lines = TranscriptLines()
        self._state = "listening"
        self._is_muted = False
        self._turn_bytes: int | None = None
        self._speech_ended_s: float | None = None
        self._tools_started_s: dict[str, float] = {}
        self._active_s = now_s
        self._last_s = now_s + settings.max_call_s
        session.listener_lag_ms = lambda: self._lead.unheard_ms(self._time())
        for event, handler in self._event_handlers().items():
            session.on(event, handler)

    def greet(self) -> None:
        """Tells the client that the call has begun."""
        self._outbox.put(
            {
                "type": "ready",
                "protocol": PROTOCOL,
                "session_id": self._session.session_id,
                "input_sample_rate_hz": self._input_bytes_per_s // _BYTES_PER_FRAME,
                "output_sample_rate_hz": self._rate_hz,
                "lead_ms": self._settings.lead_ms,
                **self._options(),
                "idle_timeout_s": self._settings.idle_timeout_s,
                "max_call_s": self._settings.max_call_s,
            }
        )

    def end(self, code: CloseCode, reason: str) -> None:
        """Ends the call; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(CallEndedError(code, reason))

    def tell_draining(self, seconds: float) -> None:
        """The gateway stops: the call has so long."""
        self._outbox.put({"type": "draining", "seconds": seconds})

    # --- from the client ---------------------------------------------------------------------

    async def take_audio(self, pcm: bytes) -> None:
        """Microphone audio.

        Raises:
            CallEndedError: it is too much, or no whole number of samples.
        """
        if not pcm or len(pcm) % _BYTES_PER_FRAME:
            raise bad_message("audio of whole 16-bit samples", f"{len(pcm)} bytes")
        if not self._audio_limit.allows(len(pcm), self._time()):
            raise CallEndedError(CloseCode.TOO_FAST, "expected audio in real time, got more")
        self._metrics.bytes.labels("in").inc(len(pcm))
        if self._is_muted:
            return
        if self._turn_detection == "none":
            if self._turn_bytes is None:
                return
            self._turn_bytes += len(pcm)
        await self._session.handle_audio_input(pcm)

    async def take_text(self, text: str) -> None:
        """A JSON message.

        Raises:
            CallEndedError: it is none that a client may send now, or one too many.
        """
        if not self._message_limit.allows(1, self._time()):
            reason = f"expected {_MESSAGES_PER_S} messages a second, got more"
            raise CallEndedError(CloseCode.TOO_FAST, reason)
        message = parsed(text)
        try:
            match message["type"]:
                case "text":
                    await self._say(field(message, "text", str))
                case "mute":
                    await self._mute(field(message, "muted", bool))
                case "talk":
                    await self._talk(field(message, "talking", bool))
                case "interrupt":
                    await self._session.interrupt()
                case "options":
                    await self._change(message)
                case "played":
                    clear, frames = field(message, "clear", int), field(message, "frames", int)
                    self._lead.reported(clear, max(0, frames), self._time())
                case "ping":
                    self._outbox.put({"type": "pong", "id": field(message, "id", int)})
                case _:
                    raise bad_message("a type of this protocol", "another")
        except VoiceLiveError as error:
            self._tell_error("service", str(error))

    async def _say(self, text: str) -> None:
        if not 1 <= len(text) <= MAX_TEXT_CHARACTERS:
            raise bad_message(f"1 to {MAX_TEXT_CHARACTERS} characters", str(len(text)))
        self._active_s = self._time()
        self._outbox.put(self._lines.said("user", text, is_final=True))
        await self._session.send_text_message(text)
        self._set_state("thinking")

    async def _mute(self, muted: bool) -> None:
        if muted and not self._is_muted and self._turn_detection != "none":
            # The service finds the end of a turn by the silence that follows.
            await self._session.handle_audio_input(
                bytes(int(_MUTE_SILENCE_S * self._input_bytes_per_s) // 2 * 2)
            )
        self._is_muted = muted

    async def _talk(self, talking: bool) -> None:
        if self._turn_detection != "none":
            raise bad_message("talk only with the turn detection none", self._turn_detection)
        if talking:
            await self._session.interrupt()
            await self._session.clear_audio()
            self._turn_bytes = 0
            self._active_s = self._time()
            self._set_state("user_speaking")
            return
        turn_bytes, self._turn_bytes = self._turn_bytes, None
        if turn_bytes is None:
            return
        if turn_bytes < _SHORTEST_TURN_S * self._input_bytes_per_s:
            await self._session.clear_audio()
            self._set_state("listening")
            self._tell_error("too_short", "Hold the button while you speak.")
            return
        await self._session.commit_audio()
        self._user_has_spoken()

    async def _change(self, message: dict[str, Any]) -> None:
        settings = self._settings
        voice = choice(message, "voice", settings.voices, self._voice)
        turns = settings.turn_detections
        turn_detection = choice(message, "turn_detection", turns, self._turn_detection)
        changes: dict[str, str] = {}
        if voice != self._voice:
            changes["voice"] = voice
        if turn_detection != self._turn_detection:
            changes["turn_detection"] = turn_detection
        try:
            if changes:
                await self._session.update_session(**changes)
        except (ValueError, ServiceError) as error:
            self._tell_error("refused", str(error))
            return
        self._voice, self._turn_detection = voice, turn_detection
        self._turn_bytes = None
        self._outbox.put({"type": "options", **self._options()})

    # --- to the client -----------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Sends what is due of the agent's speech, and ends a call whose time is up."""
        try:
            self._outbox.check()
        except CallEndedError as error:
            self.end(error.code, error.reason)
            return
        self._send_audio(now_s)
        if self._state != "listening":
            self._active_s = now_s
        if now_s - self._active_s > self._settings.idle_timeout_s:
            self.end(CloseCode.TIMED_OUT, "nobody spoke or wrote")
        elif now_s > self._last_s:
            self.end(CloseCode.TIMED_OUT, "the call lasted as long as a call may")

    def _send_audio(self, now_s: float) -> None:
        playback = self._session.playback
        waiting = int(playback.buffered_ms * self._rate_hz / 1000)
        ahead = self._lead.paced_frames(now_s)
        if not waiting:
            if not ahead and self._state == "speaking" and playback.is_finished:
                self._set_state("listening")
            return
        missing = int(self._settings.lead_ms * self._rate_hz / 1000 - ahead)
        # Not a few samples at a time.
        if missing >= int(TICK_S * self._rate_hz) or missing >= waiting:
            pcm, frames = playback.take(min(missing, waiting))
            self._send_frames(pcm[: _BYTES_PER_FRAME * frames], now_s)

    def _send_frames(self, pcm: bytes, now_s: float) -> None:
        if not pcm:
            return
        if self._speech_ended_s is not None:
            delay_s, self._speech_ended_s = now_s - self._speech_ended_s, None
            self._metrics.first_audio.observe(delay_s)
            self._outbox.put({"type": "latency", "first_audio_ms": round(1000 * delay_s)})
        self._set_state("speaking")
        self._lead.sent(len(pcm) // _BYTES_PER_FRAME, now_s)
        self._metrics.bytes.labels("out").inc(len(pcm))
        self._outbox.put(pcm)

    def _clear(self) -> None:
        self._metrics.interrupts.inc()
        self._outbox.drop_audio()
        self._outbox.put({"type": "clear", "clear": self._lead.cleared()})
        if cut := self._lines.cut():
            self._outbox.put(cut)
        self._drop_fade()
        if self._state == "speaking":
            self._set_state("listening")

    def _drop_fade(self) -> None:
        """The buffer fades out for a listener who heard all before; this one dropped that."""
        playback = self._session.playback
        played = playback.stats()["played_frames"]
        pcm, frames = playback.take(self._rate_hz * INTERRUPT_FADE_MS // 1000)
        new = playback.stats()["played_frames"] - played
        self._send_frames(
            pcm[_BYTES_PER_FRAME * (frames - new) : _BYTES_PER_FRAME * frames], self._time()
        )

    def _event_handlers(self) -> dict[str, Callable[..., None]]:
        return {
            "user_speech_started": lambda: self._set_state("user_speaking"),
            "user_speech_ended": self._user_has_spoken,
            "playback_interrupted": self._clear,
            "realtime_model_transcription": lambda said: self._outbox.put(self._lines.said(**said)),
            "response_done": self._response_done,
            "realtime_model_function_started": self._tool_started,
            "realtime_model_function_executed": self._tool_ended,
            "reconnecting": lambda: self._tell_service("reconnecting"),
            "reconnected": lambda: self._tell_service("connected"),
            "error": self._session_error,
            "closed": self._session_closed,
        }

    def _user_has_spoken(self) -> None:
        self._speech_ended_s = self._active_s = self._time()
        self._set_state("thinking")

    def _response_done(self) -> None:
        self._lines.end("agent")
        if self._state == "thinking" and self._session.playback.is_idle:
            self._set_state("listening")

    def _tool_started(self, call: dict[str, Any]) -> None:
        self._tools_started_s[call["call_id"]] = self._time()
        self._outbox.put(
            {
                "type": "tool_call",
                "id": call["call_id"],
                "name": call["name"],
                "arguments": call["arguments"][:MAX_TEXT_CHARACTERS],
            }
        )

    def _tool_ended(self, call: dict[str, Any]) -> None:
        started_s = self._tools_started_s.pop(call["call_id"], self._time())
        self._outbox.put(
            {
                "type": "tool_result",
                "id": call["call_id"],
                "name": call["name"],
                "output": call["output"][:MAX_TEXT_CHARACTERS],
                "is_error": call["is_error"],
                "duration_ms": round(1000 * (self._time() - started_s)),
            }
        )

    def _session_error(self, text: ErrorText) -> None:
        self._tell_error("service" if isinstance(text.error, VoiceLiveError) else "audio", text)

    def _session_closed(self, closed: dict[str, Any]) -> None:
        if closed["error"] is None:
            self.end(CloseCode.NORMAL, "the agent hung up")
        else:
            self.end(CloseCode.NO_SERVICE, "the voice service was lost")

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._outbox.put({"type": "state", "state": state})

    def _tell_service(self, state: str) -> None:
        self._outbox.put({"type": "service", "state": state})

    def _tell_error(self, code: str, message: str) -> None:
        self._outbox.put({"type": "error", "code": code, "message": str(message)})

    def _options(self) -> dict[str, str]:
        return {"voice": self._voice, "turn_detection": self._turn_detection}
