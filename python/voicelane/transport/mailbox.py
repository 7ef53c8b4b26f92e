"""One descriptor of an event loop for all its native connections."""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

from .._core import Mailbox


class Wakeable(Protocol):
    """A connection that waits for its mail."""

    def wake(self) -> None:
        """Something is there."""


# The way from a loop to its mailbox; it keeps neither alive.
_mailboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopMailbox] = WeakKeyDictionary()


class LoopMailbox:
    """Wakes the connections of one loop. It is there while there are any.

    The engine writes one byte for however many connections have something; the loop then learns which.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.core = Mailbox()
        self._loop = loop
        self._number = 0
        self._connections: dict[int, Wakeable] = {}
        loop.add_reader(self.core.fileno(), self._deliver)

    @classmethod
    def of_running_loop(cls) -> LoopMailbox:
        """The running loop's: one for all who ask."""
        loop = asyncio.get_running_loop()
        mailbox = _mailboxes.get(loop)
        if mailbox is None:
            mailbox = _mailboxes[loop] = cls(loop)
        return mailbox

    def enter(self, connection: Wakeable) -> int:
        """The number by which the engine calls the connection."""
        self._number += 1
        self._connections[self._number] = connection
        return self._number

    def leave(self, number: int) -> None:
        """The connection is over. With the last one the descriptor goes. Idempotent."""
        if self._connections.pop(number, None) is None or self._connections:
            return
        del _mailboxes[self._loop]
        if not self._loop.is_closed():
            self._loop.remove_reader(self.core.fileno())
        del self.core

    def _deliver(self) -> None:
        # Those who are woken may close, and the last one takes the mailbox along.
        for number in self.core.collect():
            if (connection := self._connections.get(number)) is not None:
                connection.wake()
