"""What a session has while it is connected."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any

from .link import Link


@dataclass
class AzureVoiceLiveSession:
    """One connection.

    Attributes:
        connection: azure-ai-voicelive's.
        session_id: the service's, None where it told none.
        tasks: those that serve it.
    """

    connection: Any
    session_id: str | None = None
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)


class OpenSession(AzureVoiceLiveSession):
    """The session over a link: azure-ai-voicelive is imported when its connection is first asked for."""

    def __init__(self, link: Link, task: asyncio.Task[Any]) -> None:
        self.link = link
        self.tasks = [task]
        self._process_id = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this process made it, and not the one that this was forked from."""
        return self._process_id == os.getpid()

    @property
    def connection(self) -> Any:
        return self.link.transport.connection

    @property
    def session_id(self) -> str | None:  # type: ignore[override]
        return self.link.session_id
