"""One voice session with Azure Voice Live."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

from ._core import PlaybackBuffer
from .config import DEFAULT_INSTRUCTIONS, AzureVoiceLiveConfig
from .credentials import ENDPOINT_VARIABLE, resolve_credential
from .errors import ErrorText, SessionNotReadyError, VoiceLiveError
from .executor import Executor
from .history import History, assistant_item, input_text, user_item
from .keeper import Keeper
from .link import Link
from .logs import SessionLog, session_logger
from .metrics import Metrics
from .microphone import Microphone
from .observer import Observers
from .open_calls import OpenCalls
from .open_session import OpenSession
from .playback import PlaybackTrack
from .playout import Playout
from .protocol import Conversation
from .reconnect import ReconnectPolicy
from .reply import Reply
from .session_events import SessionEvents
from .tools import ToolSet
from .transport import ConnectOptions, OpenTransport, TransportName, choose, open_transport
from .uplink import Uplink

if TYPE_CHECKING:
    from .telemetry import OpenTelemetry

_log = session_logger(__name__)

DEFAULT_ENDPOINT = "wss://api.voicelive.com/v1"

_SEND_READY_TIMEOUT_S = 5.0
_HANDLER_DRAIN_S = 2.0


class AzureVoiceLive(SessionEvents):
    """A real-time voice session: microphone samples in, the agent's speech and events out.

        async with AzureVoiceLive(model="gpt-realtime") as model:
            model.on("realtime_model_transcription", print)
            await model.handle_audio_input(pcm)        # 48 kHz stereo s16, any length
            frame = await model.audio_track.recv()     # 20 ms of 24 kHz mono: bytes, or a PyAV frame

    Args:
        api_key: the resource's key; default the environment's ``AZURE_VOICE_LIVE_API_KEY``.
        endpoint: default the environment's ``AZURE_VOICE_LIVE_ENDPOINT``.
        model: the model or deployment, e.g. "gpt-realtime".
        config: what is asked of the service.
        credential: a key or token credential of azure-core, sync or async; wins over the key. With
            neither, azure-identity's default chain is used.
        tools: what the model may call: functions, `Tool`, `MCPServer`; or a `ToolSet` of them.
        transport: "native" is the Rust engine, "sdk" azure-ai-voicelive's connection; "auto" is what the
            environment's ``VOICELANE_TRANSPORT`` names, else "native" (on Windows "sdk"). Or what opens one
            of your own: `transport.OpenTransport`.
        input_sample_rate_hz: frames per second of what `handle_audio_input` gets.
        input_channels: channels of it, interleaved.
        chunk_ms: how much audio one message carries, 1 to 100: more of it is less work and more delay.
        connect_timeout_s: for the connection and, again, for the service's first answer.
        ca_file: PEM certificates to trust beside the platform's (those of ``SSL_CERT_FILE`` where it is set).
        allow_insecure: connect without TLS (``ws://``, ``http://``) to other machines than this one, too: the
            network then sees credentials and conversation.
        reconnect: when a lost connection is made again; `ReconnectPolicy(max_attempts=0)` never.
        telemetry: where to report spans and metrics; None for nowhere.

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
        transport: TransportName | OpenTransport = "auto",
        input_sample_rate_hz: int = 48_000,
        input_channels: int = 2,
        chunk_ms: int = 20,
        connect_timeout_s: float = 10.0,
        ca_file: str | os.PathLike[str] | None = None,
        allow_insecure: bool = False,
        reconnect: ReconnectPolicy | None = None,
        telemetry: OpenTelemetry | None = None,
    ) -> None:
        super().__init__()
        self._owns_credential = credential is None
        self.credential: Any = resolve_credential(credential, api_key)
        del api_key  # from the tracebacks of what is refused below
        self._transport = choose(transport)
        if not connect_timeout_s > 0:
            raise ValueError(f"connect_timeout_s: expected more than 0, got {connect_timeout_s!r}")
        self.model = model
        self.config = config or AzureVoiceLiveConfig()
        self.endpoint = endpoint or os.environ.get(ENDPOINT_VARIABLE) or DEFAULT_ENDPOINT
        self.audio_track: Any = None
        # How much of what was read from `playback` is still to be heard, where who reads it is no speaker
        # but sends it to one: the agent is told to have said so much less when it is cut off.
        self.listener_lag_ms: Callable[[], float] = float
        self.loop: asyncio.AbstractEventLoop | None = None
        self.current_utterance: Any = None
        self._connect_timeout_s = connect_timeout_s
        self._ca_file = ca_file
        self._allow_insecure = allow_insecure
        self._instructions = DEFAULT_INSTRUCTIONS
        self._connect_lock = asyncio.Lock()
        self._session: OpenSession | None = None
        self._session_ready_event = asyncio.Event()
        self._closing = False
        self._ended: VoiceLiveError | None = None
        self._keeper = Keeper(
            reconnect or ReconnectPolicy(),
            open_link=self._open_link,
            lost=self._session_ready_event.clear,
            ended=self._lost_for_good,
            emit=self.emit,
        )
        self._uplink = Uplink()
        self._history = History()
        self._open_calls = OpenCalls()
        self._session_log = SessionLog()
        self._observer = Observers(
            self._session_log,
            *([telemetry.observe(model, self.endpoint, self._counts)] if telemetry else ()),
        )
        self._metrics = Metrics(self._observer.measured)
        self.microphone = Microphone(
            input_sample_rate_hz,
            input_channels,
            chunk_ms,
            self.config,
            self._uplink,
            self.emit,
        )
        rate_hz = self.config.output_rate_hz
        playback = PlaybackBuffer(rate_hz, encoding=self.config.output_encoding)
        self._playout = Playout(playback, rate_hz, self._metrics, self.emit)
        self._executor = Executor(
            self._uplink,
            self._playout,
            ToolSet.of(tools),
            lambda: self._link,
            self.emit,
            self._observer,
        )

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "expected a session to stay in its process, which holds its key and its connection"
        )

    # --- what it is --------------------------------------------------------------------------

    @property
    def playback(self) -> PlaybackBuffer:
        """What the agent says, to be read by who plays it."""
        return self._playout.playback

    @property
    def session_ready(self) -> bool:
        """Whether the service accepted the session, and the connection is open."""
        return self._session_ready_event.is_set()

    @property
    def connection(self) -> Any:
        """azure-ai-voicelive's connection, None while there is none."""
        return self._session.connection if self._session else None

    @property
    def session_id(self) -> str | None:
        """The service's id of the session, None while there is none."""
        return self._session.session_id if self._session else None

    @property
    def target_sample_rate(self) -> int:
        """Frames per second on the wire."""
        return self.config.input_rate_hz

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools as ``session.update`` has them, the secrets of MCP servers included."""
        return self._executor.tool_runner.tools.wire()

    def set_tools(self, tools: ToolSet | Iterable[Any]) -> None:
        """Replaces the tools, for the next `connect`; `update_session` does it at once. Calls that run go on.

        How many run at once stays as it was.

        Raises:
            TypeError, ValueError: as the constructor does.
        """
        self._executor.tool_runner.tools = ToolSet.of(tools)

    @property
    def _link(self) -> Link | None:
        return self._session.link if self._session else None

    @property
    def _agent_speaking(self) -> bool:
        return self._playout.agent_is_heard

    @property
    def _user_speaking(self) -> bool:
        return self._link is not None and self._link.conversation.user_is_speaking

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
        # What the tasks log that it starts is about this session.
        with self._session_log.bound():
            await self._connect()

    async def _connect(self) -> None:
        if self._session is not None:
            self._session.check_process()
        async with self._connect_lock:
            await self._cleanup_session()
            self._observer.ended(None)
            self._observer.connecting()
            self._closing = False
            self.loop = asyncio.get_running_loop()
            if self.credential is None:  # closed with the session before
                self.credential = resolve_credential(None, None)
            if self.audio_track is None:
                self.audio_track = PlaybackTrack(self.playback)
            try:
                link = await self._open_link()
            except VoiceLiveError as error:
                text = f"Error connecting to Azure Voice Live API: {error}"
                self.emit("error", ErrorText(text, error))
                self._observer.ended(error)
                raise
            except BaseException as error:
                self._observer.ended(error)
                raise
            session = self._session = OpenSession(
                link,
                self._uplink,
                self._history,
                self._executor,
                self._metrics,
                self._connected,
            )
            keeper = asyncio.create_task(self._keeper.keep(session), name="azure-voice-live-keeper")
            session.tasks.append(keeper)

    async def aclose(self) -> None:
        """Closes the connection and ends every task. Idempotent. In a forked child it does nothing."""
        if self._session is not None and not self._session.is_here:
            return
        self._closing = True
        self.microphone.feed.is_open = False
        was_open = self._session is not None
        async with self._connect_lock:
            await self._cleanup_session()
            self._observer.ended(None)
        if self._owns_credential and hasattr(self.credential, "close"):
            credential, self.credential = self.credential, None
            await credential.close()
        if was_open and self._ended is None:
            self.emit("closed", {"error": None})
        self.end_streams()
        try:
            async with asyncio.timeout(_HANDLER_DRAIN_S):
                await self.drain_handlers()
        except TimeoutError:
            # gather cancelled them: they were the user's, and had their time.
            _log.warning(
                "Event handlers still ran %g s after the session was closed",
                _HANDLER_DRAIN_S,
                extra=self._session_log.fields(),
            )

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def wait_closed(self) -> VoiceLiveError | None:
        """Waits until the session has ended; returns why, None where `aclose` ended it."""
        if self._session is not None:
            await asyncio.wait(self._session.tasks)
        return self._ended

    async def _cleanup_session(self) -> None:
        session, self._session = self._session, None
        self._session_ready_event.clear()
        self.microphone.feed.is_open = False
        if session is None:
            return
        if not self._closing:
            self._ended = None
        await session.close()
        self._uplink.clear()
        self._history.clear()
        self._open_calls.clear()
        self.microphone.reset()

    # --- the connection ----------------------------------------------------------------------

    async def _open_link(self) -> Link:
        """A fresh connection that has accepted the session and knows what was said so far."""
        options = ConnectOptions(
            self.endpoint,
            self.model,
            self.credential,
            self._connect_timeout_s,
            query=self.config.connect_query(self.model),
            headers=self.config.headers,
            credential_scopes=self.config.credential_scopes,
            ca_file=self._ca_file,
            allow_insecure=self._allow_insecure,
        )
        transport = await open_transport(self._transport, options, self.playback)
        conversation = Conversation(
            lambda: self.playback.position,
            sample_rate_hz=self.config.output_rate_hz,
            history=self._history,
            open_calls=self._open_calls,
            mcp_labels=lambda: self._executor.tool_runner.tools.servers,
            listener_lag_ms=lambda: self.listener_lag_ms(),
        )
        link = Link(
            transport,
            conversation,
            self._uplink,
            self.playback,
            self._executor.obey,
            self._executor.report,
        )
        try:
            settings = self.config.session_update(model=self.model, instructions=self._instructions)
            if tools := self.tools:
                settings["tools"] = tools
            await link.open(settings, self._history.replay(), self._connect_timeout_s)
        except BaseException:
            await link.close()
            raise
        return link

    def _connected(self, link: Link) -> None:
        self._ended = None
        self._session_ready_event.set()
        # Also while a lost connection is made again: the last seconds are kept, for the next one.
        self.microphone.feed.is_open = self.config.has_audio
        self._observer.connected(link.session_id)

    def _lost_for_good(self, error: VoiceLiveError | None) -> None:
        self._session_ready_event.clear()
        self.microphone.feed.is_open = False
        self._ended = error
        self.emit("closed", {"error": str(error)})
        self._observer.ended(error)

    async def update_session(self, **changes: Any) -> None:
        """Changes settings in the course of the session, and waits until the service accepted them.

        Args:
            **changes: settings by the names of `AzureVoiceLiveConfig`, ``instructions`` and ``tools``. None
                goes back to the service's default; instructions are a text.

        Raises:
            ValueError, TypeError: a value is bad, or the setting cannot change any more.
            ServiceError: the service refused the change.
            SessionNotReadyError: there is no session, or the service did not answer in time.
        """
        link = (await self._ready()).link
        tools = ToolSet.of(changes.pop("tools") or ()) if "tools" in changes else None
        link.catch_up()
        session = self.config.session_changes(
            session_model=self.model,
            agent_has_spoken=link.conversation.agent_has_spoken,
            **changes,
        )
        if tools is not None:
            session["tools"] = tools.wire()
        await link.update(session, self._connect_timeout_s)
        # The next connection begins with what this one has come to.
        self._instructions = changes.pop("instructions", self._instructions)
        self.config = self.config.with_changes(**changes)
        self.microphone.feed.is_open = self.config.has_audio
        if tools is not None:
            self._executor.tool_runner.tools = tools

    # --- microphone and text -----------------------------------------------------------------

    def set_input_format(self, sample_rate_hz: int, channels: int) -> None:
        """What `handle_audio_input` gets from now on.

        Raises:
            ValueError: an argument out of range; the format stays as it was.
        """
        self.microphone.set_format(sample_rate_hz, channels)

    async def handle_audio_input(self, audio_data: Any) -> None:
        """Takes microphone samples: any bytes-like object, any whole number of frames.

        Never waits and never raises; bad input becomes an ``error`` event. Samples that come before the
        session is ready are ignored. When the network is slower than the microphone, the oldest audio
        is dropped, with one ``error`` event per episode.
        """
        self.microphone.take(audio_data)

    async def flush_audio(self) -> None:
        """Waits until everything taken so far was handed to the connection, or the connection ended."""
        if self._session is not None and self._session.is_here:
            await self._session.wait_sent()

    async def commit_audio(self) -> Reply:
        """Push-to-talk: what was said since the last commit is the user's turn. Asks for the answer.

        Awaiting what it returns waits until the answer was heard.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        session = await self._ready()
        self.microphone.flush()
        session.send({"type": "input_audio_buffer.commit"})
        return session.ask(Reply())

    async def clear_audio(self) -> None:
        """Push-to-talk: forgets what was said since the last commit.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        session = await self._ready()
        self.microphone.flush()
        session.send({"type": "input_audio_buffer.clear"})

    async def send_message(self, message: str) -> Reply:
        """Has the agent say exactly this text. Awaiting what it returns waits until it was heard.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        item = assistant_item(message)
        return (await self._ready()).ask(Reply({"pre_generated_assistant_message": item}))

    async def send_text_message(self, message: str) -> Reply:
        """Says this text as the user. Awaiting what it returns waits until the answer was heard.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        return await self.send_content([input_text(message)])

    async def send_content(self, content: Sequence[Mapping[str, Any]]) -> Reply:
        """Says this as the user: texts and images as the service has them (``input_image``).

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        session = await self._ready()
        session.tell(user_item(content))
        return session.ask(Reply())

    async def add_content(self, content: Sequence[Mapping[str, Any]]) -> None:
        """As `send_content`, for the next answer: asks for none.

        Raises:
            SessionNotReadyError: there is no session, and none within 5 s.
        """
        (await self._ready()).tell(user_item(content))

    async def interrupt(self) -> None:
        """Cuts the agent off: drops what was not heard, cancels what is being said and what was asked for."""
        self.catch_up()
        if self._session is not None and not self._closing:
            self._session.interrupt()

    def catch_up(self) -> None:
        """Emits what the service has said by now. For who reads `playback` where the order of audio and
        events counts: audio is there the moment it comes, its events when the event loop has a turn.
        """
        if self._session is not None and not self._closing:
            self._session.link.catch_up()

    async def _ready(self) -> OpenSession:
        if self._session is not None:
            self._session.check_process()
        # A closed session will not become ready by waiting.
        timeout_s = 0 if self._closing else _SEND_READY_TIMEOUT_S
        try:
            # Not wait_for: before Python 3.12 it may swallow that the caller is cancelled.
            async with asyncio.timeout(timeout_s):
                await self._session_ready_event.wait()
        except TimeoutError:
            raise SessionNotReadyError(
                "No active Azure Voice Live session after maximum retries"
            ) from None
        assert self._session is not None, "what is ready is there"
        return self._session

    # --- events and figures ------------------------------------------------------------------

    def emit(self, event: str, payload: Any = None) -> None:
        """Calls the handlers of an event, and hands it to those who iterate over `events`."""
        if event == "error":
            self._metrics.num_errors += 1
        self._observer.emitted(event, payload)
        super().emit(event, payload)

    def stats(self) -> dict[str, Any]:
        """What the session measured so far, over all its connections.

        ``first_audio`` and ``first_heard`` are the time from the end of the user's speech, as the service
        tells it, to the first audio of the answer received and heard; ``silence`` is the time from an
        interrupt to the consumer's next read (heard and silence to 10 ms).
        """
        return self._metrics.summary(self._uplink, self.playback)

    def _counts(self) -> Mapping[str, float]:
        return self._metrics.counts(self._uplink, self.playback)
