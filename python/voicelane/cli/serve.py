"""`voicelane serve`: the gateway for browsers and telephones."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..credentials import API_KEY_VARIABLE, ENDPOINT_VARIABLE
from ..transport.handshake import is_loopback
from .arguments import positive_count, positive_s
from .exit_codes import CommandError, ExitCode
from .listen import add_listen_arguments, cannot_listen
from .service import Service, add_service_arguments, chosen_service, embedded_simulator

if TYPE_CHECKING:
    from voicelane import AzureVoiceLive, ToolSet
    from voicelane.gateway import CallRequest, SessionFactory

TOKEN_VARIABLE = "VOICELANE_GATEWAY_TOKEN"

DESCRIPTION = f"""\
Serves a web page to talk to the agent, and the websockets for it and for telephone bridges, until
Ctrl-C or SIGTERM: then it takes no new calls and waits for those that run.

environment:
  {TOKEN_VARIABLE}    what clients must bring; needed unless --host is loopback
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
        type=_origin,
        action="append",
        default=[],
        metavar="URL",
        help="whose pages may call beside the gateway's own, as https://shop.example; may be repeated",
    )
    parser.add_argument(
        "--max-calls",
        type=positive_count,
        default=200,
        metavar="N",
        help="open at once (default: 200)",
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
        "--tools",
        metavar="MODULE:ATTRIBUTE",
        help="a list of tools, or a ToolSet, to import from here or from what is installed",
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
    if token is None and not is_loopback(args.host):
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
        settings = GatewaySettings(
            token=token,
            origins=frozenset(args.origin),
            max_calls=args.max_calls,
            idle_timeout_s=args.idle_timeout,
            drain_s=args.drain,
            is_simulator=service.is_simulator,
        )
        account = await service.session_arguments(stack, args)
        app = create_app(_session_factory(account, tools, args.instructions), settings)
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


async def _drain(draining: Coroutine[Any, Any, None], impatient: asyncio.Event) -> None:
    """Waits for the calls; a second signal ends them."""
    drain, again = asyncio.create_task(draining), asyncio.create_task(impatient.wait())
    try:
        await asyncio.wait({drain, again}, return_when=asyncio.FIRST_COMPLETED)
        if drain.done():
            drain.result()
    finally:
        drain.cancel()
        again.cancel()
        await asyncio.gather(drain, again, return_exceptions=True)


def _session_factory(
    account: dict[str, Any], tools: ToolSet, instructions: str | None
) -> SessionFactory:
    from types import SimpleNamespace

    from voicelane import AzureVoiceLive

    def new_session(call: CallRequest) -> AzureVoiceLive:
        session = AzureVoiceLive(**account, config=call.config(), tools=tools)
        if instructions:
            session.set_agent(SimpleNamespace(instructions=instructions))
        return session

    return new_session


def _origin(text: str) -> str:
    """An argument that is an origin, as browsers tell it."""
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in ("http", "https") or text.rstrip("/") != f"{url.scheme}://{url.netloc}":
        raise argparse.ArgumentTypeError(
            f"expected scheme and host alone, as https://shop.example, got {text}"
        )
    return f"{url.scheme}://{url.netloc.lower()}"


def _tools(name: str | None) -> ToolSet:
    import importlib

    from voicelane import ToolSet

    if name is None:
        return ToolSet()
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise CommandError(ExitCode.USAGE, f"--tools: expected MODULE:ATTRIBUTE, got {name}")
    sys.path.insert(0, os.getcwd())  # which the command has not, and `python -m voicelane` has
    try:
        return ToolSet.of(getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise CommandError(ExitCode.USAGE, f"--tools {name}: {error}") from error
