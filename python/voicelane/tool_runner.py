"""Runs the functions that the model calls, off the read path: tasks, threads, time-outs."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import datetime
import functools
import inspect
import json
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from .actions import CallFunction, MCPApprovalRequest
from .errors import ToolError
from .logs import session_logger
from .observer import OnCallEnded
from .tool_schema import ArgumentError, plain_function
from .tools import MCPServer, ToolSet

_log = session_logger(__name__)

_CANCEL_TIMEOUT_S = 2.0

OnOutput = Callable[[CallFunction, str, bool], None]
OnDecision = Callable[[MCPApprovalRequest, bool], None]


class ToolRunner:
    """Owns every call that runs: its task, and its thread where the function is sync.

    Args:
        tools: what may be called; may be replaced while calls run.
        on_output: gets each call with its output, and whether that is an error.
        on_decision: gets each approval request with its answer.
        observe: is entered while a function runs.
    """

    def __init__(
        self,
        tools: ToolSet,
        on_output: OnOutput,
        on_decision: OnDecision,
        observe: Callable[[CallFunction], AbstractContextManager[OnCallEnded]],
    ) -> None:
        self.tools = tools
        self._on_output = on_output
        self._on_decision = on_decision
        self._observe = observe
        self._tasks: set[asyncio.Task[None]] = set()
        self._max_running_calls = tools.max_running_calls
        self._slots = asyncio.Semaphore(self._max_running_calls)
        self._threads: ThreadPoolExecutor | None = None

    def call(self, call: CallFunction) -> bool:
        """Starts a call. Without any function of its own a session leaves calls to its user: False."""
        if not self.tools.functions:
            return False
        self._start(self._run(call), f"voicelane-tool-{call.name}")
        return True

    def ask(self, request: MCPApprovalRequest) -> None:
        """Starts to ask for an approval."""
        server = self.tools.servers.get(request.server_label)
        self._start(self._decide(server, request), f"voicelane-approval-{request.name}")

    async def aclose(self) -> None:
        """Cancels what runs, but for the call that calls this. A new call may come later."""
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        threads, self._threads = self._threads, None
        if threads is not None:
            # A thread cannot be stopped: its function ends when it ends, and nobody waits for it.
            threads.shutdown(wait=False, cancel_futures=True)
        if tasks:
            _, stubborn = await asyncio.wait(tasks, timeout=_CANCEL_TIMEOUT_S)
            for task in stubborn:
                _log.warning("%s goes on although it was cancelled", task.get_name())

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- functions ---------------------------------------------------------------------------

    async def _run(self, call: CallFunction) -> None:
        async with self._slots:
            with self._observe(call) as ended:
                output, is_error = await self._outcome_of(call)
                ended(is_error)
        self._on_output(call, output, is_error)

    async def _outcome_of(self, call: CallFunction) -> tuple[str, bool]:
        """The output of a call, and whether it is an error."""
        try:
            return await self._output_of(call), False
        except (ToolError, ArgumentError) as error:
            return _error_text(str(error) or f"{call.name} failed"), True
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Not this call: something that the function waited for.
            return _error_text(f"{call.name} was cancelled"), True
        except Exception as error:  # noqa: BLE001 - a user's function; told to the model, and logged
            _log.exception("The tool %r failed", call.name)
            # Only its type: the text may hold what is not for the model to say, such as a key.
            return _error_text(f"{call.name} failed ({type(error).__name__})"), True

    async def _output_of(self, call: CallFunction) -> str:
        tool = self.tools.functions.get(call.name)
        if tool is None:
            known = ", ".join(self.tools.functions)
            raise ArgumentError(f"there is no tool {call.name[:80]!r} (known: {known})")
        arguments = tool.read_arguments(call.arguments)
        timeout_s = self.tools.timeout_s if tool.timeout_s is None else tool.timeout_s
        bound = functools.partial(tool.function, **arguments)
        try:
            result = await self._within(timeout_s, bound)
        except _TooLateError:
            raise ToolError(f"{call.name} did not answer within {timeout_s:g} s") from None
        return output_text(result)

    async def _within(self, timeout_s: float | None, function: Callable[[], Any]) -> Any:
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                result = function() if _is_async(function) else await self._on_thread(function)
                # A sync function may hand out something to be awaited, too.
                return await result if inspect.isawaitable(result) else result
        except TimeoutError:
            if limit.expired():
                raise _TooLateError from None
            raise  # the function's own

    async def _on_thread(self, function: Callable[[], Any]) -> Any:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._max_running_calls, "voicelane-tool")
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: context.run(_guarded, function))

    # --- approvals ---------------------------------------------------------------------------

    async def _decide(self, server: MCPServer | None, request: MCPApprovalRequest) -> None:
        approve = False
        if server is None or server.on_approval is None:
            _log.warning("%s: denied: there is no on_approval to ask", request.server_label)
        else:
            ask = functools.partial(server.on_approval, request)
            try:
                approve = await self._within(server.approval_timeout_s, ask) is True
            except _TooLateError:
                _log.warning("%s: nobody approved in time: denied", server.label)
            except Exception:  # noqa: BLE001 - a user's function; in doubt the answer is no, and it is logged
                _log.exception("The approval callback of %s failed: denied", server.label)
        self._on_decision(request, approve)


class _TooLateError(Exception):
    """The time-out of the tool, not one of its own."""


def _guarded(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except StopIteration as error:  # no future can carry it: who waits would wait for ever
        raise RuntimeError("StopIteration") from error


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(plain_function(function))


# --- what is given back ----------------------------------------------------------------------


def output_text(result: Any) -> str:
    """A function's result as the model gets it: text as it is, everything else as JSON.

    Raises:
        ToolError: it has no JSON.
    """
    if isinstance(result, str) and not isinstance(result, Enum):
        return result
    try:
        return json.dumps(result, default=_plain, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ToolError(f"the result, of type {type(result).__name__}, has no JSON form") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    match value:
        case Enum():
            return value.value
        case datetime.date() | datetime.time():  # a datetime is a date
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case Decimal() | UUID() | PurePath():
            return str(value)
        case set() | frozenset():
            return list(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _error_text(message: str) -> str:
    return json.dumps({"error": message}, ensure_ascii=False)
