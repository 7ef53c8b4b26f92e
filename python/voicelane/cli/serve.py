"""`voicelane serve`: the gateway for browsers and telephones."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from ..credentials import API_KEY_VARIABLE, ENDPOINT_VARIABLE
from .exit_codes import CommandError, ExitCode
from .listen import add_listen_arguments, cannot_listen
from .service import Service, add_service_arguments, chosen_service, embedded_simulator
from .talk import positive_s

if TYPE_CHECKING:
    from voicelane import AzureVoiceLive, ToolSet
    from voicelane.gateway import CallRequest

TOKEN_VARIABLE = "VOICELANE_GATEWAY_TOKEN"

DESCRIPTION = f"""\
Serves a web page to talk to the agent, and the websockets for it and for telephone bridges, until
Ctrl-C or SIGTERM: then it takes no new calls and waits for those that run.

environment:
  {TOKEN_VARIABLE}  what clients must bring; needed unless --host is loopback
  {ENDPOINT_VARIABLE}  the endpoint of the service
  {API_KEY_VARIABLE}   its key
"""

EXAMPLES = """\
examples:
  voicelane serve --simulator                a demo without credentials
  voicelane serve --tools shop.agent:TOOLS   the model may call what is in that list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `voicelane serve`."""
    add_listen_arguments(parser, default_port=8080)
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="whose pages may call beside the gateway's own, as https://shop.example; may be repeated",
    )
    parser.add_argument(
        "--max-calls", type=int, default=200, metavar="N", help="open at once (default: 200)"
    )
    parser.add_argument(
        "--idle-timeout",
        type=positive_s,
        default=300.0,
        metavar="SECONDS",
        help="a call ends when nobody spoke or wrote for so long (default: 300)",
    )
    parser.add_argument(
        "--drain",
        type=positive_s,
        default=120.0,
        metavar="SECONDS",
        help="how long calls may go on after SIGTERM (default: 120)",
    )
    parser.add_argument(
        "--tools", metavar="MODULE:ATTRIBUTE", help="a list of tools, or a ToolSet, to import"
    )
    service = parser.add_argument_group("service")
    service.add_argument("--simulator", action="store_true", help="a simulator in this process")
    add_service_arguments(service)
    service.add_argument("--instructions", metavar="TEXT", help="what the agent is told to be")


def run(args: argparse.Namespace) -> int:
    """Serves until Ctrl-C or SIGTERM."""
    try:
        import voicelane.gateway  # noqa: F401
    except ImportError as error:
        message = f"voicelane serve needs {error.name}: pip install 'voicelane[gateway]'"
        raise CommandError(ExitCode.MISSING_EXTRA, message) from error
    token = os.environ.get(TOKEN_VARIABLE) or None
    if token is None and not _is_loopback(args.host):
        message = f"--host {args.host} is not loopback: set {TOKEN_VARIABLE}"
        raise CommandError(ExitCode.USAGE, message)
    service = None if args.simulator else chosen_service(args)
    if service is None and not args.simulator:
        message = f"no endpoint: set {ENDPOINT_VARIABLE}, or --simulator"
        raise CommandError(ExitCode.USAGE, message)
    asyncio.run(_serve(args, token, service, _tools(args.tools)))
    return ExitCode.OK


async def _serve(
    args: argparse.Namespace, token: str | None, service: Service | None, tools: ToolSet
) -> None:
    from aiohttp import web

    from voicelane.gateway import GATEWAY, GatewaySettings, create_app

    stopping = asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        if service is None:
            service = await embedded_simulator(stack)
        credential: Any = None
        if service.api_key is None:
            credential = await service.sign_in(stack)
        settings = GatewaySettings(
            token=token,
            origins=frozenset(args.origin),
            max_calls=args.max_calls,
            idle_timeout_s=args.idle_timeout,
            drain_s=args.drain,
            is_simulator=service.is_simulator,
        )
        app = create_app(_session_factory(args, service, credential, tools), settings)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, args.host, args.port).start()
        except OSError as error:
            raise cannot_listen(args, error) from error
        port = runner.addresses[0][1]
        print(f"gateway to {service.name} at http://{args.host}:{port}, Ctrl-C ends it", flush=True)
        await stopping.wait()
        stopping.clear()
        print(f"draining: {app[GATEWAY].num_calls} calls are open", flush=True)
        await _drain(app[GATEWAY].drain(), stopping)
    print("gateway stopped", flush=True)


async def _drain(draining: Any, impatient: asyncio.Event) -> None:
    """Waits for the calls; a second signal ends them."""
    drain, again = asyncio.create_task(draining), asyncio.create_task(impatient.wait())
    try:
        await asyncio.wait({drain, again}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        drain.cancel()
        again.cancel()
        await asyncio.gather(drain, again, return_exceptions=True)


def _session_factory(
    args: argparse.Namespace, service: Service, credential: Any, tools: ToolSet
) -> Any:
    from types import SimpleNamespace

    from voicelane import AzureVoiceLive

    def new_session(call: CallRequest) -> AzureVoiceLive:
        session = AzureVoiceLive(
            model=args.model,
            endpoint=service.endpoint,
            api_key=service.api_key,
            credential=credential,
            config=call.config(),
            tools=tools,
        )
        if args.instructions:
            session.set_agent(SimpleNamespace(instructions=args.instructions))
        return session

    return new_session


def _tools(name: str | None) -> ToolSet:
    import importlib

    from voicelane import ToolSet

    if name is None:
        return ToolSet()
    module, _, attribute = name.partition(":")
    try:
        return ToolSet.of(getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise CommandError(ExitCode.USAGE, f"--tools {name}: {error}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
