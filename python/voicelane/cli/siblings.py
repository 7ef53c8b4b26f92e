"""Processes that do the same side by side: forked, watched, and ended together."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .exit_codes import CommandError, ExitCode

_NEWS_BYTES = 1024


class Sibling(NamedTuple):
    """One of them, as it sees itself.

    Attributes:
        number: Which one, counted from 1.
        life: A descriptor that becomes readable when the parent ends it, or has ended, however it did.
        news: A descriptor that takes what it tells the parent; its end tells of its own.
    """

    number: int
    life: int
    news: int

    def tell_ready(self, text: str) -> None:
        """Lets the parent go on, and tells it so much."""
        os.write(self.news, text.encode())

    def end_with_parent(self) -> None:
        """Has the current task cancelled when the parent wants it, or is gone."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def end() -> None:
            loop.remove_reader(self.life)
            task.cancel()

        loop.add_reader(self.life, end)


def run_siblings(
    num_siblings: int,
    work: Callable[[Sibling], int],
    on_ready: Callable[[str], None],
    on_stop: Callable[[], None],
) -> int:
    """Runs `work` in so many processes until Ctrl-C, SIGTERM or the end of one of them.

    To be called before there are threads. Siblings do not hear Ctrl-C, but of their parent's end.

    Args:
        num_siblings: How many.
        work: Is given the sibling that it is, and returns its exit code.
        on_ready: Called in the parent once all are ready, with what the first one told.
        on_stop: Called in the parent after Ctrl-C or SIGTERM, before they are ended.

    Returns:
        In a sibling, what `work` returned; in the parent, the first of their codes that is not 0.

    Raises:
        CommandError: one of them ended by itself.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    life, end = os.pipe()
    children: dict[int, int] = {}  # who they are, by the descriptor that their news come from
    for number in range(1, num_siblings + 1):
        news, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(end)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return work(Sibling(number, life, told))
        os.close(told)
        children[news] = pid
    is_told_to = False
    try:
        texts = [os.read(news, _NEWS_BYTES).decode() for news in children]
        if all(texts):
            on_ready(texts[0])
            select.select(list(children), [], [])
    except KeyboardInterrupt:
        is_told_to = True
        on_stop()
    os.close(end)
    statuses = [os.waitpid(pid, 0)[1] for pid in children.values()]
    code = next(filter(None, map(os.waitstatus_to_exitcode, statuses)), ExitCode.OK)
    if not is_told_to:
        message = f"one of {num_siblings} processes ended (code {code}), and so did the others"
        raise CommandError(ExitCode.INTERNAL, message)
    return code


@contextmanager
def shared_port(host: str, port: int) -> Iterator[int]:
    """Keeps a port for those who will share it (`SO_REUSEPORT`), and from all others.

    Args:
        host: Where they listen.
        port: 0 lets the system choose.

    Raises:
        CommandError: this system does not spread connections over them.
        OSError: the port is taken.
    """
    if sys.platform != "linux":
        message = "--processes: expected Linux, for elsewhere one process gets all connections"
        raise CommandError(ExitCode.USAGE, message)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as alone:  # not to share it with those who have it already
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
        address = alone.getsockname()
    with socket.socket(family, kind) as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind(address)
        yield int(address[1])
