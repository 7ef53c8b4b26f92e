"""Ports of this machine that nobody else gets meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port(*, is_shared: bool = False) -> Iterator[int]:
    """A port at which nobody listens, for servers of ours to come, go and come again.

    Bound, it is given to no other program. With `is_shared` several servers may listen at once.
    """
    option = socket.SO_REUSEPORT if is_shared else socket.SO_REUSEADDR
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, option, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
