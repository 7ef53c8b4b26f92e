"""`voicelane talk`: a recording holds a conversation with the agent."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..credentials import API_KEY_VARIABLE, ENDPOINT_VARIABLE
from .arguments import positive_s
from .audio_file import AudioInput, ReplyFile
from .exit_codes import CommandError, ExitCode, print_error
from .service import Service, add_service_arguments, chosen_service, embedded_simulator
from .signals import run_until_signal
from .views import PlainView, View

if TYPE_CHECKING:
    from .summary import Summary

DESCRIPTION = f"""\
Streams an audio file (WAV, FLAC, OGG; any rate, 1 to 8 channels) to the agent in real time, as a
microphone would, and writes what the agent says to a WAV file (24 kHz, mono, 16 bit; only the
agent's own audio, without the silence in between). After the end of the file it sends silence until
the reply to the last turn was played.

With no endpoint set it talks to a simulator of the service inside this process.

environment:
  {ENDPOINT_VARIABLE}  the endpoint, such as https://NAME.services.ai.azure.com
  {API_KEY_VARIABLE}   its key

The summary's "first reply" is the time from the service's event that speech stopped to the first
sample of the reply handed out: median and maximum over the turns. CPU is that of this process.
"""

EXAMPLES = """\
examples:
  voicelane talk question.wav                       with the simulator, into reply.wav
  voicelane talk question.flac -o answer.wav --fast
  voicelane talk question.wav --endpoint https://NAME.services.ai.azure.com --credential default
  voicelane talk question.wav --json 2>/dev/null | jq .first_reply_ms.p50
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `voicelane talk`."""
    parser.add_argument("input", type=Path, metavar="INPUT", help="what the user says")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("reply.wav"),
        metavar="FILE",
        help="what the agent says (default: reply.wav); written only if the agent spoke",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="as fast as possible, not in real time: a turn may cut off the reply before it",
    )
    parser.add_argument(
        "--reply-timeout",
        type=positive_s,
        default=15.0,
        metavar="SECONDS",
        help="give up when nothing happens for so long after the end of the file (default: 15)",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--quiet", action="store_true", help="print only the summary")
    output.add_argument(
        "--json",
        action="store_true",
        help="the summary as one JSON object on stdout, everything else on stderr",
    )
    service = parser.add_argument_group("service")
    add_service_arguments(service)
    service.add_argument("--instructions", metavar="TEXT", help="what the agent is told to be")
    service.add_argument("--voice", metavar="NAME", help="the agent's voice")


def run(args: argparse.Namespace) -> int:
    """Holds the conversation, and reports."""
    file = sys.stderr if args.json else sys.stdout
    with AudioInput(args.input) as audio:
        if args.output.resolve() == args.input.resolve():
            message = f"{args.output} is the input file: name another with -o"
            raise CommandError(ExitCode.OUTPUT, message)
        service = chosen_service(args)
        view = _view(args, file)
        reply = ReplyFile(args.output)
        talk = Talk(args, audio, reply, view, file)
        failure: CommandError | None = None
        try:
            run_until_signal(talk.call(service))
        except KeyboardInterrupt:
            failure = CommandError(ExitCode.INTERRUPTED, "interrupted")
        except CommandError as error:
            failure = error
        finally:
            reply.close()
    return talk.report(failure)


class Talk:
    """One run: makes the call, and knows afterwards what there is to say about it."""

    def __init__(
        self,
        args: argparse.Namespace,
        audio: AudioInput,
        reply: ReplyFile,
        view: View,
        file: TextIO,
    ) -> None:
        self._args = args
        self._audio = audio
        self._reply = reply
        self._view = view
        self._file = file
        self._summary: Summary | None = None  # None: the call was not made

    async def call(self, service: Service | None) -> None:
        """Calls the service, or a simulator of it, and talks until the last reply was played."""
        from voicelane.errors import VoiceLiveError

        from .conversation import Conversation
        from .summary import Summary

        async with AsyncExitStack() as stack:
            if service is None:
                service = await embedded_simulator(stack)
                first_line = f"no {ENDPOINT_VARIABLE} set: talking to the embedded simulator at"
                self._print(f"{first_line} {service.name}")
            else:
                self._print(f"talking to {service.name}")
            model = await service.new_model(stack, self._args, self._audio)
            conversation = Conversation(
                model,
                self._audio,
                self._reply,
                self._view,
                fast=self._args.fast,
                reply_timeout_s=self._args.reply_timeout,
            )
            try:
                await stack.enter_async_context(model)
            except VoiceLiveError as error:
                raise service.not_connected(error) from error
            summary = self._summary = Summary(service, self._args.model, conversation.status)
            cpu_started_s, started_s = time.process_time(), time.monotonic()
            try:
                with self._view:
                    await conversation.run()
            finally:
                summary.cpu_s = time.process_time() - cpu_started_s
                summary.wall_s = time.monotonic() - started_s
                summary.num_underruns = model.playback.stats()["underruns"]

    def report(self, failure: CommandError | None) -> int:
        """Prints the summary of a call that was made, and why it failed; returns the exit code."""
        exit_code = failure.exit_code if failure else ExitCode.OK
        message = str(failure) if failure else None
        if self._summary is not None:
            if failure:
                message = f"{failure}; {self._kept()}"
            self._summary.keep(self._reply)
            outcome = {"exit_code": exit_code, "error": message}
            as_json = self._args.json
            print(json.dumps(self._summary.as_dict() | outcome) if as_json else self._summary)
            sys.stdout.flush()
        if message:
            print_error(message)
        return exit_code

    def _kept(self) -> str:
        if not self._reply.duration_s:
            return "no reply audio was received"
        return f"{self._reply.duration_s:.2f} s of reply written to {self._reply.path}"

    def _print(self, line: str) -> None:
        if not self._args.quiet:
            print(line, file=self._file, flush=True)


def _view(args: argparse.Namespace, file: TextIO) -> View:
    if args.quiet:
        return View()
    if not file.isatty() or os.environ.get("TERM") == "dumb":
        return PlainView(file)
    from .live_view import LiveView

    return LiveView(file)
