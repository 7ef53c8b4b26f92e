"""One browser's call: docs/gateway-protocol.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ServiceError, VoiceLiveError
from .call import BYTES_PER_FRAME, Call, CallParts
from .close_codes import CallEndedError, CloseCode
from .messages import bad_message, choice, field, parsed
from .settings import CallRequest, GatewaySettings
from .transcript import TranscriptLines

PROTOCOL = 1
MAX_TEXT_CHARACTERS = 4000
# What microphones have. To design the filter of a rate in between may take half a second, for all calls.
_RATES_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)
# Of push-to-talk: what is shorter is a slip of the finger, and the service refuses it.
_SHORTEST_TURN_S = 0.1
# Longer than the silence that ends a turn.
_MUTE_SILENCE_S = 1.0


class BrowserCall(Call):
    """A session and a page."""

    messages_per_s = 50

    def __init__(self, parts: CallParts) -> None:
        super().__init__(parts)
        self._voice = parts.request.voice
        self._turn_detection = parts.request.turn_detection
        self._lines = TranscriptLines()
        self._is_muted = False
        self._turn_bytes: int | None = None
        self._tools_started_s: dict[str, float] = {}

    @classmethod
    def opening(cls, data: str | bytes, settings: GatewaySettings) -> CallRequest | None:
        """What `hello` asks for."""
        hello = parsed(data) if isinstance(data, str) else {"type": "audio"}
        if hello["type"] != "hello":
            raise bad_message("hello first", "another message")
        if not settings.accepts(field(hello, "token", str, "")):
            raise CallEndedError(CloseCode.UNAUTHORIZED, "the token is missing or wrong")
        if field(hello, "protocol", int) != PROTOCOL:
            raise bad_message(f"protocol {PROTOCOL}", "another")
        rate_hz = field(hello, "input_sample_rate_hz", int)
        if rate_hz not in _RATES_HZ:
            rates = ", ".join(map(str, _RATES_HZ))
            raise bad_message(f"input_sample_rate_hz of {rates}", str(rate_hz))
        return CallRequest(
            "browser",
            choice(hello, "voice", settings.voices, settings.voices[0]),
            choice(hello, "turn_detection", settings.turn_detections, settings.turn_detections[0]),
            rate_hz,
        )

    @classmethod
    def take_early(cls, data: str | bytes) -> None:
        """Nothing is to be said before `ready`."""
        raise bad_message("nothing before ready", "a message")

    def greet(self) -> None:
        """Tells the client that the call has begun."""
        self._tell(
            {
                "type": "ready",
                "protocol": PROTOCOL,
                "session_id": self._session.session_id,
                "input_sample_rate_hz": self._input_bytes_per_s // BYTES_PER_FRAME,
                "output_sample_rate_hz": self._rate_hz,
                "lead_ms": self._settings.lead_ms,
                **self._options(),
                "idle_timeout_s": self._settings.idle_timeout_s,
                "max_call_s": self._settings.max_call_s,
            }
        )

    # --- from the client ---------------------------------------------------------------------

    async def take(self, data: str | bytes) -> None:
        """Microphone audio, or a JSON message."""
        if isinstance(data, bytes):
            await self._take_audio(data)
            return
        self._admit_message()
        message = parsed(data)
        try:
            await self._obey(message)
        except VoiceLiveError as error:
            self._tell_error("service", str(error))

    async def _take_audio(self, pcm: bytes) -> None:
        if not pcm or len(pcm) % BYTES_PER_FRAME:
            raise bad_message("audio of whole 16-bit samples", f"{len(pcm)} bytes")
        self._admit_audio(len(pcm))
        if self._is_muted:
            return
        if self._turn_detection == "none":
            if self._turn_bytes is None:
                return
            self._turn_bytes += len(pcm)
        await self._session.handle_audio_input(pcm)

    async def _obey(self, message: dict[str, Any]) -> None:
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
                self._tell({"type": "pong", "id": field(message, "id", int)})
            case _:
                raise bad_message("a type of this protocol", "another")

    async def _say(self, text: str) -> None:
        if not 1 <= len(text) <= MAX_TEXT_CHARACTERS:
            raise bad_message(f"1 to {MAX_TEXT_CHARACTERS} characters", str(len(text)))
        self._active_s = self._time()
        self._tell(self._lines.said("user", text, is_final=True))
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
        self._tell({"type": "options", **self._options()})

    # --- to the client -----------------------------------------------------------------------

    def _tell_audio(self, pcm: bytes) -> None:
        self._outbox.put_audio(pcm)

    def _tell(self, message: dict[str, Any]) -> None:
        self._outbox.put(message)

    def _event_handlers(self) -> dict[str, Callable[..., None]]:
        return {
            **super()._event_handlers(),
            "realtime_model_transcription": lambda said: self._tell(self._lines.said(**said)),
            "transcript_cut": self._cut,
            "realtime_model_function_started": self._tool_started,
            "realtime_model_function_executed": self._tool_ended,
            "reconnecting": lambda: self._tell_service("reconnecting"),
            "reconnected": lambda: self._tell_service("connected"),
        }

    def _cut(self, text: dict[str, str]) -> None:
        if message := self._lines.cut(**text):
            self._tell(message)

    def _response_done(self) -> None:
        self._lines.end("agent")
        super()._response_done()

    def _tool_started(self, call: dict[str, Any]) -> None:
        self._tools_started_s[call["call_id"]] = self._time()
        self._tell(
            {
                "type": "tool_call",
                "id": call["call_id"],
                "name": call["name"],
                "arguments": call["arguments"][:MAX_TEXT_CHARACTERS],
            }
        )

    def _tool_ended(self, call: dict[str, Any]) -> None:
        started_s = self._tools_started_s.pop(call["call_id"], self._time())
        self._tell(
            {
                "type": "tool_result",
                "id": call["call_id"],
                "name": call["name"],
                "output": call["output"][:MAX_TEXT_CHARACTERS],
                "is_error": call["is_error"],
                "duration_ms": round(1000 * (self._time() - started_s)),
            }
        )

    def _tell_service(self, state: str) -> None:
        self._tell({"type": "service", "state": state})

    def _options(self) -> dict[str, str]:
        return {"voice": self._voice, "turn_detection": self._turn_detection}
