"""The transport of azure-ai-voicelive: its `connect`, its connection.

Everything in voicelane that depends on how azure-ai-voicelive 1.1 to 1.3 is made stands in this file, and
tests/test_transport_sdk.py fails when a new version moves it:

* Audio goes past its model layer: appends are sent and events received as text, on the websocket that
  ``VoiceLiveConnection`` keeps as ``_connection`` (an `aiohttp.ClientWebSocketResponse`). Its public
  ``send`` would serialise a second time, its ``recv_bytes`` hides the close code of an aborted
  connection and every close reason.
* ``handshake_timeout`` is ignored, so the time-out is here; and a connect that is cancelled leaves its
  `aiohttp.ClientSession` open, in a local variable ``session`` of its frame.
* A redirect it refuses with a bare `aiohttp.ClientError`, without the status: that is in the local variable
  ``params`` of the frame that raises it.
* By default 1.1 asks for a version of the service from before half of `voicelane.config`.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
from azure.ai.voicelive.aio import ConnectionError as SdkConnectionError
from azure.ai.voicelive.aio import VoiceLiveConnection, connect
from azure.core.exceptions import AzureError

from ..credentials import NoTokenError, off_the_loop
from ..errors import NO_CLOSE_CODE, ConnectError, ConnectionLostError
from ..uplink import Uplink
from . import CLOSE_TIMEOUT_S, HEARTBEAT_S, ConnectOptions, Received
from .handshake import API_VERSION, host_of
from .refusals import no_token, no_websocket, refused, timed_out, unreachable

_MAX_MESSAGE_BYTES = 10 * 1024 * 1024
# The version of the service that voicelane is written for; the client's own where that is newer.
_API_VERSION = max(API_VERSION, inspect.signature(connect).parameters["api_version"].default)

T = TypeVar("T")


class SdkTransport:
    """An open connection; made by `SdkTransport.connect`."""

    writes_playback = False

    def __init__(self, connection: VoiceLiveConnection) -> None:
        self._connection = connection
        self._websocket: aiohttp.ClientWebSocketResponse = connection._connection

    @property
    def connection(self) -> VoiceLiveConnection:
        """The connection itself, for every call that voicelane does not wrap."""
        return self._connection

    @classmethod
    async def connect(cls, options: ConnectOptions) -> SdkTransport:
        """Opens a connection.

        Raises:
            AuthenticationError: HTTP 401 or 403, or no token.
            ConnectTimeoutError: no answer within `connect_timeout_s`.
            ConnectError: no connection for another reason.
        """
        host = host_of(options.endpoint)
        vendor_options: dict[str, Any] = {}
        if options.ca_file is not None:
            vendor_options["ssl"] = _ssl_context(options.ca_file)
        # Before 1.2 it is no argument of `connect`, and None is no default.
        scopes = options.credential_scopes
        scoped = {} if scopes is None else {"credential_scopes": scopes}
        manager = connect(
            endpoint=options.endpoint,
            credential=off_the_loop(options.credential),
            model=options.model or None,
            api_version=_API_VERSION,
            # Agent, profile and api version too: the client writes its parameters first, these over them.
            query=options.query,
            headers=options.headers,
            connection_options={
                "max_msg_size": _MAX_MESSAGE_BYTES,
                "heartbeat": HEARTBEAT_S,
                "close_timeout": CLOSE_TIMEOUT_S,
                "vendor_options": vendor_options,
            },
            **scoped,
        )
        try:
            async with asyncio.timeout(options.connect_timeout_s):
                try:
                    return cls(await manager.__aenter__())
                except asyncio.CancelledError as cancelled:
                    await _close_abandoned_session(cancelled.__traceback__)
                    raise
        except TimeoutError:
            # None of the SDK's frames goes along: their variables are the headers.
            raise timed_out(host, options.connect_timeout_s) from None
        except NoTokenError as no:
            raise no_token(host, no.error) from None
        except (SdkConnectionError, AzureError, OSError) as error:
            # The SDK's text holds the whole URL: the query may carry what must not be logged.
            raise _connect_error(host, error) from None

    async def receive(self) -> Sequence[Received]:
        while True:
            message = await self._websocket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    return [str(message.data).encode()]
                case aiohttp.WSMsgType.BINARY:
                    return [bytes(message.data)]
                case aiohttp.WSMsgType.CLOSE:
                    raise ConnectionLostError(message.data or NO_CLOSE_CODE, message.extra or "")
                case aiohttp.WSMsgType.ERROR:
                    by_us = isinstance(message.data, aiohttp.WebSocketError)
                    raise ConnectionLostError(self._close_code(), str(message.data), by_us)
                case aiohttp.WSMsgType.CLOSED:
                    raise ConnectionLostError(self._close_code())
                case _:
                    continue  # closing from this side: CLOSED follows

    async def send(self, event: Mapping[str, Any]) -> None:
        try:
            await self._connection.send(event)
        except SdkConnectionError as error:
            raise ConnectionLostError(self._close_code(), str(error)) from None

    def receive_nowait(self) -> Sequence[Received]:
        return ()  # aiohttp's queue is its own

    def silence(self, response_id: str) -> None:
        """Nothing: the session itself lets no audio of it pass."""

    async def serve(self, uplink: Uplink) -> None:
        while True:
            await self.send_text(await uplink.get())

    async def send_text(self, text: str) -> None:
        """As `send`, of what is text already.

        Raises:
            ConnectionLostError: the connection ended.
        """
        try:
            await self._websocket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLostError(self._close_code(), str(error)) from None

    async def close(self) -> None:
        await self._connection.close()

    def _close_code(self) -> int:
        return self._websocket.close_code or NO_CLOSE_CODE


def _connect_error(host: str, error: BaseException) -> ConnectError:
    cause = error.__cause__
    if isinstance(cause, aiohttp.WSServerHandshakeError):
        if cause.status == HTTPStatus.SWITCHING_PROTOCOLS:
            return no_websocket(host, cause.message)
        retry_after = cause.headers.get("Retry-After") if cause.headers else None
        return refused(host, cause.status, retry_after)
    if isinstance(cause, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return no_websocket(host, f"TLS: {cause.__cause__ or cause}")
    if isinstance(cause, aiohttp.ClientConnectorError):
        why = cause.os_error
        return unreachable(host, why.strerror or str(why) or type(why).__name__)
    redirect = cause and _local(cause.__traceback__, "params", aiohttp.TraceRequestRedirectParams)
    if redirect:
        return refused(host, redirect.response.status, None)
    return no_websocket(host, type(cause).__name__ if cause is not None else "no websocket")


def _ssl_context(ca_file: str | os.PathLike[str]) -> ssl.SSLContext:
    """The platform's roots and these.

    Raises:
        ConnectError: the file cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:  # ssl.SSLError too
        raise ConnectError(
            f"ca_file: expected PEM certificates in {os.fspath(ca_file)}, got {error.strerror or error}"
        ) from None
    return context


async def _close_abandoned_session(traceback: TracebackType | None) -> None:
    """Closes the client session that the SDK's cancelled connect holds in its frame alone."""
    session = _local(traceback, "session", aiohttp.ClientSession)
    if session is not None:
        await session.close()


def _local(traceback: TracebackType | None, name: str, kind: type[T]) -> T | None:
    """The variable of that name and type in a frame that the traceback goes through."""
    while traceback is not None:
        found = traceback.tb_frame.f_locals.get(name)
        if isinstance(found, kind):
            return found
        traceback = traceback.tb_next
    return None
