"""Websockets: who may call, and the life of a call from its first message to its close code."""

from __future__ import annotations

import asyncio
import inspect
import socket
from contextlib import suppress
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from ..errors import VoiceLiveError
from ..logs import session_logger
from ..session import AzureVoiceLive
from .call import Call, CallParts
from .close_codes import CallEndedError, CloseCode
from .messages import bad_message
from .metrics import GatewayMetrics
from .outbox import Outbox
from .pump import Pump
from .settings import CallRequest, GatewaySettings, SessionFactory

MAX_MESSAGE_BYTES = 64 * 1024
_HEARTBEAT_S = 20.0
_SEND_BUFFER_BYTES = 64 * 1024
_CLOSE_TIMEOUT_S = 2.0
# Of a telephone's bridge, `connected` and `start`: no token was seen yet, so there is no third.
_OPENING_MESSAGES = 2
_DATA = (WSMsgType.TEXT, WSMsgType.BINARY)

_log = session_logger(__name__)


class Connections:
    """The clients of a gateway, each with a call of its own.

    Args:
        new_session: makes the session of a call, not yet connected.
        settings: limits, and what a call may choose.
        metrics: the gateway's.
    """

    def __init__(
        self, new_session: SessionFactory, settings: GatewaySettings, metrics: GatewayMetrics
    ) -> None:
        self._drained_s: float | None = None
        # From the first message on: also while the session connects.
        self.num_calls = 0
        self._new_session = new_session
        self._settings = settings
        self._metrics = metrics
        self._pump = Pump(metrics.lateness.observe)
        self._greeting: set[asyncio.Timeout] = set()
        self._calls: set[Call] = set()
        self._none_left = asyncio.Event()
        self._none_left.set()
        self._over = asyncio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether no new calls are taken."""
        return self._drained_s is not None

    @property
    def is_full(self) -> bool:
        """Whether as many calls are open as may be."""
        return self.num_calls >= self._settings.max_calls

    async def drain(self, seconds: float) -> None:
        """Takes no new calls, and waits until those that run have ended; after that time, ends them."""
        self._drained_s = asyncio.get_running_loop().time() + seconds
        for call in self._calls:
            call.tell_draining(seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none_left.wait()
        self._over.set()
        for greeting in self._greeting:
            if not greeting.expired():
                greeting.reschedule(0)
        await self._none_left.wait()

    async def serve(self, request: web.Request, kind: type[Call]) -> web.StreamResponse:
        """Answers one client."""
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
            self._check_origin(request)
            await self._answer(websocket, kind)
            ended = None  # by the client
        except CallEndedError as error:
            ended = error
        except Exception:  # noqa: BLE001 - of one call, or of a session factory; the others go on
            _log.exception("A call met a fault of the gateway")
            ended = CallEndedError(CloseCode.INTERNAL, "a fault of the gateway")
        if ended is not None:
            await _close(request, websocket, ended)
        code = ended.code if ended else websocket.close_code
        self._metrics.count_end(int(code or WSCloseCode.ABNORMAL_CLOSURE))
        return websocket

    def _check_origin(self, request: web.Request) -> None:
        # What is no browser sends none, and has no user's cookies or network to abuse.
        origin = request.headers.get("Origin")
        if origin is not None and not self._settings.accepts_origin(origin, request.host):
            raise CallEndedError(CloseCode.WRONG_ORIGIN, "this origin may not call")

    async def _answer(self, websocket: web.WebSocketResponse, kind: type[Call]) -> None:
        request = None if self.is_draining else await self._greeted(websocket, kind)
        if self.is_draining:
            raise _going_away()
        if request is None:
            return
        if self.is_full:
            raise CallEndedError(CloseCode.FULL, "as many calls are open as may be")
        self._count_calls(1)
        try:
            await self._converse(websocket, kind, request)
        finally:
            self._count_calls(-1)

    def _count_calls(self, more: int) -> None:
        self.num_calls += more
        self._metrics.calls.set(self.num_calls)
        if self.num_calls:
            self._none_left.clear()
        else:
            self._none_left.set()

    async def _greeted(
        self, websocket: web.WebSocketResponse, kind: type[Call]
    ) -> CallRequest | None:
        """What the client asks for; None if it goes away, or the gateway stops meanwhile."""
        if len(self._greeting) >= self._settings.max_greeting:
            raise CallEndedError(CloseCode.FULL, "too many connections wait")
        greeting = asyncio.timeout(self._settings.hello_timeout_s)
        self._greeting.add(greeting)
        try:
            async with greeting:
                return await self._opening(websocket, kind)
        except TimeoutError:
            if self._over.is_set():
                return None
            reason = f"expected the call to begin within {self._settings.hello_timeout_s:g} s"
            raise CallEndedError(CloseCode.TIMED_OUT, reason) from None
        finally:
            self._greeting.discard(greeting)

    async def _opening(
        self, websocket: web.WebSocketResponse, kind: type[Call]
    ) -> CallRequest | None:
        for _ in range(_OPENING_MESSAGES):
            if (message := await websocket.receive()).type not in _DATA:
                return None
            if (request := kind.opening(message.data, self._settings)) is not None:
                return request
        raise bad_message("the call to begin", f"{_OPENING_MESSAGES} messages before that")

    async def _converse(
        self, websocket: web.WebSocketResponse, kind: type[Call], request: CallRequest
    ) -> None:
        # One reader from here on: a client that leaves while the session connects is noticed.
        reading = asyncio.create_task(_receive(websocket), name="voicelane-gateway-receive")
        connecting = asyncio.create_task(self._connect(request), name="voicelane-gateway-connect")
        over = asyncio.create_task(self._over.wait(), name="voicelane-gateway-over")
        try:
            while not connecting.done():
                waited: set[asyncio.Future[Any]] = {reading, connecting, over}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    raise _going_away()
                if connecting.done() or not reading.done():
                    continue
                if reading.result().type not in _DATA:
                    return
                kind.take_early(reading.result().data)
                reading = asyncio.create_task(_receive(websocket), name=reading.get_name())
            outbox = Outbox(websocket)
            parts = CallParts(connecting.result(), outbox, request, self._settings, self._metrics)
            call = kind(parts)
            await self._run(websocket, call, outbox, reading, over)
        finally:
            await _cancel(reading, connecting, over)
            if not connecting.cancelled() and connecting.exception() is None:
                await connecting.result().aclose()

    async def _connect(self, request: CallRequest) -> AzureVoiceLive:
        made = self._new_session(request)
        session: AzureVoiceLive = await made if inspect.isawaitable(made) else made
        try:
            session.set_input_format(request.input_sample_rate_hz, 1)
            await session.connect()
        except VoiceLiveError as error:
            await session.aclose()
            _log.warning("No session for a call: %s", error)
            reason = "the voice service cannot be reached"
            raise CallEndedError(CloseCode.NO_SERVICE, reason) from error
        except BaseException:
            await session.aclose()
            raise
        return session

    async def _run(
        self,
        websocket: web.WebSocketResponse,
        call: Call,
        outbox: Outbox,
        first: asyncio.Task[WSMessage],
        over: asyncio.Task[Any],
    ) -> None:
        call.greet()
        if self._drained_s is not None:  # since its client said hello
            left_s = self._drained_s - asyncio.get_running_loop().time()
            call.tell_draining(max(0, round(left_s)))
        self._calls.add(call)
        self._pump.add(call)
        listener = asyncio.create_task(
            _listen(websocket, call, first), name="voicelane-gateway-listen"
        )
        sender = asyncio.create_task(outbox.send(), name="voicelane-gateway-send")
        try:
            waited: set[asyncio.Future[Any]] = {listener, sender, call.ended, over}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if call.ended.done():
                raise call.ended.result()
            if listener.done():
                listener.result()
            elif over.done():
                raise _going_away()
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
    websocket: web.WebSocketResponse, call: Call, first: asyncio.Task[WSMessage]
) -> None:
    message = await first
    while message.type in _DATA:
        await call.take(message.data)
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
