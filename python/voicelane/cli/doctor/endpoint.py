"""The route to a session, step by step, until one fails: name, TCP, TLS, session."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from ...errors import VoiceLiveError
from ...transport import choose
from ...transport.handshake import is_loopback
from ..exit_codes import CommandError, ExitCode
from ..service import Service
from .advice import advice
from .check import Check


class StepError(Exception):
    """A step failed: why, what to do about it, and what the command ends with."""

    def __init__(self, why: str, advice: str, exit_code: ExitCode = ExitCode.NO_ANSWER) -> None:
        super().__init__(why)
        self.advice = advice
        self.exit_code = exit_code


async def check_endpoint(service: Service, args: argparse.Namespace) -> list[Check]:
    """Follows the route, as the command line's arguments say; the last check may have failed.

    Through a proxy the session alone is tried: what lies before it is the proxy's to see.
    """
    route = Route.to(service.endpoint, args.connect_timeout)
    checks: list[Check] = []
    for name, step in route.steps().items():
        checks.append(await _checked(name, step()))
        if checks[-1].exit_code:
            return checks
    return [*checks, await _checked("session", _open_session(service, args))]


@dataclass(frozen=True)
class Route:
    """How sockets get to an endpoint."""

    host: str
    port: int
    is_encrypted: bool
    has_proxy: bool
    timeout_s: float

    @classmethod
    def to(cls, endpoint: str, timeout_s: float) -> Route:
        """The route to an endpoint that is a good URL."""
        url = urlsplit(endpoint)
        host, is_encrypted = url.hostname or "", url.scheme in ("https", "wss")
        port = url.port or (443 if is_encrypted else 80)
        return cls(host, port, is_encrypted, _has_proxy(host, is_encrypted), timeout_s)

    def steps(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """What can be looked at, in order."""
        if self.has_proxy:
            return {}
        steps: dict[str, Callable[[], Awaitable[str]]] = {"dns": self.resolve, "tcp": self.connect}
        if self.is_encrypted:
            steps["tls"] = self.encrypt
        return steps

    async def resolve(self) -> str:
        """Finds the host's addresses.

        Raises:
            StepError: there is none.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout_s):
                found = await loop.getaddrinfo(self.host, self.port)
        except (OSError, UnicodeError) as error:
            raise StepError(
                f"{self.host}: {_why(error)}", "is the name spelt right? does DNS work here?"
            ) from error
        return ", ".join(sorted({str(address[0]) for *_, address in found}))

    async def connect(self) -> str:
        """Opens a TCP connection.

        Raises:
            StepError: it is not to be had.
        """
        try:
            async with self._transport() as transport:
                return "{} port {}".format(*transport.get_extra_info("peername"))
        except OSError as error:
            raise StepError(
                f"port {self.port}: {_why(error)}",
                "is there a firewall on the way, or a proxy that HTTPS_PROXY should name?",
            ) from error

    async def encrypt(self) -> str:
        """Agrees on TLS, and checks the certificate.

        Raises:
            StepError: there is no agreement, or no trust.
        """
        try:
            async with self._transport(ssl=ssl.create_default_context()) as transport:
                until = transport.get_extra_info("peercert")["notAfter"]
                version = transport.get_extra_info("ssl_object").version()
                return f"{version}, certificate until {until}"
        except ssl.SSLCertVerificationError as error:
            raise StepError(
                error.verify_message,
                "does a proxy of your company open TLS? SSL_CERT_FILE names the roots to trust",
            ) from error
        except OSError as error:
            raise StepError(_why(error), f"does port {self.port} speak TLS?") from error

    @asynccontextmanager
    async def _transport(self, **tls: Any) -> AsyncIterator[asyncio.BaseTransport]:
        async with asyncio.timeout(self.timeout_s):
            _, writer = await asyncio.open_connection(self.host, self.port, **tls)
        try:
            yield writer.transport
        finally:
            writer.transport.abort()
            await writer.wait_closed()


async def _checked(name: str, step: Awaitable[str]) -> Check:
    started_s = time.monotonic()
    try:
        detail = await step
    except StepError as error:
        return Check(name, str(error), error.advice, error.exit_code)
    return Check(name, f"{detail} ({(time.monotonic() - started_s) * 1000:.0f} ms)")


async def _open_session(service: Service, args: argparse.Namespace) -> str:
    from voicelane import AzureVoiceLive, ReconnectPolicy

    async with AsyncExitStack() as stack:
        try:
            account = await service.session_arguments(stack, args)
            model = AzureVoiceLive(**account, reconnect=ReconnectPolicy(max_attempts=0))
            await stack.enter_async_context(model)
        except CommandError as error:
            raise StepError(str(error), "", error.exit_code) from error
        except VoiceLiveError as error:
            failure = service.not_connected(error)
            raise StepError(str(failure), advice(error, service), failure.exit_code) from error
        return f"{model.session_id} with {args.model}"


def _has_proxy(host: str, is_encrypted: bool) -> bool:
    proxies = getproxies_environment()
    is_named = "all" in proxies or ("https" if is_encrypted else "http") in proxies
    is_for_host = not is_loopback(host) and not proxy_bypass(host)
    # The client of the other transport asks no proxy.
    return is_named and is_for_host and choose("auto") == "native"


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error)
