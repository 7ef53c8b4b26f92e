"""What a run can end with, in one place: scripts test these numbers, `--help` prints them."""

from __future__ import annotations

import sys
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of the `voicelane` command."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "done"
    INTERNAL = 1, "a fault of voicelane itself, with its traceback"
    USAGE = 2, "wrong arguments"
    MISSING_EXTRA = 3, "a package of an extra, such as voicelane[cli], is not installed"
    NO_SUCH_FILE = 10, "the input file does not exist or cannot be opened"
    NOT_AUDIO = 11, "the input file is not audio, or is damaged"
    EMPTY_AUDIO = 12, "the input file holds no audio frame"
    BAD_CHANNELS = 13, "the input file has 0 or more than 8 channels"
    BAD_SAMPLE_RATE = 14, "the input file has a sample rate that is not supported"
    OUTPUT = 15, "an output file cannot be written"
    NO_CREDENTIAL = 20, "an endpoint is set, but no key or credential"
    REFUSED = 21, "the endpoint refused the call"
    NO_ANSWER = 22, "the endpoint did not answer"
    CONNECTION_LOST = 23, "the connection ended before the last reply was complete"
    NO_REPLY = 24, "no reply came within --reply-timeout"
    PORT_TAKEN = 30, "the port is taken or cannot be opened"
    NOT_AS_EXPECTED = 31, "a client did not do what the scenario or the recording expects"
    BAD_SCENARIO = 32, "the scenario or the recording cannot be read"
    INTERRUPTED = 130, "interrupted by Ctrl-C or SIGTERM"
    PIPE_CLOSED = 141, "the reader of the output went away"


class CommandError(Exception):
    """Ends the command with one line on stderr and an exit code."""

    def __init__(self, exit_code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def one_line(text: str) -> str:
    """`text` without line breaks and control codes: it may come from a server or a file name."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def print_error(message: str) -> None:
    """The one line that says why a command failed."""
    print(f"voicelane: {one_line(message)}", file=sys.stderr, flush=True)
