"""What this process has open: what a session must not leave behind."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def descriptors() -> dict[str, str]:
    """The open file descriptors of this process, and what each of them is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that lists them
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return found


def new_descriptors(before: dict[str, str]) -> dict[str, str]:
    return {fd: what for fd, what in descriptors().items() if before.get(fd) != what}


def threads() -> list[str]:
    """The names of this process's threads, Python's and others."""
    comms = []
    for comm in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # it ended meanwhile
            comms.append(comm.read_text().strip())
    return comms


def tasks_of_sessions() -> set[asyncio.Task[Any]]:
    """Not those by which the simulator's server waits for a next request."""
    tasks = asyncio.all_tasks()
    return {task for task in tasks if "RequestHandler" not in repr(task.get_coro())}
