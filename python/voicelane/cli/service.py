"""Whom `voicelane talk`, `serve` and `doctor` call, as whom, and what it means when that fails."""

from __future__ import annotations

import argparse
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..credentials import API_KEY_VARIABLE, ENDPOINT_VARIABLE
from .arguments import positive_s
from .exit_codes import CommandError, ExitCode

if TYPE_CHECKING:
    from voicelane import AzureVoiceLive
    from voicelane.errors import VoiceLiveError

    from .audio_file import AudioInput


def add_service_arguments(parser: argparse._ArgumentGroup) -> None:
    """Declares whom to call, and as whom: what `chosen_service` reads."""
    parser.add_argument("--endpoint", metavar="URL", help=f"default: ${ENDPOINT_VARIABLE}")
    parser.add_argument("--model", default="gpt-realtime", help="default: gpt-realtime")
    parser.add_argument(
        "--credential",
        choices=["default"],
        help="sign in with Entra (azure-identity's DefaultAzureCredential), not with a key",
    )
    parser.add_argument(
        "--api-key-env",
        default=API_KEY_VARIABLE,
        metavar="NAME",
        help=f"the environment variable that holds the key (default: {API_KEY_VARIABLE})",
    )
    parser.add_argument(
        "--allow-insecure",
        action="store_true",
        help="a ws:// endpoint on another machine: the network sees the key and the conversation",
    )
    parser.add_argument(
        "--connect-timeout",
        type=positive_s,
        default=10.0,
        metavar="SECONDS",
        help="how long the endpoint may take to answer (default: 10)",
    )


@dataclass(frozen=True)
class Service:
    """Where to call, and with what key; without one: Entra."""

    endpoint: str
    api_key: str | None
    api_key_variable: str = API_KEY_VARIABLE
    is_simulator: bool = False

    @property
    def name(self) -> str:
        """The endpoint without the parts of a URL that can hold a secret."""
        url = urlsplit(self.endpoint)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"

    async def new_model(
        self, stack: AsyncExitStack, args: argparse.Namespace, audio: AudioInput
    ) -> AzureVoiceLive:
        """A session with this service, not yet connected; `stack` owns its credential."""
        from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, ReconnectPolicy

        config = AzureVoiceLiveConfig()
        if args.voice:
            config.voice = args.voice
        account = await self.session_arguments(stack, args)
        try:
            model = AzureVoiceLive(
                **account,
                config=config,
                input_sample_rate_hz=audio.sample_rate_hz,
                input_channels=audio.num_channels,
                # A recording is told once: a lost call is an error, not a second call.
                reconnect=ReconnectPolicy(max_attempts=0),
            )
        except ValueError as error:  # all else was checked before
            raise CommandError(ExitCode.BAD_SAMPLE_RATE, f"{audio.path}: {error}") from error
        if args.instructions:
            model.set_agent(SimpleNamespace(instructions=args.instructions))
        return model

    async def session_arguments(
        self, stack: AsyncExitStack, args: argparse.Namespace
    ) -> dict[str, Any]:
        """What every session with this service is made with; `stack` owns its credential."""
        return {
            "model": args.model,
            "endpoint": self.endpoint,
            "api_key": self.api_key,
            "credential": None if self.api_key else await self._sign_in(stack),
            "connect_timeout_s": args.connect_timeout,
            "allow_insecure": args.allow_insecure,
        }

    async def _sign_in(self, stack: AsyncExitStack) -> Any:
        """Entra's default credential; `stack` owns it."""
        from azure.identity.aio import DefaultAzureCredential

        try:
            return await stack.enter_async_context(DefaultAzureCredential())
        except ValueError as error:  # the environment asks for a credential that there is not
            raise CommandError(ExitCode.NO_CREDENTIAL, str(error)) from error

    def not_connected(self, error: VoiceLiveError) -> CommandError:
        """Why `connect` failed, and what to check."""
        from voicelane.errors import (
            AuthenticationError,
            ConnectError,
            ConnectionLostError,
            ServiceError,
        )

        exit_code = ExitCode.NO_ANSWER
        message = str(error)
        match error:
            case AuthenticationError(status=None):  # its text is a page
                exit_code = ExitCode.REFUSED
                message = f"{self.name}: {message.splitlines()[0]}; sign in, with `az login`"
            case AuthenticationError(status=status):
                exit_code = ExitCode.REFUSED
                given, check = ("the key", self.api_key_variable)
                if self.api_key is None:
                    given, check = "the Entra token", "the roles of who is signed in"
                message = f"{self.name} refused {given} (HTTP {status}): check {check}"
            case ServiceError() | ConnectError(status=int()):
                exit_code = ExitCode.REFUSED
            case ConnectionLostError():
                exit_code = ExitCode.CONNECTION_LOST
        return CommandError(exit_code, message)


def chosen_service(args: argparse.Namespace) -> Service | None:
    """The service that arguments and environment name; None is the simulator."""
    endpoint = args.endpoint or os.environ.get(ENDPOINT_VARIABLE)
    if not endpoint:
        if args.credential:
            message = f"--credential needs an endpoint: --endpoint or {ENDPOINT_VARIABLE}"
            raise CommandError(ExitCode.USAGE, message)
        return None
    from ..errors import ConnectError
    from ..transport.handshake import host_of, is_insecure

    name = "--endpoint" if args.endpoint else ENDPOINT_VARIABLE
    try:
        is_refused = is_insecure(endpoint) and not args.allow_insecure
    except ConnectError as error:
        message = f"{name}: {str(error).removeprefix('endpoint: ')}"
        raise CommandError(ExitCode.USAGE, message) from error
    if is_refused:
        expected = f"expected wss:// to {host_of(endpoint)}, got ws://"
        raise CommandError(ExitCode.USAGE, f"{name}: {expected}; --allow-insecure allows it")
    if args.credential:
        return Service(endpoint, None)
    api_key = os.environ.get(args.api_key_env)
    if not api_key:
        message = f"an endpoint is set, but no key: set {args.api_key_env}, or --credential default"
        raise CommandError(ExitCode.NO_CREDENTIAL, message)
    return Service(endpoint, api_key, args.api_key_env)


async def embedded_simulator(stack: AsyncExitStack) -> Service:
    """A simulator in this process, that lives as long as `stack`."""
    from voicelane.simulator import Simulator

    simulator = await stack.enter_async_context(Simulator())
    return Service(simulator.endpoint, simulator.api_key, is_simulator=True)
