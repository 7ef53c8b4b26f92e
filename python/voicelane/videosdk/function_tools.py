"""VideoSDK's function tools, those of its MCP servers included, as voicelane's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from videosdk.agents import build_openai_schema, get_tool_info, is_function_tool

from ..tools import Tool


def tools_of(functions: Iterable[Any]) -> list[Tool]:
    """The function tools among them; of one name the last. What is none is left out, as in VideoSDK."""
    tools = (_tool(function) for function in functions if is_function_tool(function))
    return list({tool.name: tool for tool in tools}.values())


def _tool(function: Any) -> Tool:
    info = get_tool_info(function)
    description = info.description or ""
    if info.parameters_schema is None:
        try:
            # Ours leaves out what has a default; VideoSDK's requires it.
            return Tool(function, name=info.name, description=description)
        except TypeError:  # a type that only pydantic knows
            pass
    schema = build_openai_schema(function)["parameters"]
    return Tool(function, name=info.name, description=description, parameters=schema)
