"""Event handlers: any callable, sync or async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from .logs import session_logger

Handler = Callable[..., Any]

_log = session_logger(__name__)


class EventEmitter:
    """Calls the handlers of an event in the order in which they were registered.

    A handler may take the payload or nothing. What an async handler does runs in a task of this
    emitter, until `drain_handlers`. An exception in a handler is logged and reaches no other one.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, list[tuple[Handler, bool]]] = {}
        self._handler_tasks: set[asyncio.Task[Any]] = set()

    def on(self, event: str, handler: Handler | None = None) -> Handler:
        """Registers a handler; without one, a decorator."""
        if handler is None:
            return lambda decorated: self.on(event, decorated)
        if not callable(handler):
            raise TypeError(f"handler: expected a callable, got {type(handler).__name__}")
        self._handlers.setdefault(event, []).append((handler, _takes_payload(handler)))
        return handler

    def off(self, event: str, handler: Handler) -> None:
        """Forgets a handler; one that is not registered is no error."""
        registered = self._handlers.get(event, [])
        self._handlers[event] = [entry for entry in registered if entry[0] != handler]

    def emit(self, event: str, payload: Any = None) -> None:
        """Calls the handlers of an event."""
        for handler, takes_payload in tuple(self._handlers.get(event, ())):
            try:
                result = handler(payload) if takes_payload else handler()
            except Exception:  # noqa: BLE001 - a user's handler must not stop the session
                _log.exception("The handler %r of %r failed", handler, event)
                continue
            if inspect.iscoroutine(result):
                self._start(event, handler, result)

    async def drain_handlers(self) -> None:
        """Waits until the async handlers that run are done; the one that calls this is left out."""
        tasks = self._handler_tasks - {asyncio.current_task()}
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, event: str, handler: Handler, result: Coroutine[Any, Any, Any]) -> None:
        def done(task: asyncio.Task[Any]) -> None:
            self._handler_tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                failed = "The handler %r of %r failed"
                _log.error(failed, handler, event, exc_info=task.exception())

        task = asyncio.get_running_loop().create_task(result, name=f"voicelane-on-{event}")
        self._handler_tasks.add(task)
        task.add_done_callback(done)


def _takes_payload(handler: Handler) -> bool:
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):  # builtins without a signature
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True
