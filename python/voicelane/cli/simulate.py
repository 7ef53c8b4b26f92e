"""`voicelane simulate`: the simulator of the service, on a port of one's choice."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import time
import wave
from contextlib import AsyncExitStack, ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..credentials import API_KEY_VARIABLE, ENDPOINT_VARIABLE
from .arguments import number, positive_count
from .exit_codes import CommandError, ExitCode, one_line
from .listen import add_listen_arguments, cannot_listen
from .siblings import Sibling, run_siblings, shared_port
from .signals import run_until_signal

if TYPE_CHECKING:
    from voicelane.simulator import Connection, Reply, Simulator

DESCRIPTION = """\
Runs a simulator of Azure Voice Live until Ctrl-C: a websocket server that finds speech in the
audio it gets and answers with recorded phrases, as a scenario says, or as in a recording. It prints
what to export for clients to use it, a line per connection and turn, and where a client does not do
what the scenario or the recording expects: then it ends with 31.
"""

EXAMPLES = """\
examples:
  voicelane simulate
  voicelane simulate --port 9000 --api-key secret --replies answers/ goodbye.wav
  voicelane simulate --scenario booking.yaml --audio-speed 20 --record runs
  voicelane simulate --scenario booking.yaml --speech
  voicelane simulate --replay runs/connection-1.yaml
  voicelane simulate --processes 2
"""

WATCH_INTERVAL_S = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `voicelane simulate`."""
    add_listen_arguments(parser, default_port=8765)
    parser.add_argument(
        "--api-key",
        default="simulator-key",
        metavar="KEY",
        help="the key that clients must bring (default: simulator-key)",
    )
    said = parser.add_mutually_exclusive_group()
    said.add_argument(
        "--scenario", type=Path, metavar="FILE", help="what to answer and what to expect, in YAML"
    )
    said.add_argument(
        "--replay", type=Path, metavar="FILE", help="serve this recording to each connection"
    )
    parser.add_argument(
        "--replay-timing", action="store_true", help="keep the recording's times, too"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FOLDER",
        help="write each connection there as connection-N.yaml",
    )
    parser.add_argument(
        "--speech",
        action="store_true",
        help="understand English words and say any text (needs voicelane[simulator-speech] and "
        "espeak-ng; of the scenario's `user` texts the one most like what is heard is told)",
    )
    parser.add_argument(
        "--audio-speed",
        type=_speed,
        default=5.0,
        metavar="FACTOR",
        help="how many times faster than real time audio is sent (default: 5; inf: at once)",
    )
    parser.add_argument(
        "--processes",
        type=positive_count,
        default=1,
        metavar="N",
        help="so many simulators that share the port (on Linux), for more sessions than one serves in "
        "time; each counts its connections for itself (default: 1)",
    )
    said.add_argument(
        "--replies",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="what to answer, in turn: WAV files (24 kHz, mono, 16 bit) or folders of them; the "
        "text is in NAME.txt beside NAME.wav, else it is NAME (default: the bundled phrases)",
    )


def run(args: argparse.Namespace) -> int:
    """Serves until Ctrl-C."""
    if args.processes > 1:
        return _run_many(args)
    with suppress(KeyboardInterrupt):
        run_until_signal(_serve(args))
    return ExitCode.OK


def _run_many(args: argparse.Namespace) -> int:
    _simulator(args)  # what is wrong with the arguments is told once
    with ExitStack() as stack:
        try:
            args.port = stack.enter_context(shared_port(args.host, args.port))
        except OSError as error:
            raise cannot_listen(args, error) from error
        return run_siblings(
            args.processes,
            partial(_run_sibling, args),
            partial(_print_address, args),
            _print_stopped,
        )


def _run_sibling(args: argparse.Namespace, sibling: Sibling) -> int:
    with suppress(asyncio.CancelledError):  # by its parent
        asyncio.run(_serve(args, sibling))
    return ExitCode.OK


def _simulator(args: argparse.Namespace, sibling: Sibling | None = None) -> Simulator:
    from voicelane.simulator import Simulator

    try:
        return Simulator(
            host=args.host,
            port=args.port,
            api_key=args.api_key,
            replies=_replies(args.replies) if args.replies else None,
            scenario=args.scenario,
            replay=args.replay,
            replay_timing=args.replay_timing,
            record=args.record,
            speech=args.speech,
            audio_speed=args.audio_speed,
            kept_audio_bytes=0,  # nobody here looks at it
            seed=sibling.number if sibling else 0,
            reuse_port=sibling is not None,
        )
    except ImportError as error:
        raise CommandError(ExitCode.MISSING_EXTRA, str(error)) from error
    except ValueError as error:  # names file and line
        raise CommandError(ExitCode.BAD_SCENARIO, str(error)) from error
    except OSError as error:
        message = f"{error.filename}: {error.strerror}"
        raise CommandError(ExitCode.NO_SUCH_FILE, message) from error


async def _serve(args: argparse.Namespace, sibling: Sibling | None = None) -> None:
    simulator = _simulator(args, sibling)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(simulator)
        except OSError as error:
            raise cannot_listen(args, error) from error
        if sibling is None:
            _print_address(args, simulator.endpoint)
        else:
            sibling.end_with_parent()
            sibling.tell_ready(simulator.endpoint)
        try:
            await _watch(simulator, f"process {sibling.number}, " if sibling else "")
        finally:
            if sibling is None:
                _print_stopped()
            if args.scenario or args.replay:
                _check(simulator)


def _print_address(args: argparse.Namespace, endpoint: str) -> None:
    many = f", {args.processes} processes" if args.processes > 1 else ""
    print(f"simulator of Azure Voice Live at {endpoint}{many}, Ctrl-C ends it")
    print(f"export {ENDPOINT_VARIABLE}={shlex.quote(endpoint)}")
    print(f"export {API_KEY_VARIABLE}={shlex.quote(args.api_key)}", flush=True)


def _print_stopped() -> None:
    print("simulator stopped", flush=True)


def _check(simulator: Simulator) -> None:
    lines = [line for connection in simulator.connections for line in connection.unmet()]
    if lines:
        raise CommandError(ExitCode.NOT_AS_EXPECTED, f"{len(lines)} not as expected: {lines[0]}")


async def _watch(simulator: Simulator, prefix: str) -> None:
    """Prints what the connections do; they are looked at, for they do not call back."""
    watched: dict[Connection, _Watched] = {}
    num_opened = 0
    while True:
        for connection in simulator.connections:
            if connection not in watched:
                num_opened += 1
                watched[connection] = _Watched(f"{prefix}connection {num_opened}")
            watched[connection].look(connection)
        watched = {key: watched[key] for key in simulator.connections}
        await asyncio.sleep(WATCH_INTERVAL_S)


class _Watched:
    """What was printed of one connection."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._num_turns = self._num_replies = 0
        self._closed = False
        self._print("opened")

    def look(self, connection: Connection) -> None:
        if self._closed:
            return
        num_turns = connection.sent["input_audio_buffer.speech_stopped"]
        num_replies = connection.sent["response.done"]
        if num_turns > self._num_turns:
            self._print(f"turn {num_turns} heard")
        if num_replies > self._num_replies:
            self._print(f"reply {num_replies} sent")
        self._num_turns, self._num_replies = num_turns, num_replies
        if connection.close_code is not None:
            self._closed = True
            self._print(f"closed (code {connection.close_code})")
            for line in connection.unmet():
                self._print(one_line(line))
            if connection.recorded_in is not None:
                self._print(f"recorded in {connection.recorded_in}")

    def _print(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {self._name} {text}", flush=True)


def _replies(paths: list[Path]) -> list[Reply]:
    replies: list[Reply] = []
    for path in paths:
        files = sorted(path.glob("*.wav")) if path.is_dir() else [path]
        if not files:
            raise CommandError(ExitCode.NO_SUCH_FILE, f"{path}: no .wav file in it")
        replies += map(_reply, files)
    return replies


def _reply(path: Path) -> Reply:
    from voicelane.simulator import Reply

    text_file = path.with_suffix(".txt")
    try:
        text = text_file.read_text(encoding="utf-8").strip() if text_file.exists() else path.stem
        return Reply.from_wav(path, text)
    except OSError as error:
        raise CommandError(ExitCode.NO_SUCH_FILE, f"{path}: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        raise CommandError(ExitCode.NOT_AUDIO, f"{path}: not a PCM WAV file ({error})") from error
    except ValueError as error:  # names the file, and what it holds
        raise CommandError(ExitCode.NOT_AUDIO, str(error)) from error


def _speed(text: str) -> float:
    return number(text, float, lambda speed: speed > 0, "a number above 0")
