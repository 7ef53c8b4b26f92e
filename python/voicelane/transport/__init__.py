"""How events get to the service and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Where to connect, and as whom."""

    endpoint: str
    model: str
    credential: Any
    connect_timeout_s: float


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
