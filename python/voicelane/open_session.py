"""What a session has while it is connected."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .actions import Send
from .errors import SessionNotReadyError
from .executor import Executor
from .history import History
from .link import Link
from .metrics import Metrics
from .reply import Reply
from .uplink import Uplink


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
    """The session over one link after the other: what is asked of it, and what passes on when a link does.

    Args:
        link: the first link, open.
        uplink: what waits to be sent.
        history: takes what the caller says.
        executor: carries out what follows.
        metrics: counts the links.
        connected: is told of each link.
    """

    def __init__(
        self,
        link: Link,
        uplink: Uplink,
        history: History,
        executor: Executor,
        metrics: Metrics,
        connected: Callable[[Link], None],
    ) -> None:
        self.tasks = []
        self._process_id = os.getpid()
        self._uplink = uplink
        self._history = history
        self._executor = executor
        self._metrics = metrics
        self._connected = connected
        self._use(link)

    @property
    def is_here(self) -> bool:
        """Whether this process made it, and not the one that this was forked from."""
        return self._process_id == os.getpid()

    def check_process(self) -> None:
        """Refuses to go on in a child of the process that made it.

        Raises:
            SessionNotReadyError: this is one.
        """
        if not self.is_here:
            raise SessionNotReadyError(
                "expected a session of this process, got one of the process that this was forked from: "
                "connect another one in the child"
            )

    # azure-ai-voicelive is imported when its connection is first asked for.
    @property
    def connection(self) -> Any:
        return self.link.transport.connection

    @property
    def session_id(self) -> str | None:  # type: ignore[override]
        return self.link.session_id

    @property
    def is_pause(self) -> bool:
        """Whether nobody speaks, nothing was asked for, and all was heard."""
        return self.link.conversation.is_quiet and self._executor.playout.playback.is_idle

    # --- what is asked of it -----------------------------------------------------------------

    def send(self, event: Mapping[str, Any]) -> None:
        """Sends a client event."""
        self._executor.obey(self.link, [Send(event)])

    def tell(self, item: Mapping[str, Any]) -> None:
        """Adds an item to the conversation."""
        self._history.add(item)
        self.send({"type": "conversation.item.create", "item": item})

    def ask(self, reply: Reply) -> Reply:
        """Asks for a response, now or after the active one."""
        self._executor.obey(self.link, self.link.conversation.request_response(reply))
        return reply

    def interrupt(self) -> None:
        """Cuts the agent off."""
        self._executor.obey(self.link, self.link.conversation.interrupt())

    async def wait_sent(self) -> None:
        """Waits until everything that waited to be sent was, or the connection ended."""
        empty = asyncio.create_task(self._uplink.wait_empty())
        try:
            await asyncio.wait({empty, *self.tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            empty.cancel()

    # --- links come and go -------------------------------------------------------------------

    def _use(self, link: Link) -> None:
        self.link = link
        link.start()
        self._connected(link)

    async def swap(self, link: Link) -> None:
        """Takes a fresh link in place of one that is lost or about to expire."""
        old = self.link
        await old.stop()
        asked_again = old.conversation.abandon()
        self._uplink.forget_events(but_items_beside=link.replayed_ids)
        self._use(link)
        self._metrics.num_reconnects += 1
        if asked_again:
            self._executor.playout.playback.clear()
        for reply in asked_again:
            self.ask(reply)
        await old.close()

    def give_up(self) -> None:
        """There will be no other link. What is buffered can still be heard."""
        for reply in self.link.conversation.abandon():
            reply.finish("incomplete")
        self._executor.playout.playback.finish()

    async def close(self) -> None:
        """Ends the connection and every task, and drops what was not heard."""
        for task in self.tasks:
            task.cancel()
        try:
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await self.link.stop()
            await self._executor.tool_runner.aclose()  # only now: the reader starts calls
        finally:
            self.link.conversation.calls.silence(None)
            for reply in self.link.conversation.abandon():
                reply.finish("cancelled")
            await self.link.close()
            self._executor.playout.close()
