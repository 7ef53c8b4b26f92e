"""Where `voicelane serve` and `simulate` listen."""

from __future__ import annotations

import argparse
import os

from .arguments import port_number
from .exit_codes import CommandError, ExitCode


def add_listen_arguments(parser: argparse.ArgumentParser, *, default_port: int) -> None:
    """Declares `--host` and `--port`."""
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=port_number,
        default=default_port,
        help=f"0 lets the system choose (default: {default_port})",
    )


def cannot_listen(args: argparse.Namespace, error: OSError) -> CommandError:
    """Why a server cannot start."""
    number = error.errno or 0  # those of name resolution are negative
    # asyncio of 3.13 says in words alone that there is no such address.
    reason = os.strerror(number) if number > 0 else error.strerror or error
    message = f"cannot listen on {args.host}:{args.port}: {reason}"
    return CommandError(ExitCode.PORT_TAKEN, message)
