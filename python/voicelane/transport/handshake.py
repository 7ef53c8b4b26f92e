"""What azure-ai-voicelive says when it connects: URL, headers, token. Without importing it.

As of its 1.3.1 (``_VoiceLiveConnectionManager`` in ``aio/_patch.py``); tests/test_transport_options.py
compares the two on the wire.
"""

from __future__ import annotations

import inspect
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit, urlunsplit

from ..credentials import off_the_loop
from ..errors import ConnectError
from . import ConnectOptions
from .refusals import no_token

API_VERSION = "2026-07-15"
TOKEN_SCOPE = "https://ai.azure.com/.default"

_SCHEMES = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}


def host_of(endpoint: str) -> str:
    """Host and port, for an error's text: without what may be secret."""
    return urlsplit(endpoint).netloc.rpartition("@")[2] or endpoint


def url_of(options: ConnectOptions) -> str:
    """The websocket's URL.

    Raises:
        ConnectError: the endpoint is no URL of http, https, ws or wss.
    """
    parts = _parts(options.endpoint)
    query = {"api-version": API_VERSION, "x-ms-client-sdk": user_agent()}
    if options.model:
        query["model"] = options.model
    query |= options.query
    for name, values in parse_qs(parts.query).items():
        query.setdefault(name, values[0])
    path = parts.path.rstrip("/") + "/voice-live/realtime"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, urlencode(query), ""))


async def headers_of(options: ConnectOptions) -> list[tuple[str, str]]:
    """The headers beside those of the websocket.

    Raises:
        AuthenticationError: no token.
    """
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
    from azure.core.exceptions import AzureError

    if isinstance(options.credential, AzureKeyCredential):
        return {"api-key": options.credential.key}
    scopes = _scopes(options.credential_scopes)
    try:
        token: Any = off_the_loop(options.credential).get_token(*scopes)
        if inspect.isawaitable(token):
            token = await token
    except (AzureError, OSError) as error:
        raise no_token(host_of(options.endpoint), error) from None
    return {"Authorization": f"Bearer {token.token}"}


def _parts(endpoint: str) -> SplitResult:
    expected = "endpoint: expected a URL such as 'wss://host'"
    try:
        parts = urlsplit(endpoint)
        host, _port = parts.hostname, parts.port  # which checks it
    except ValueError as error:
        raise ConnectError(f"{expected}: {error}") from None
    if not host or parts.scheme not in _SCHEMES:
        raise ConnectError(f"{expected}, got {host_of(endpoint)!r}")
    return parts


def _scopes(scopes: str | Sequence[str] | None) -> list[str]:
    if scopes is None:
        return [TOKEN_SCOPE]
    return [scopes] if isinstance(scopes, str) else [*scopes]
