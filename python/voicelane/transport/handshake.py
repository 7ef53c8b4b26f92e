"""What azure-ai-voicelive says when it connects: URL, headers, token. Without importing it.

As of its 1.3.1 (``_VoiceLiveConnectionManager`` in ``aio/_patch.py``); tests/test_transport_options.py
compares the two on the wire.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit, urlunsplit

from ..credentials import AwaitedCredential, NoTokenError
from ..errors import ConnectError
from . import ConnectOptions
from .refusals import no_token

API_VERSION = "2026-07-15"
TOKEN_SCOPE = "https://ai.azure.com/.default"

_SCHEMES = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}


def host_of(endpoint: str) -> str:
    """Host and port, for an error's text: without what may be secret. Of no URL, what may be shown."""
    try:
        netloc = urlsplit(endpoint).netloc
    except ValueError:
        netloc = ""
    return (netloc or endpoint.partition("?")[0]).rpartition("@")[2]


def is_insecure(endpoint: str) -> bool:
    """Whether credentials would leave this machine without TLS.

    Raises:
        ConnectError: the endpoint is no URL of http, https, ws or wss.
    """
    parts = _parts(endpoint)
    return _SCHEMES[parts.scheme] == "ws" and not is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its address or by the one name that always is."""
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name: where another one leads, the network says
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Request:
    """What is said to the service. A traceback that shows variables shows nothing of it."""

    url: str = field(repr=False)
    headers: list[tuple[str, str]] = field(repr=False)


async def request_for(options: ConnectOptions) -> Request:
    """The websocket's URL, and the headers beside those of the websocket.

    Raises:
        ConnectError: the endpoint is no URL of http, https, ws or wss.
        AuthenticationError: no token.
    """
    return Request(_url(options), await _headers(options))


def _url(options: ConnectOptions) -> str:
    parts = _parts(options.endpoint)
    query = {"api-version": API_VERSION, "x-ms-client-sdk": user_agent()}
    if options.model:
        query["model"] = options.model
    query |= options.query
    for name, values in parse_qs(parts.query).items():
        query.setdefault(name, values[0])
    path = parts.path.rstrip("/") + "/voice-live/realtime"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, urlencode(query), ""))


async def _headers(options: ConnectOptions) -> list[tuple[str, str]]:
    headers = {**await _credentials(options), **options.headers}
    if not any(name.lower() == "user-agent" for name in headers):
        headers["User-Agent"] = user_agent()
    return [*headers.items()]


def user_agent() -> str:
    """The client's, as azure-core's policy writes it."""
    try:
        client = version("azure-ai-voicelive")
    except PackageNotFoundError:
        client = "unknown"
    python = platform.python_version()
    return f"azsdk-python-ai-voicelive/{client} Python/{python} ({platform.platform()})"


async def _credentials(options: ConnectOptions) -> dict[str, str]:
    from azure.core.credentials import AzureKeyCredential

    if isinstance(options.credential, AzureKeyCredential):
        return {"api-key": options.credential.key}
    scopes = _scopes(options.credential_scopes)
    try:
        token = await AwaitedCredential(options.credential).get_token(*scopes)
    except NoTokenError as no:
        raise no_token(host_of(options.endpoint), no.error) from None
    return {"Authorization": f"Bearer {token.token}"}


def _parts(endpoint: str) -> SplitResult:
    expected = "endpoint: expected https://HOST or wss://HOST"
    try:
        parts = urlsplit(endpoint)
        host, _port = parts.hostname, parts.port  # which checks it
    except ValueError as error:
        raise ConnectError(f"{expected}: {error}") from None
    if not host or parts.scheme not in _SCHEMES:
        raise ConnectError(f"{expected}, got {host_of(endpoint)}")
    return parts


def _scopes(scopes: str | Sequence[str] | None) -> list[str]:
    if scopes is None:
        return [TOKEN_SCOPE]
    return [scopes] if isinstance(scopes, str) else [*scopes]
