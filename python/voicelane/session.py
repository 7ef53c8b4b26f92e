"""One voice session with Azure Voice Live."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from ._core import CaptureEncoder, PlaybackBuffer
from .config import AZURE_VOICE_LIVE_SAMPLE_RATE, DEFAULT_INSTRUCTIONS, AzureVoiceLiveConfig
from .credentials import ENDPOINT_VARIABLE, resolve_credential
from .emitter import EventEmitter
from .errors import ConnectionLostError, SessionNotReadyError, VoiceLiveError
from .playback import PlaybackTrack
from .protocol import (
    Action,
    CallFunction,
    Conversation,
    Emit,
    Fault,
    FinishPlayback,
    InterruptPlayback,
    MCPApprovalRequest,
    Send,
    SessionReady,
    trim_to_whole_samples,
)
from .tool_runner import ToolRunner
from .tools import ToolSet
from .transport import ConnectOptions, Transport
from .uplink import Uplink, UplinkFullError

_log = logging.getLogger(__name__)

DEFAULT_ENDPOINT = "wss://api.voicelive.com/v1"

_CHUNK_MS = 20
_SESSION_READY_TIMEOUT_S = 10.0
_SEND_READY_TIMEOUT_S = 5.0
_HANDLER_DRAIN_S = 2.0
_INTERRUPT_FADE_MS = 20


@dataclass
class AzureVoiceLiveSession:
    """One connection: the service's, its session id, and the tasks that serve it."""

    connection: Any
    session_id: str | None = None
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)


class AzureVoiceLive(EventEmitter):
    """A real-time voice session: microphone samples in, the agent's speech and events out.

    ::

        async with AzureVoiceLive(model="gpt-realtime") as model:
            model.on("realtime_model_transcription", print)
            await model.handle_audio_input(pcm)        # 48 kHz stereo s16, any length
            frame = await model.audio_track.recv()     # 20 ms of 24 kHz mono s16

    Args:
        api_key: the resource's key; default the environment's ``AZURE_VOICE_LIVE_API_KEY``.
        endpoint: default the environment's ``AZURE_VOICE_LIVE_ENDPOINT``.
        model: the model or deployment, e.g. "gpt-realtime".
        config: what is asked of the service.
        credential: a key or token credential of azure-core, sync or async; wins over the key. With
            neither, azure-identity's default chain is used.
        tools: what the model may call: functions, `Tool`, `MCPServer`; or a `ToolSet` of them.
        transport: "auto" and "sdk" are azure-ai-voicelive's connection.
        input_sample_rate_hz: frames per second of what `handle_audio_input` gets.
        input_channels: channels of it, interleaved.
        connect_timeout_s: for the connection and, again, for the service's first answer.

    Raises:
        TypeError: a tool that is none, or that takes what has no JSON schema.
        ValueError: an argument out of range, or no credentials.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        endpoint: str | None = None,
        model: str,
        config: AzureVoiceLiveConfig | None = None,
        credential: Any = None,
        tools: ToolSet | Iterable[Any] = (),
        transport: Literal["auto", "sdk"] = "auto",
        input_sample_rate_hz: int = 48_000,
        input_channels: int = 2,
        connect_timeout_s: float = _SESSION_READY_TIMEOUT_S,
    ) -> None:
        super().__init__()
        if transport not in ("auto", "sdk"):
            raise ValueError(f"transport: expected 'auto' or 'sdk', got {transport!r}")
        if not connect_timeout_s > 0:
            raise ValueError(f"connect_timeout_s: expected more than 0, got {connect_timeout_s!r}")
        self.model = model
        self.config = config or AzureVoiceLiveConfig()
        self.endpoint = endpoint or os.environ.get(ENDPOINT_VARIABLE) or DEFAULT_ENDPOINT
        self._encoder = CaptureEncoder(
            input_sample_rate_hz,
            input_channels,
            target_rate_hz=self.config.input_rate_hz,
            encoding=self.config.input_encoding,
            chunk_ms=_CHUNK_MS,
        )
        self._owns_credential = credential is None
        self.credential = resolve_credential(credential, api_key)
        self.playback = PlaybackBuffer(AZURE_VOICE_LIVE_SAMPLE_RATE)
        self.audio_track: Any = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.current_utterance: Any = None
        self._connect_timeout_s = connect_timeout_s
        self._instructions = DEFAULT_INSTRUCTIONS
        self._connect_lock = asyncio.Lock()
        self._session: AzureVoiceLiveSession | None = None
        self._transport: Transport | None = None
        self._conversation = self._new_conversation()
        self._tool_runner = ToolRunner(ToolSet.of(tools), self._answer_call, self._answer_approval)
        self._uplink = Uplink()
        self._session_ready_event = asyncio.Event()
        self._closing = False
        self._dropping = False
        self._ended: BaseException | None = None

    # --- what it is --------------------------------------------------------------------------

    @property
    def session_ready(self) -> bool:
        """Whether the service accepted the session, and the connection is open."""
        return self._session_ready_event.is_set()

    @property
    def connection(self) -> Any:
        """azure-ai-voicelive's connection, None while there is none."""
        return self._session.connection if self._session else None

    @property
    def target_sample_rate(self) -> int:
        """Frames per second on the wire."""
        return self.config.input_rate_hz

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools as ``session.update`` has them, the secrets of MCP servers included."""
        return self._tool_runner.tools.wire()

    def set_tools(self, tools: ToolSet | Iterable[Any]) -> None:
        """Replaces the tools, for the next ``session.update``. Calls that run go on.

        How many run at once stays as it was.

        Raises:
            TypeError, ValueError: as the constructor does.
        """
        self._tool_runner.tools = ToolSet.of(tools)

    @property
    def _agent_speaking(self) -> bool:
        return self._conversation.agent_is_speaking

    @property
    def _user_speaking(self) -> bool:
        return self._conversation.user_is_speaking

    def set_agent(self, agent: Any) -> None:
        """Takes the agent's instructions, for the next `connect`."""
        self._instructions = getattr(agent, "instructions", None) or DEFAULT_INSTRUCTIONS

    # --- connect and close -------------------------------------------------------------------

    async def connect(self) -> None:
        """Connects and waits until the service has accepted the session.

        On a connected session it closes the old connection first.

        Raises:
            AuthenticationError, ConnectTimeoutError, ConnectError: no connection.
            ServiceError: the service refused the session's settings.
            SessionNotReadyError: the service said nothing in time.
            ConnectionLostError: the connection ended before.
        """
        async with self._connect_lock:
            await self._cleanup_session()
            self._closing = False
            self.loop = asyncio.get_running_loop()
            if self.audio_track is None:
                self.audio_track = PlaybackTrack(self.playback)
            try:
                await self._open_session()
            except VoiceLiveError as error:
                self.emit("error", f"Error connecting to Azure Voice Live API: {error}")
                await self._cleanup_session()
                raise
            except BaseException:
                await self._cleanup_session()
                raise

    async def aclose(self) -> None:
        """Closes the connection and ends every task. Idempotent."""
        self._closing = True
        async with self._connect_lock:
            await self._cleanup_session()
        self.playback.clear()
        if self._owns_credential and hasattr(self.credential, "close"):
            await self.credential.close()
        try:
            async with asyncio.timeout(_HANDLER_DRAIN_S):
                await self.drain_handlers()
        except TimeoutError:
            # gather cancelled them: they were the user's, and had their time.
            _log.warning(
                "Event handlers still ran %g s after the session was closed", _HANDLER_DRAIN_S
            )

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def wait_closed(self) -> ConnectionLostError | None:
        """Waits until the connection has ended; returns why, None where `aclose` ended it."""
        if self._session is not None:
            await asyncio.wait(self._session.tasks)
        return self._ended if isinstance(self._ended, ConnectionLostError) else None

    async def _open_session(self) -> None:
        # Imported here: the SDK takes 170 ms and 38 MB that `import voicelane` need not pay.
        from .transport.sdk import SdkTransport

        options = ConnectOptions(
            self.endpoint, self.model, self.credential, self._connect_timeout_s
        )
        transport = await SdkTransport.connect(options)
        self._transport = transport
        self._session = AzureVoiceLiveSession(transport.connection)
        self._ended = None
        self._conversation = self._new_conversation()
        self._uplink = Uplink()
        self._encoder.reset()
        session = self.config.session_update(model=self.model, instructions=self._instructions)
        if tools := self.tools:
            session["tools"] = tools
        self._uplink.put_event({"type": "session.update", "session": session})
        run = asyncio.create_task(self._run(transport), name="azure-voice-live-events")
        self._session.tasks.append(run)
        await self._wait_ready(run)

    async def _wait_ready(self, run: asyncio.Task[None]) -> None:
        ready = asyncio.create_task(self._session_ready_event.wait())
        try:
            await asyncio.wait(
                {ready, run}, timeout=self._connect_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        if self._ended is not None:
            raise self._ended
        if not self.session_ready:
            raise SessionNotReadyError("Azure Voice Live session did not become ready in time")

    async def _cleanup_session(self) -> None:
        session, self._session = self._session, None
        transport, self._transport = self._transport, None
        self._session_ready_event.clear()
        if session is None or transport is None:
            return
        for task in session.tasks:
            task.cancel()
        try:
            await asyncio.gather(*session.tasks, return_exceptions=True)
        finally:
            try:
                await self._tool_runner.aclose()  # only now: the reader starts calls
            finally:
                await transport.close()
        self.playback.clear()

    # --- microphone and text -----------------------------------------------------------------

    async def handle_audio_input(self, audio_data: Any) -> None:
        """Takes microphone samples: any bytes-like object, any whole number of frames.

        Never waits and never raises; bad input becomes an ``error`` event. Samples that come before the
        session is ready are ignored. When the network is slower than the microphone, the oldest audio
        is dropped, with one ``error`` event per episode.
        """
        if not self.session_ready or self._closing or not self.config.has_audio:
            return
        try:
            text = self._encoder.encode(audio_data)
        except (TypeError, ValueError, RuntimeError) as error:
            self.emit("error", f"Error processing audio input: {error}")
            return
        if not text:
            return
        dropped = self._uplink.put_audio(text, self._duration_ms(text))
        if dropped and not self._dropping:
            self.emit(
                "error",
                "Error processing audio input: the network is too slow, dropping the oldest audio",
            )
        self._dropping = dropped

    async def flush_audio(self) -> None:
        """Waits until everything taken so far was handed to the connection, or the connection ended."""
        session = self._session
        if session is None:
            return
        empty = asyncio.create_task(self._uplink.wait_empty())
        try:
            await asyncio.wait({empty, *session.tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            empty.cancel()

    async def send_message(self, message: str) -> None:
        """Has the agent say exactly this text.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        content = [{"type": "text", "text": message}]
        item = {"type": "message", "role": "assistant", "content": content}
        await self._ready_to_send()
        self._obey_checked(
            lambda: self._conversation.request_response({"pre_generated_assistant_message": item}),
            "Error sending message",
        )

    async def send_text_message(self, message: str) -> None:
        """Says this text as the user, and has the agent answer.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        content = [{"type": "input_text", "text": message}]
        item = {"type": "message", "role": "user", "content": content}
        await self._ready_to_send()
        self._obey_checked(
            lambda: [
                Send({"type": "conversation.item.create", "item": item}),
                *self._conversation.request_response(),
            ],
            "Error sending text message",
        )

    async def interrupt(self) -> None:
        """Cuts the agent off: drops what was not heard, cancels the response where one is active."""
        if self._session is not None and not self._closing:
            self._obey_checked(self._conversation.interrupt, "Interrupt error")

    async def _ready_to_send(self) -> None:
        # A closed session will not become ready by waiting.
        timeout_s = 0 if self._closing else _SEND_READY_TIMEOUT_S
        try:
            await asyncio.wait_for(self._session_ready_event.wait(), timeout_s)
        except TimeoutError:
            raise SessionNotReadyError(
                "No active Azure Voice Live session after maximum retries"
            ) from None

    def _obey_checked(self, decide: Any, failure: str) -> None:
        try:
            self._obey(decide())
        except (UplinkFullError, RuntimeError) as error:
            self.emit("error", f"{failure}: {error}")

    def _duration_ms(self, text: str) -> float:
        frame_bytes = 2 if self.config.input_encoding == "pcm16" else 1
        return len(text) * 3 / 4 / frame_bytes / self.target_sample_rate * 1000

    # --- the connection's tasks --------------------------------------------------------------

    async def _run(self, transport: Transport) -> None:
        """Serves one connection until it ends: one reader, one sender."""
        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(transport), name="azure-voice-live-reader")
                group.create_task(self._send(transport), name="azure-voice-live-sender")
        except* VoiceLiveError as errors:
            error = _first(errors)
        except* Exception as errors:  # noqa: BLE001 - told to the caller, and not swallowed: logged
            _log.exception("The session ended on a fault of voicelane itself")
            error = VoiceLiveError(f"Error processing events: {_first(errors)!r}")
        was_ready = self.session_ready
        self._session_ready_event.clear()
        self._ended = error
        self.playback.finish()
        await transport.close()
        if was_ready:
            self.emit("error", str(error))

    async def _receive(self, transport: Transport) -> None:
        while True:
            text = await transport.receive()
            try:
                self._handle(text)
            except ValueError as error:
                trimmed = trim_to_whole_samples(text)
                if trimmed is None:
                    self.emit("error", f"Error processing events: {error}")
                else:
                    _log.warning("An audio delta ended within a sample: its last byte was dropped")
                    self._handle(trimmed)

    def _handle(self, text: bytes) -> None:
        accepted = self._conversation.accepted_response_id
        delta = self.playback.write_event(text, response_id=accepted)
        if delta is not None:
            self._obey(self._conversation.handle_audio(delta))
        else:
            self._obey(self._conversation.handle(json.loads(text)))

    async def _send(self, transport: Transport) -> None:
        while True:
            await transport.send(await self._uplink.get())

    def _obey(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(event):
                    self._uplink.put_event(event)
                case Emit(event, payload):
                    self.emit(event, payload)
                case InterruptPlayback():
                    self.playback.interrupt(fade_ms=_INTERRUPT_FADE_MS)
                case FinishPlayback():
                    self.playback.finish()
                case SessionReady(session_id):
                    if self._session is not None:
                        self._session.session_id = session_id
                    self._session_ready_event.set()
                case CallFunction():
                    self._tool_runner.call(action)
                case MCPApprovalRequest():
                    self._tool_runner.ask(action)
                case Fault(error):
                    if not self.session_ready:
                        raise error
                    self.emit("error", str(error))

    def _answer_call(self, call: CallFunction, output: str, is_error: bool) -> None:
        self._obey_checked(
            lambda: self._conversation.answer_call(call, output, is_error=is_error),
            f"Error sending the output of {call.name}",
        )

    def _answer_approval(self, request: MCPApprovalRequest, approve: bool) -> None:
        self._obey_checked(
            lambda: self._conversation.answer_approval(request, approve=approve),
            f"Error answering for {request.server_label}",
        )

    def _new_conversation(self) -> Conversation:
        return Conversation(
            lambda: self.playback.position,
            sample_rate_hz=AZURE_VOICE_LIVE_SAMPLE_RATE,
            mcp_labels=lambda: self._tool_runner.tools.servers,
        )


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
