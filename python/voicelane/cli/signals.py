"""Ends a run in good order when the user or a supervisor asks for it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine


def run_until_signal(work: Coroutine[None, None, None]) -> None:
    """As `asyncio.run`, with SIGTERM as good as Ctrl-C.

    Raises:
        KeyboardInterrupt: one of them came; `work` was cancelled and has ended.
    """
    try:
        asyncio.run(_cancelled_by_sigterm(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _cancelled_by_sigterm(work: Coroutine[None, None, None]) -> None:
    # Not by way of SIGINT: a shell's background jobs ignore that one.
    task = asyncio.current_task()
    assert task is not None
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work
