"""Where `voicelane serve` and `simulate` listen."""

from __future__ import annotations

import argparse
import os

from .exit_codes import CommandError, ExitCode


def add_listen_arguments(parser: argparse.ArgumentParser, *, default_port: int) -> None:
    """Declares `--host` and `--port`."""
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=_port_number,
        default=default_port,
        help=f"0 lets the system choose (default: {default_port})",
    )


def cannot_listen(args: argparse.Namespace, error: OSError) -> CommandError:
    """Why a server cannot start."""
    number = error.errno or 0  # those of name resolution are negative
    reason = os.strerror(number) if number > 0 else error.strerror
    message = f"cannot listen on {args.host}:{args.port}: {reason}"
    return CommandError(ExitCode.PORT_TAKEN, message)


def _port_number(text: str) -> int:
    """An argument that is a port."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {text}")
    return port
