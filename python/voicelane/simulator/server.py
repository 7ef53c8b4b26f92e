"""The websocket server: who may connect, and the life of the simulator."""

from __future__ import annotations

import asyncio
import hmac
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from os import PathLike
from types import TracebackType
from typing import Self

from aiohttp import web

from .connection import Connection
from .conversation import Conversation
from .events import Ids
from .faults import NO_FAULTS, Faults
from .limits import ConnectionRate, Limits
from .local_speech import LocalSpeech
from .record import Record
from .recording import RecordingWriter, read_recording
from .replay import Replay
from .responder import Responder, Voice
from .scenario import Answer, Scenario
from .scenario_file import read_scenario
from .wire import Wire

PATH = "/voice-live/realtime"
_SHUTDOWN_TIMEOUT_S = 1.0
_MAX_CONNECTIONS_KEPT = 1000


class Simulator:
    """Azure Voice Live on the loopback interface, as a realtime model speaks it.

    It listens for speech, answers with recorded phrases and understands nothing, unless `speech` is set.

        async with Simulator() as sim:
            connect(endpoint=sim.endpoint, credential=AzureKeyCredential(sim.api_key), ...)

    Args:
        api_key: The key that clients must bring.
        bearer_token: The token that they may bring instead.
        host: Where to listen.
        port: Where to listen; 0 lets the system choose.
        replies: What each session is answered, in turn; by default the bundled phrases.
        user_transcripts: What each session is told that its user said, in turn; by default an
            honest "[2.4 s of speech]".
        scenario: What each session is like, or the file that says so; in place of `replies` and
            `user_transcripts`.
        replay: A recording to serve to each connection, in place of a scenario.
        replay_timing: Keep the times of the recording, too; they do without `audio_speed`.
        record: A folder to write each connection to, as a recording.
        speech: Understand the words of the user, and say any text. What the user said is then the one
            of the scenario's `user_transcripts` that is most like it, or, where there are none, any words.
        audio_speed: How many times faster than real time replies are sent; `math.inf` for as fast
            as possible.
        delta_ms: How much audio one `response.audio.delta` carries.
        faults: What goes wrong; by default what the scenario says.
        limits: How much clients may do; by default as the service, but for the number of connections.
        seed: Makes the ids: the same seed, the same ids.
        kept_audio_bytes: How much audio of each connection is kept for tests.
        ssl_context: Serve `wss` with its certificate.
        reuse_port: Share the port with others that do (`SO_REUSEPORT`): Linux spreads the connections
            over them, and each knows its own alone.

    Attributes:
        api_key: The key that clients must bring.
        bearer_token: The token that they may bring instead.
        connections: The connections that were accepted, the oldest first (of many, the last 1000).
        faults: What goes wrong in connections from now on; may be replaced.

    Raises:
        ValueError: An argument is out of range, or a file is not as it should be (`ScenarioError`).
        OSError: A file cannot be read.
        ImportError: There is a file, and pyyaml is not installed; or what `speech` needs is not.
    """

    def __init__(
        self,
        *,
        api_key: str = "simulator-key",
        bearer_token: str = "simulator-token",
        host: str = "127.0.0.1",
        port: int = 0,
        replies: Sequence[Answer] | None = None,
        user_transcripts: Sequence[str | None] | None = None,
        scenario: Scenario | str | PathLike[str] | None = None,
        replay: str | PathLike[str] | None = None,
        replay_timing: bool = False,
        record: str | PathLike[str] | None = None,
        speech: bool = False,
        audio_speed: float = 5.0,
        delta_ms: int = 100,
        faults: Faults = NO_FAULTS,
        limits: Limits | None = None,
        seed: int = 0,
        kept_audio_bytes: int = 4 * 1024 * 1024,
        ssl_context: ssl.SSLContext | None = None,
        reuse_port: bool = False,
    ) -> None:
        if not audio_speed > 0:
            raise ValueError(f"audio_speed: expected above 0, but got {audio_speed}")
        if delta_ms < 1:
            raise ValueError(f"delta_ms: expected 1 or above, but got {delta_ms}")
        if scenario is not None and (replies or user_transcripts):
            raise ValueError("scenario: expected no replies and user_transcripts beside it")
        if replay is not None and (scenario is not None or replies or user_transcripts):
            raise ValueError("replay: expected no scenario, replies and user_transcripts beside it")
        if replay is not None and speech:
            raise ValueError("replay: expected no speech beside it")
        if scenario is None:
            scenario = Scenario.of_replies(replies, user_transcripts)
        self._scenario = scenario if isinstance(scenario, Scenario) else read_scenario(scenario)
        phrases = [words for words in self._scenario.user_transcripts if words]
        self._speech = LocalSpeech(phrases) if speech else None
        self._replay = None if replay is None else read_recording(replay)
        self._replay_timing = replay_timing
        if self._replay is not None:
            Replay(self._replay, Record(0), keeps_time=replay_timing)  # can it be?
        self._folder = record
        self.api_key = api_key
        self.bearer_token = bearer_token
        self.faults = self._scenario.faults if faults is NO_FAULTS else faults
        self.connections: deque[Connection] = deque(maxlen=_MAX_CONNECTIONS_KEPT)
        self._limits = limits or Limits()
        self._rate = ConnectionRate(self._limits.connections_per_minute)
        self._host = host
        self._port = port
        self._audio_speed = audio_speed
        self._seed = seed
        self._kept_audio_bytes = kept_audio_bytes
        self._ssl_context = ssl_context
        self._reuse_port = reuse_port
        self._voice = Voice(delta_ms)
        self._num_accepted = 0
        self._num_handshakes = 0
        self._open: set[Connection] = set()
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    @property
    def endpoint(self) -> str:
        """The websocket URL of the server, without the path; RuntimeError unless it runs."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'wss' if self._ssl_context else 'ws'}://{host}:{self._bound_port}"

    @property
    def _bound_port(self) -> int:
        if self._listener is None:
            raise RuntimeError("the simulator is not running: use `async with Simulator() as sim`")
        return int(self._listener.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        """Listen; OSError if the port is taken."""
        await self._start(self._port)
        if self._speech is not None:
            self._speech.open()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Close every connection and stop listening."""
        await self._stop(1001, "simulator stops")
        if self._speech is not None:
            self._speech.close()

    async def restart(self, *, code: int | None = 1012, down_s: float = 0.0) -> None:
        """Stop, be away for `down_s`, and start again at the same port.

        Args:
            code: How connections are closed; None cuts them without a word.
            down_s: How long nobody listens.
        """
        port = self._bound_port
        await self._stop(code, "service restart")
        await asyncio.sleep(down_s)
        await self._start(port)

    async def _start(self, port: int) -> None:
        app = web.Application()
        app.router.add_get(PATH, self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
        await runner.setup()
        # Clients may come before `create_server` returns.
        self._runner = runner
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                self._new_wire,
                self._host,
                port,
                ssl=self._ssl_context,
                reuse_port=self._reuse_port,
            )
        except BaseException:
            self._runner = None
            await runner.cleanup()
            raise

    async def _stop(self, code: int | None, reason: str) -> None:
        runner, self._runner = self._runner, None
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        await asyncio.gather(*(connection.close(code, reason) for connection in self._open))
        if runner is not None:
            await runner.cleanup()

    def check(self) -> None:
        """Raise AssertionError unless the clients did what the scenario or the recording expects."""
        lines = [
            f"connection {number}: {line}"
            for number, connection in enumerate(self.connections, 1)
            for line in connection.unmet()
        ]
        if lines:
            raise AssertionError("\n".join(lines))

    def _new_wire(self) -> asyncio.BaseProtocol:
        if self._runner is None or self._runner.server is None:
            return _Unserved()
        faults = self.faults.for_connection(self._num_accepted)
        self._num_accepted += 1
        return Wire(self._runner.server(), faults)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        index = self._num_handshakes
        self._num_handshakes += 1
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        # No heartbeat: who is gone without a word is let go when the session expires.
        websocket = web.WebSocketResponse(max_msg_size=self._limits.message_bytes)
        await websocket.prepare(request)
        record = Record(self._kept_audio_bytes)
        responder = Responder(self._voice, self._scenario, self._speech)
        conversation: Conversation | Replay
        if self._replay is not None:
            conversation = Replay(self._replay, record, keeps_time=self._replay_timing)
        else:
            conversation = Conversation(
                model=request.query.get("model", "agent"),
                responder=responder,
                ids=Ids(f"{self._seed}/{index}"),
                expires_at_s=int(time.time() + self._limits.session_s),
                audio_speed=self._audio_speed,
                record=record,
            )
        connection = Connection(
            request,
            websocket,
            conversation,
            record,
            limits=self._limits,
            expect=self._scenario.expect,
            unanswered=responder.unanswered,
            is_slow=responder.understands,
            writer=None if self._folder is None else RecordingWriter(self._folder),
        )
        self.connections.append(connection)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
        return websocket

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Return why this handshake fails, None if it does not."""
        assert isinstance(request.transport, Wire)
        faults = request.transport.faults
        status = faults.refuse_with_status
        if status is not None:
            message = f"The simulator refuses with {status}."
            return _error(status, str(status), message, faults.retry_after_s)
        if not self._is_authorized(request):
            message = "Access denied due to invalid subscription key, token or wrong API endpoint."
            return _error(401, "401", message)
        query = request.query
        if not query.get("api-version"):
            return _error(400, "BadRequest", "Missing required query parameter: 'api-version'.")
        has_agent = query.get("agent-name") or query.get("agent-id")
        if not query.get("model") and not (has_agent and query.get("agent-project-name")):
            message = "Missing required query parameter: 'model', or an agent and its project."
            return _error(400, "BadRequest", message)
        wait_s = self._rate.accept()
        if wait_s is not None:
            message = f"Too many new connections: retry after {wait_s} seconds."
            return _error(429, "429", message, wait_s)
        return None

    def _is_authorized(self, request: web.Request) -> bool:
        """Whether the key or the token is right, in a header or in the query."""
        given_keys = (request.headers.get("api-key"), request.query.get("api-key"))
        tokens = (request.headers.get("Authorization"), request.query.get("Authorization"))
        return any(_is_same(key, self.api_key) for key in given_keys if key) or any(
            _is_same(token, f"Bearer {self.bearer_token}") for token in tokens if token
        )


class _Unserved(asyncio.Protocol):
    """A connection that was accepted as the server stopped."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def _error(status: int, code: str, message: str, retry_after_s: int | None = None) -> web.Response:
    body = {"error": {"code": code, "message": message}}
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return web.json_response(body, status=status, headers=headers)


async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    api_key: str = "simulator-key",
    audio_speed: float = 5.0,
    on_ready: Callable[[Simulator], None] | None = None,
) -> None:
    """Run a simulator until cancelled.

    Args:
        host: Where to listen.
        port: Where to listen; 0 lets the system choose.
        api_key: The key that clients must bring.
        audio_speed: How many times faster than real time replies are sent.
        on_ready: Called once with the simulator, when clients can connect.

    Raises:
        OSError: The port is taken.
    """
    simulator = Simulator(api_key=api_key, host=host, port=port, audio_speed=audio_speed)
    async with simulator:
        if on_ready is not None:
            on_ready(simulator)
        await asyncio.Event().wait()
