"""A port that several gateways of a machine share."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from .server import Gateway

# How long a gateway that is full may still be called: such a call is told 4503.
_LOOK_S = 0.05


class Listener:
    """Listens on the port while its gateway is ready, so that who calls meets one that takes calls.

    The system spreads new connections over all that listen on the port (``SO_REUSEPORT``). A gateway
    that is full or drains does not; the calls that it has go on.

    Args:
        runner: of the gateway's application, set up.
        gateway: the gateway.
        host: where to listen.
        port: the same for all that share it.
    """

    def __init__(self, runner: web.AppRunner, gateway: Gateway, host: str, port: int) -> None:
        self._runner = runner
        self._gateway = gateway
        self._address = (host, port)
        self._site: web.TCPSite | None = None
        self._tending: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def is_listening(self) -> bool:
        """Whether new connections may come here."""
        return self._site is not None

    async def start(self) -> None:
        """Listens from now on.

        Raises:
            OSError: another program has the port.
        """
        await self._follow()
        self._tending = asyncio.create_task(self._tend(), name="voicelane-gateway-listener")

    def check(self) -> None:
        """Raises what has ended it."""
        if self._tending is not None and self._tending.done():
            self._tending.result()

    async def stop(self) -> None:
        """Listens no more."""
        self._stopping.set()
        if self._tending is not None:
            await asyncio.gather(self._tending, return_exceptions=True)
        await self._close()

    async def _tend(self) -> None:
        # Told to end, not cancelled: a socket that is being opened would be left open.
        while not self._stopping.is_set():
            await self._follow()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._stopping.wait()

    async def _follow(self) -> None:
        if self._gateway.status != "ready":
            await self._close()
        elif self._site is None:
            site = web.TCPSite(self._runner, *self._address, reuse_port=True)
            await site.start()
            self._site = site

    async def _close(self) -> None:
        site, self._site = self._site, None
        if site is not None:
            await site.stop()
