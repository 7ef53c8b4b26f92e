"""The command `voicelane`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from . import bench, doctor, serve, simulate, talk
from .exit_codes import CommandError, ExitCode, print_error

__all__ = ["ExitCode", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.ERROR, format="voicelane: %(message)s")
    # What azure-ai-voicelive logs as an error it raises as well, and the session reports it.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):  # a transcript must not fail on a terminal's encoding
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        return int(args.run(args))
    except CommandError as error:
        print_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        print_error("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # As `head` leaves it. What is still buffered has nowhere to go, at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PIPE_CLOSED


def _parser() -> argparse.ArgumentParser:
    from voicelane import __version__

    codes = "\n".join(f"  {code.value:<4} {code.meaning}" for code in ExitCode)
    exit_codes = f"exit codes:\n{codes}\n"
    parser = argparse.ArgumentParser(
        prog="voicelane",
        description="Real-time voice sessions with Azure Voice Live.",
        epilog=f"{talk.EXAMPLES}\n{exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"voicelane {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module, help_text in (
        ("talk", talk, "hold a conversation with an audio file"),
        ("serve", serve, "serve browsers: a page to talk to the agent"),
        ("simulate", simulate, "run the simulator of the service"),
        ("bench", bench, "measure the audio path on this machine"),
        ("doctor", doctor, "say what is installed, and whether the service can be reached"),
    ):
        command = commands.add_parser(
            name,
            help=help_text,
            description=module.DESCRIPTION,
            epilog=f"{module.EXAMPLES}\n{exit_codes}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
