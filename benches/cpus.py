"""Which CPUs a measurement may use, where the system lets one choose."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def use_one_cpu() -> None:
    """From now on."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@contextmanager
def all_cpus() -> Iterator[None]:
    """For what needs threads or a second process beside it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
