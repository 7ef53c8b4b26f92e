"""How events get to the service and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


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
    """

    endpoint: str
    model: str
    credential: Any = field(repr=False)
    connect_timeout_s: float
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    credential_scopes: str | Sequence[str] | None = None


class Transport(Protocol):
    """One open connection."""

    @property
    def connection(self) -> Any:
        """The ``VoiceLiveConnection`` of azure-ai-voicelive."""

    async def receive(self) -> bytes:
        """The next server event's text. One receiver at a time.

        Raises:
            ConnectionLostError: the connection ended.
        """
        ...

    async def send(self, event: Mapping[str, Any]) -> None:
        """Sends a client event.

        Raises:
            ConnectionLostError: the connection ended.
        """

    async def send_text(self, text: str) -> None:
        """Sends a client event that is text already: audio.

        Raises:
            ConnectionLostError: the connection ended.
        """

    async def close(self) -> None:
        """Closes the connection with its handshake. Idempotent."""
