"""The aiohttp application: who may call, the life of a call, health, draining."""

from __future__ import annotations

import asyncio
import hmac
import inspect
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSMessage, WSMsgType, web

from ..errors import VoiceLiveError
from ..logs import session_logger
from ..session import AzureVoiceLive
from .call import MAX_TEXT_CHARACTERS, PROTOCOL, BrowserCall
from .close_codes import CallEndedError, CloseCode
from .messages import bad_message, choice, field, parsed
from .metrics import GatewayMetrics
from .outbox import Outbox
from .pump import Pump
from .settings import CallRequest, GatewaySettings, SessionFactory

MAX_MESSAGE_BYTES = 64 * 1024
_HEARTBEAT_S = 20.0
_SEND_BUFFER_BYTES = 64 * 1024
_CLOSE_TIMEOUT_S = 2.0
_STATIC = Path(__file__).parent / "static"
_RATES_HZ = (8_000, 96_000)

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; media-src 'self'; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",
}

_log = session_logger(__name__)


class Gateway:
    """Calls of browsers, each with a session of its own.

    Args:
        new_session: makes the session of a call, not yet connected.
        settings: limits, and what a call may choose.
    """

    def __init__(
        self, new_session: SessionFactory, settings: GatewaySettings | None = None
    ) -> None:
        self.settings = settings or GatewaySettings()
        self.metrics = GatewayMetrics()
        self.is_draining = False
        self._is_over = False
        self._new_session = new_session
        self._pump = Pump(self.metrics.lateness.observe)
        # From the hello on: also while the session connects.
        self._num_calls = 0
        self._num_greeting = 0
        self._calls: set[BrowserCall] = set()
        self._none_left = asyncio.Event()
        self._none_left.set()

    @property
    def num_calls(self) -> int:
        """How many calls are open."""
        return self._num_calls

    @property
    def status(self) -> str:
        """ "ready", "full" or "draining"."""
        if self.is_draining:
            return "draining"
        return "full" if self._num_calls >= self.settings.max_calls else "ready"

    async def drain(self, timeout_s: float | None = None) -> None:
        """Takes no new calls, and waits until those that run have ended; after the time-out, ends them.

        Args:
            timeout_s: default `GatewaySettings.drain_s`.
        """
        seconds = self.settings.drain_s if timeout_s is None else timeout_s
        self.is_draining = True
        for call in self._calls:
            call.tell_draining(seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none_left.wait()
        self._is_over = True
        for call in self._calls:
            call.end(*_going_away().args)
        await self._none_left.wait()

    # --- HTTP --------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The application; closing it ends all calls."""
        app = web.Application(middlewares=[_secured])
        app.router.add_get("/config", self._config)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/ws", self._browser)
        app.router.add_get("/", _index)
        app.router.add_static("/static/", _STATIC)
        app.on_shutdown.append(self._stop)
        return app

    async def _stop(self, _app: web.Application) -> None:
        await self.drain(0)

    async def _config(self, _request: web.Request) -> web.Response:
        settings = self.settings
        return web.json_response(
            {
                "protocol": PROTOCOL,
                "token_required": settings.token is not None,
                "is_simulator": settings.is_simulator,
                "voice": settings.voices[0],
                "voices": settings.voices,
                "turn_detection": settings.turn_detections[0],
                "turn_detections": settings.turn_detections,
                "max_text_characters": MAX_TEXT_CHARACTERS,
            }
        )

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        status = self.status
        return web.json_response({"status": status}, status=200 if status == "ready" else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not self._is_token(token if scheme == "Bearer" else ""):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=self.metrics.text(), content_type="text/plain", charset="utf-8")

    # --- a call ------------------------------------------------------------------------------

    async def _browser(self, request: web.Request) -> web.StreamResponse:
        if self.is_draining:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
        websocket = web.WebSocketResponse(
            timeout=_CLOSE_TIMEOUT_S,
            heartbeat=_HEARTBEAT_S,
            max_msg_size=MAX_MESSAGE_BYTES,
            compress=False,
        )
        await websocket.prepare(request)
        _narrow(request)
        ended: CallEndedError | None
        try:
            await self._serve(request, websocket)
            ended = None  # by the client
        except CallEndedError as error:
            ended = error
        except Exception:  # noqa: BLE001 - of one call, or of a session factory; the others go on
            _log.exception("A call met a fault of the gateway")
            ended = CallEndedError(CloseCode.INTERNAL, "a fault of the gateway")
        if ended is not None:
            await _close(request, websocket, ended)
        code = ended.code if ended else websocket.close_code
        self.metrics.ended.labels(str(int(code or 1006))).inc()
        return websocket

    async def _serve(self, request: web.Request, websocket: web.WebSocketResponse) -> None:
        self._check_origin(request)
        if self._num_greeting >= self.settings.max_greeting:
            raise CallEndedError(CloseCode.FULL, "too many connections wait")
        self._num_greeting += 1
        try:
            call_request = await self._hello(websocket)
        finally:
            self._num_greeting -= 1
        if call_request is None:
            return
        if self.is_draining:
            raise _going_away()
        if self.status == "full":
            raise CallEndedError(CloseCode.FULL, "as many calls are open as may be")
        self._count_calls(1)
        try:
            await self._converse(websocket, call_request)
        finally:
            self._count_calls(-1)

    def _count_calls(self, more: int) -> None:
        self._num_calls += more
        self.metrics.calls.set(self._num_calls)
        if self._num_calls:
            self._none_left.clear()
        else:
            self._none_left.set()

    def _check_origin(self, request: web.Request) -> None:
        # What is no browser sends none, and has no user's cookies or network to abuse.
        origin = request.headers.get("Origin")
        if origin is None or origin in self.settings.origins:
            return
        if urlsplit(origin).netloc != request.host:
            raise CallEndedError(CloseCode.WRONG_ORIGIN, "this origin may not call")

    def _is_token(self, given: str) -> bool:
        token = self.settings.token
        return token is None or hmac.compare_digest(
            given.encode("utf-8", "surrogatepass"), token.encode()
        )

    async def _hello(self, websocket: web.WebSocketResponse) -> CallRequest | None:
        """What the client asks for; None if it goes away."""
        try:
            async with asyncio.timeout(self.settings.hello_timeout_s):
                message = await websocket.receive()
        except TimeoutError:
            reason = f"expected hello within {self.settings.hello_timeout_s:g} s"
            raise CallEndedError(CloseCode.TIMED_OUT, reason) from None
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None
        hello = parsed(message.data) if message.type is WSMsgType.TEXT else {"type": "audio"}
        if hello["type"] != "hello":
            raise bad_message("hello first", "another message")
        if not self._is_token(field(hello, "token", str, "")):
            raise CallEndedError(CloseCode.UNAUTHORIZED, "the token is missing or wrong")
        if field(hello, "protocol", int) != PROTOCOL:
            raise bad_message(f"protocol {PROTOCOL}", "another")
        rate_hz = field(hello, "input_sample_rate_hz", int)
        if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
            raise bad_message(f"input_sample_rate_hz from {_RATES_HZ[0]} to {_RATES_HZ[1]}", "more")
        settings = self.settings
        return CallRequest(
            "browser",
            choice(hello, "voice", settings.voices, settings.voices[0]),
            choice(hello, "turn_detection", settings.turn_detections, settings.turn_detections[0]),
            rate_hz,
        )

    async def _converse(self, websocket: web.WebSocketResponse, request: CallRequest) -> None:
        made = self._new_session(request)
        session: AzureVoiceLive = await made if inspect.isawaitable(made) else made
        session.set_input_format(request.input_sample_rate_hz, 1)
        outbox = Outbox(websocket)
        call = BrowserCall(session, outbox, request, self.settings, self.metrics)
        # One reader from here on: a client that leaves while the session connects is noticed.
        reading = asyncio.create_task(_receive(websocket), name="voicelane-gateway-receive")
        connecting = asyncio.create_task(session.connect(), name="voicelane-gateway-connect")
        try:
            await asyncio.wait({reading, connecting}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                if reading.result().type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    raise bad_message("nothing before ready", "a message")
                return
            try:
                connecting.result()
            except VoiceLiveError as error:
                _log.warning("No session for a call: %s", error)
                reason = "the voice service cannot be reached"
                raise CallEndedError(CloseCode.NO_SERVICE, reason) from error
            await self._run(websocket, call, outbox, reading)
        finally:
            await _cancel(reading, connecting)
            await session.aclose()

    async def _run(
        self,
        websocket: web.WebSocketResponse,
        call: BrowserCall,
        outbox: Outbox,
        first: asyncio.Task[WSMessage],
    ) -> None:
        if self._is_over:
            raise _going_away()
        call.greet()
        self._calls.add(call)
        self._pump.add(call)
        listener = asyncio.create_task(
            _listen(websocket, call, first), name="voicelane-gateway-listen"
        )
        sender = asyncio.create_task(outbox.send(), name="voicelane-gateway-send")
        try:
            waited: set[asyncio.Future[Any]] = {listener, sender, call.ended}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if call.ended.done():
                raise call.ended.result()
            if listener.done():
                listener.result()
            else:
                with suppress(ConnectionError):  # the client has gone
                    sender.result()
        finally:
            self._calls.discard(call)
            self._pump.remove(call)
            await _cancel(listener, sender)


def _going_away() -> CallEndedError:
    return CallEndedError(CloseCode.GOING_AWAY, "the gateway stops")


async def _listen(
    websocket: web.WebSocketResponse, call: BrowserCall, first: asyncio.Task[WSMessage]
) -> None:
    message = await first
    while message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
        if message.type is WSMsgType.TEXT:
            await call.take_text(message.data)
        else:
            await call.take_audio(message.data)
        message = await websocket.receive()


async def _receive(websocket: web.WebSocketResponse) -> WSMessage:
    return await websocket.receive()


async def _close(
    request: web.Request, websocket: web.WebSocketResponse, ended: CallEndedError
) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await websocket.close(code=ended.code, message=ended.reason.encode())
    except (TimeoutError, ConnectionError):
        _abort(request)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Not this task: aiohttp's own wait for a client that does not read, which the sender shared.
        _abort(request)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _narrow(request: web.Request) -> None:
    """Lets the system hold little for a client: one that does not read is noticed in seconds."""
    if request.transport is not None:
        its_socket = request.transport.get_extra_info("socket")
        its_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_STATIC / "index.html")


@web.middleware
async def _secured(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_HEADERS)
        raise
    if not response.prepared:
        response.headers.update(_HEADERS)
    return response


GATEWAY = web.AppKey("voicelane", Gateway)


def create_app(
    new_session: SessionFactory, settings: GatewaySettings | None = None
) -> web.Application:
    """The gateway as an aiohttp application, for one event loop.

    ::

        def new_session(call: CallRequest) -> AzureVoiceLive:
            return AzureVoiceLive(model="gpt-realtime", tools=[get_weather])


        app = create_app(new_session)
        web.run_app(app)

    ``app[GATEWAY]`` is the `Gateway`: `Gateway.drain`, `Gateway.num_calls`, `Gateway.status`.
    """
    gateway = Gateway(new_session, settings)
    app = gateway.app()
    app[GATEWAY] = gateway
    return app
