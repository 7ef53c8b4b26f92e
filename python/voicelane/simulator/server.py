"""The websocket server: who may connect, and the life of the simulator."""

from __future__ import annotations

import asyncio
import hmac
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from .connection import Connection
from .conversation import Conversation
from .events import Ids
from .faults import NO_FAULTS, Faults
from .record import Record
from .responder import Reply, Responder, ToolCall, Voice

PATH = "/voice-live/realtime"
MAX_MESSAGE_BYTES = 15 * 1024 * 1024
SESSION_S = 60 * 60
_HEARTBEAT_S = 30.0
_SHUTDOWN_TIMEOUT_S = 1.0
_MAX_CONNECTIONS_KEPT = 1000


class Simulator:
    """Azure Voice Live on the loopback interface, as a realtime model speaks it.

    It listens for speech, answers with recorded phrases and understands nothing.

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
        audio_speed: How many times faster than real time replies are sent; `math.inf` for as fast
            as possible.
        delta_ms: How much audio one `response.audio.delta` carries.
        faults: What goes wrong.
        seed: Makes the ids: the same seed, the same ids.
        kept_audio_bytes: How much audio of each connection is kept for tests.
        ssl_context: Serve `wss` with its certificate.

    Attributes:
        api_key: The key that clients must bring.
        bearer_token: The token that they may bring instead.
        connections: The connections that were accepted, the oldest first (of many, the last 1000).
        faults: What goes wrong in connections from now on; may be replaced.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        *,
        api_key: str = "simulator-key",
        bearer_token: str = "simulator-token",
        host: str = "127.0.0.1",
        port: int = 0,
        replies: Sequence[Reply | ToolCall] | None = None,
        user_transcripts: Sequence[str] | None = None,
        audio_speed: float = 5.0,
        delta_ms: int = 100,
        faults: Faults = NO_FAULTS,
        seed: int = 0,
        kept_audio_bytes: int = 4 * 1024 * 1024,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not audio_speed > 0:
            raise ValueError(f"audio_speed: expected above 0, but got {audio_speed}")
        if delta_ms < 1:
            raise ValueError(f"delta_ms: expected 1 or above, but got {delta_ms}")
        self.api_key = api_key
        self.bearer_token = bearer_token
        self.faults = faults
        self.connections: deque[Connection] = deque(maxlen=_MAX_CONNECTIONS_KEPT)
        self._host = host
        self._port = port
        self._replies = replies
        self._user_transcripts = user_transcripts
        self._audio_speed = audio_speed
        self._seed = seed
        self._kept_audio_bytes = kept_audio_bytes
        self._ssl_context = ssl_context
        self._voice = Voice(delta_ms)
        self._num_handshakes = 0
        self._open: set[Connection] = set()
        self._runner: web.AppRunner | None = None

    @property
    def endpoint(self) -> str:
        """The websocket URL of the server, without the path; RuntimeError unless it runs."""
        if self._runner is None:
            raise RuntimeError("the simulator is not running: use `async with Simulator() as sim`")
        port = self._runner.addresses[0][1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'wss' if self._ssl_context else 'ws'}://{host}:{port}"

    async def __aenter__(self) -> Self:
        """Listen; OSError if the port is taken."""
        app = web.Application()
        app.router.add_get(PATH, self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port, ssl_context=self._ssl_context)
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Close every connection and stop listening."""
        runner, self._runner = self._runner, None
        closing = [connection.close(1001, "simulator stops") for connection in self._open]
        await asyncio.gather(*closing)
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        index = self._num_handshakes
        self._num_handshakes += 1
        faults = self.faults.for_connection(index)
        refusal = self._refusal(request, faults)
        if refusal is not None:
            return refusal
        websocket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES)
        await websocket.prepare(request)
        record = Record(self._kept_audio_bytes)
        conversation = Conversation(
            model=request.query.get("model", "agent"),
            responder=Responder(self._voice, self._replies, self._user_transcripts),
            ids=Ids(f"{self._seed}/{index}"),
            expires_at_s=int(time.time()) + SESSION_S,
            audio_speed=self._audio_speed,
            record=record,
        )
        connection = Connection(request, websocket, conversation, record, faults)
        self.connections.append(connection)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
        return websocket

    def _refusal(self, request: web.Request, faults: Faults) -> web.Response | None:
        """Return why this handshake fails, None if it does not."""
        status = faults.refuse_with_status
        if status is not None:
            return _error(status, str(status), f"The simulator refuses with {status}.")
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
        return None

    def _is_authorized(self, request: web.Request) -> bool:
        """Whether the key or the token is right, in a header or in the query."""
        given_keys = (request.headers.get("api-key"), request.query.get("api-key"))
        tokens = (request.headers.get("Authorization"), request.query.get("Authorization"))
        return any(_is_same(key, self.api_key) for key in given_keys if key) or any(
            _is_same(token, f"Bearer {self.bearer_token}") for token in tokens if token
        )


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def _error(status: int, code: str, message: str) -> web.Response:
    body = {"error": {"code": code, "message": message}}
    return web.json_response(body, status=status)


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
