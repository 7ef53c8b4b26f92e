"""`voicelane doctor`: what is installed here, and whether the service lets one in."""

from __future__ import annotations

import argparse
import json
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from ...credentials import API_KEY_VARIABLE, ENDPOINT_VARIABLE
from ..exit_codes import CommandError, ExitCode
from ..service import Service, add_service_arguments, chosen_service, embedded_simulator
from ..signals import run_until_signal
from .check import Check
from .endpoint import check_endpoint
from .installation import Installation

DESCRIPTION = f"""\
Tells what is installed here, and whether the service can be reached: its name, TCP, TLS, and a
session, which is opened with the key or the sign-in that `voicelane talk` would take, and closed
again. Says what to do about the first step that fails. Prints no secret.

environment:
  {ENDPOINT_VARIABLE}  the endpoint, such as https://NAME.services.ai.azure.com
  {API_KEY_VARIABLE}   its key
"""

EXAMPLES = """\
examples:
  voicelane doctor
  voicelane doctor --simulator               the same without an account, within this machine
  voicelane doctor --credential default      signed in with Entra
  voicelane doctor --json | jq .checks
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `voicelane doctor`."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    service = parser.add_argument_group("service")
    service.add_argument("--simulator", action="store_true", help="a simulator in this process")
    add_service_arguments(service)


def run(args: argparse.Namespace) -> int:
    """Looks, and reports; the exit code is that of the check that failed."""
    try:
        report = Report(Installation.here())
    except ValueError as error:  # a transport that there is not
        raise CommandError(ExitCode.USAGE, str(error)) from error
    run_until_signal(report.examine(args))
    print(json.dumps(report.as_dict()) if args.json else report)
    return report.exit_code


@dataclass
class Report:
    """What was found."""

    installation: Installation
    endpoint: str | None = None
    checks: list[Check] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """That of the check that failed; after it there is none."""
        return self.checks[-1].exit_code

    async def examine(self, args: argparse.Namespace) -> None:
        """Runs the checks: the packages first, for the others need them."""
        self.checks = [self.installation.check()]
        if self.exit_code:
            return
        async with AsyncExitStack() as stack:
            try:
                service = await _service(args, stack)
            except CommandError as error:
                self.checks.append(Check("settings", str(error), exit_code=error.exit_code))
                return
            if service is not None:
                self.endpoint = service.name
                self.checks += await check_endpoint(service, args)

    def as_dict(self) -> dict[str, Any]:
        """The report for a program to read."""
        return {**asdict(self), "exit_code": self.exit_code}

    def __str__(self) -> str:
        lines = [f"{name:20} {what}" for name, what in self.installation.lines()]
        lines += ["", *(line for check in self.checks for line in check.lines())]
        if self.endpoint is not None:
            lines.append(f"{'':5}endpoint        {self.endpoint}")
        elif self.exit_code is ExitCode.OK:
            lines.append(f"no endpoint: set {ENDPOINT_VARIABLE}, or try --simulator")
        return "\n".join(lines)


async def _service(args: argparse.Namespace, stack: AsyncExitStack) -> Service | None:
    if args.simulator:
        return await embedded_simulator(stack)
    return chosen_service(args)
