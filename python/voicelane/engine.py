"""Settings of the process's one engine, which carries the sessions of the native transport."""

from __future__ import annotations

import sys

_MAX_THREADS = 64


def configure_engine(*, threads: int = 1) -> None:
    """Sets how many threads the engine has, from its next start on.

    It starts with the first session of the process and ends with the last. One thread carries hundreds of
    sessions; more of them help where it takes a whole core.

    Args:
        threads: 1 to 64.

    Raises:
        ValueError: an argument out of range.
        RuntimeError: the engine runs, with another number of threads; or there is none on this platform.
    """
    if not 1 <= threads <= _MAX_THREADS:
        raise ValueError(f"threads: expected 1 to {_MAX_THREADS}, got {threads!r}")
    if sys.platform == "win32":
        raise RuntimeError("threads: expected a platform with the native transport, got Windows")
    from ._core import set_engine_threads

    if not set_engine_threads(threads):
        raise RuntimeError(
            "threads: expected to be set before the first session, or after the last, got an engine that runs"
        )
