"""VideoSDK's function tools, those of its MCP servers included, as voicelane's."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from videosdk.agents import build_openai_schema, get_tool_info, is_function_tool
from videosdk.agents.utils import ToolError as HostToolError

from ..errors import ToolError
from ..tools import Tool


def tools_of(functions: Iterable[Any]) -> list[Tool]:
    """The function tools among them; of one name the last. What is none is left out, as in VideoSDK."""
    tools = (_tool(function) for function in functions if is_function_tool(function))
    return list({tool.name: tool for tool in tools}.values())


def _tool(function: Any) -> Tool:
    info = get_tool_info(function)
    description = info.description or ""
    telling = _telling(function)
    if info.parameters_schema is None:
        try:
            # Ours leaves out what has a default; VideoSDK's requires it.
            return Tool(telling, name=info.name, description=description)
        except TypeError:  # a type that only pydantic knows
            pass
    schema = build_openai_schema(function)["parameters"]
    return Tool(telling, name=info.name, description=description, parameters=schema)


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; what it says by VideoSDK's ToolError is for the model, an MCP server's reason, mostly."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **given: Any) -> Any:
            with _told():
                return await function(*args, **given)

        return call_async

    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        with _told():
            return function(*args, **given)

    return call


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except HostToolError as error:
        raise ToolError(str(error)) from error
