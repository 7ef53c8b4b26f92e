"""How events get to the service and back."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from .._core import AudioDelta, Interrupted, PlaybackBuffer
from ..uplink import Uplink

TRANSPORT_VARIABLE = "VOICELANE_TRANSPORT"

TransportName = Literal["auto", "native", "sdk"]

# After so long a silence the service is pinged; so long it has to say that it closes, too.
HEARTBEAT_S = 20.0
CLOSE_TIMEOUT_S = 5.0

# What came: the text of a server event; audio that is in the playback buffer; that playback was interrupted,
# by the event that comes next; audio that could not be read.
Received = bytes | AudioDelta | Interrupted | ValueError


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Where to connect, and as whom.

    Attributes:
        endpoint: the resource's URL, without the path.
        model: the model or deployment; "" where an agent stands in its place.
        credential: a key or token credential of azure-core.
        connect_timeout_s: for the whole handshake.
        query: parameters of the URL beside the client's own, which they replace.
        headers: HTTP headers beside the client's own, which they replace.
        credential_scopes: what a token is asked for; None for the client's own.
        ca_file: PEM certificates to trust beside the platform's.
        allow_insecure: to another machine without TLS, too.
    """

    # Its query and its user may be secrets, as those below.
    endpoint: str = field(repr=False)
    model: str
    credential: Any = field(repr=False)
    connect_timeout_s: float
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    credential_scopes: str | Sequence[str] | None = None
    ca_file: str | os.PathLike[str] | None = None
    allow_insecure: bool = False


class Transport(Protocol):
    """One open connection."""

    @property
    def connection(self) -> Any:
        """The ``VoiceLiveConnection`` of azure-ai-voicelive."""

    @property
    def writes_playback(self) -> bool:
        """Whether `receive` tells of audio, and of an utterance's end, that the playback buffer has."""
        ...

    async def receive(self) -> Sequence[Received]:
        """The next server events, in order: one at least. One receiver at a time.

        Raises:
            ConnectionLostError: the connection ended.
        """
        ...

    def receive_nowait(self) -> Sequence[Received]:
        """The server events that are here already, none perhaps."""
        ...

    def silence(self, response_id: str) -> None:
        """Keeps what is still to come of a response from the playback buffer."""

    async def send(self, event: Mapping[str, Any]) -> None:
        """Sends a client event, before anything that the uplink holds.

        Raises:
            ConnectionLostError: the connection ended.
        """

    async def serve(self, uplink: Uplink) -> None:
        """Sends what the uplink holds, for as long as it is not cancelled.

        Raises:
            ConnectionLostError: the connection ended.
        """

    async def close(self) -> None:
        """Closes the connection with its handshake. Idempotent."""


# Opens a connection of one's own making: how it checks, secures and times out is its own business. What goes
# wrong is a `ConnectError`.
OpenTransport = Callable[[ConnectOptions, PlaybackBuffer], Awaitable[Transport]]


def choose(chosen: str | OpenTransport) -> str | OpenTransport:
    """The transport that a name stands for, as `resolve`; one's own is itself."""
    return chosen if callable(chosen) else resolve(chosen)


def resolve(name: str) -> str:
    """The transport that a name stands for.

    Raises:
        ValueError: there is none of that name, here.
    """
    if name not in get_args(TransportName):
        raise ValueError(f"transport: expected 'auto', 'native' or 'sdk', got {name!r}")
    if name == "native" and not _has_native():
        raise ValueError("transport: expected 'auto' or 'sdk' on this platform, got 'native'")
    if name != "auto":
        return name
    wanted = os.environ.get(TRANSPORT_VARIABLE) or ("native" if _has_native() else "sdk")
    if wanted not in ("native", "sdk"):
        raise ValueError(f"{TRANSPORT_VARIABLE}: expected 'native' or 'sdk', got {wanted!r}")
    return wanted


async def open_transport(
    chosen: str | OpenTransport, options: ConnectOptions, playback: PlaybackBuffer
) -> Transport:
    """Connects.

    Raises:
        AuthenticationError: HTTP 401 or 403, or no token.
        ConnectTimeoutError: no answer within `connect_timeout_s`.
        ConnectError: no connection for another reason.
    """
    if callable(chosen):
        return await chosen(options, playback)
    from .handshake import host_of, is_insecure
    from .refusals import insecure

    if is_insecure(options.endpoint) and not options.allow_insecure:
        raise insecure(host_of(options.endpoint))
    if chosen == "native":
        from .native import NativeTransport

        # A host may play through something of its own, which only Python can write to.
        return await NativeTransport.connect(
            options, playback if type(playback) is PlaybackBuffer else None
        )
    # Imported here: the SDK takes 170 ms and 38 MB that who does without it need not pay.
    from .sdk import SdkTransport

    return await SdkTransport.connect(options)


def _has_native() -> bool:
    # asyncio's loop on Windows watches no descriptors.
    return sys.platform != "win32"
