"""Keeps a session connected: reconnects after a loss, renews before it expires."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .errors import ErrorText, VoiceLiveError
from .link import Link, told_fault
from .logs import session_logger
from .open_session import OpenSession
from .reconnect import ReconnectPolicy

_log = session_logger(__name__)

_PAUSE_POLL_S = 0.1
# With so little left of a session, it is renewed even where somebody speaks.
_LAST_CALL_S = 5.0


class Keeper:
    """Replaces the link of a session when it is lost or about to expire.

    Args:
        policy: decides what is tried again, and when.
        open_link: opens a fresh link that knows the conversation.
        lost: is told that there is no connection for now.
        ended: is told that there will be none, and why.
        emit: tells the handlers.
    """

    def __init__(
        self,
        policy: ReconnectPolicy,
        open_link: Callable[[], Awaitable[Link]],
        lost: Callable[[], None],
        ended: Callable[[VoiceLiveError | None], None],
        emit: Callable[[str, Any], None],
    ) -> None:
        self._policy = policy
        self._open_link = open_link
        self._lost = lost
        self._ended = ended
        self._emit = emit

    async def keep(self, session: OpenSession) -> None:
        """Returns when the connection is lost for good, and that was told."""
        try:
            error = await self._keep(session)
        except Exception as fault:  # noqa: BLE001 - logged, and the session ends with it
            error = told_fault("keeping the connection", fault)
            self._emit("error", ErrorText(error, error))
            await session.link.close()  # it may be well
        session.give_up()
        self._ended(error)

    async def _keep(self, session: OpenSession) -> VoiceLiveError | None:
        while True:
            fresh, error = None, None
            if await self._expires(session):
                fresh = await self._open_beside(session.link)
            if fresh is None:
                error = session.link.task.result()
                fresh = await self._reconnect(error) if error is not None else None
                if fresh is None:
                    return error
            try:
                await session.swap(fresh)
            except BaseException:
                await fresh.close()
                raise
            if error is not None:
                self._emit("reconnected", {})

    async def _expires(self, session: OpenSession) -> bool:
        """Waits until the link has ended (False), or is to be renewed and there is a pause (True)."""
        link = session.link
        renew_s = self._renewal_delay_s(link)
        await asyncio.wait({link.task}, timeout=renew_s)
        while not link.task.done():
            assert link.expires_at_s is not None, "what expires says when"
            left_s = link.expires_at_s - time.time()
            if session.is_pause or left_s < _LAST_CALL_S:
                return True
            await asyncio.wait({link.task}, timeout=_PAUSE_POLL_S)
        return False

    def _renewal_delay_s(self, link: Link) -> float | None:
        if link.expires_at_s is None:
            return None
        delay_s = link.expires_at_s - time.time() - self._policy.renew_before_s
        # A session that is to expire at once has a clock that is not ours: it is left to expire.
        return delay_s if delay_s > 0 else None

    async def _open_beside(self, link: Link) -> Link | None:
        """Opens the next link; where that fails, the old one is used to its end."""
        try:
            return await self._open_link()
        except VoiceLiveError:
            _log.warning("The session could not be renewed before it expires", exc_info=True)
            await asyncio.wait({link.task})
            return None

    async def _reconnect(self, error: VoiceLiveError) -> Link | None:
        self._lost()
        self._emit("error", ErrorText(error, error))
        for attempt, delay_s in enumerate(self._policy.delays_s(), start=1):
            if not self._policy.is_retryable(error):
                return None
            delay_s = max(delay_s, self._policy.asked_delay_s(error))
            payload = {"error": str(error), "attempt": attempt, "delay_s": delay_s}
            self._emit("reconnecting", payload)
            await asyncio.sleep(delay_s)
            try:
                return await self._open_link()
            except VoiceLiveError as next_error:
                error = next_error
        return None
