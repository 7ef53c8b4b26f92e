"""What the model may call: functions of this process, and MCP servers.

```python
def get_weather(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> dict[str, Any]:
    \"""The weather in a city now.

    Args:
        city: its name, without the country.
    \"""

AzureVoiceLive(model="gpt-realtime", tools=[get_weather, MCPServer("docs", "https://...")])
```
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from .actions import MCPApprovalRequest
from .tool_schema import ArgumentError, bound_names, docstring_of, function_shape, name_of

DEFAULT_TIMEOUT_S = 30.0
MAX_RUNNING_CALLS = 16

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Approve = Callable[[MCPApprovalRequest], bool | Awaitable[bool]]


@dataclass(frozen=True, eq=False)
class Tool:
    """A function that the model may call; what is left out is read from the function itself.

    Attributes:
        function: sync or async. A sync one runs on a thread.
        name: what the model calls it.
        description: when to call it, and what it gives.
        parameters: the JSON schema of an object. With one of your own, the arguments reach the function
            as they came; without, they are checked against the type hints and converted.
        timeout_s: after that long the model is told that it took too long; None takes the session's.

    Raises:
        TypeError: no callable, or one whose parameters have no JSON schema.
        ValueError: a name that the service refuses, or a time-out that is none.
    """

    function: Callable[..., Any] = field(repr=False)  # a partial would show what it has bound
    _: KW_ONLY
    name: str = ""
    description: str = ""
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    timeout_s: float | None = None
    _read: Callable[[Any], dict[str, Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            kind = "a class" if callable(self.function) else type(self.function).__name__
            raise TypeError(f"tools: expected a function or another callable, got {kind}")
        name = self.name or name_of(self.function)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                f"tools: expected a name of 1 to 64 letters, digits, '_' and '-', got {name!r}: "
                "give it one by Tool(function, name=...)"
            )
        _check_timeout(name, "timeout_s", self.timeout_s)
        if self.parameters is None:
            shape = function_shape(self.function, name)
            parameters, read = shape.parameters.schema, shape.parameters.read
            description = self.description or shape.description
            self._settle(name, description, parameters, lambda given: read(given, "", True))
        else:
            if not isinstance(self.parameters, Mapping) or self.parameters.get("type") != "object":
                raise ValueError(f"{name}.parameters: expected the JSON schema of an object")
            description = self.description or docstring_of(self.function)
            self._settle(name, description, self.parameters, self._as_given)

    def wire(self) -> dict[str, Any]:
        """The tool as ``session.update`` has it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }

    def read_arguments(self, text: str) -> dict[str, Any]:
        """The arguments of a call, checked and converted.

        Raises:
            ArgumentError: they are not what the function takes.
        """
        try:
            given = json.loads(text or "{}", parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"the arguments are not JSON: {error}") from None
        return self._read(given)

    def _settle(self, name: str, description: str, parameters: Any, read: Any) -> None:
        for key, value in {
            "name": name,
            "description": description,
            "parameters": parameters,
            "_read": read,
        }.items():
            object.__setattr__(self, key, value)  # frozen for everybody else

    def _as_given(self, given: Any) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise ArgumentError("the arguments: expected an object")
        required = (self.parameters or {}).get("required", ())
        missing = [name for name in required if name not in given]
        if missing:
            raise ArgumentError(f"missing: {', '.join(missing)}")
        bound = bound_names(self.function) & given.keys()
        if bound:
            raise ArgumentError(f"unknown: {', '.join(sorted(bound))}")
        try:
            inspect.signature(self.function).bind(**given)
        except TypeError as error:
            raise ArgumentError(str(error)) from None
        return given


@dataclass(frozen=True, eq=False, repr=False)
class MCPServer:
    """An MCP server that the service itself calls.

    Attributes:
        label: what it is called in events and approval requests.
        url: where it is.
        authorization: sent to it by the service; a secret.
        headers: sent to it by the service; secrets.
        allowed_tools: the names of its tools that the model may call; None is all of them.
        require_approval: "always", "never", or which tools: ``{"never": ["search"]}``; "always" for
            those that are not named.
        on_approval: sync (on a thread) or async; takes the request and says whether it may be called.
            Without one, and when it fails or takes too long, the answer is no.
        approval_timeout_s: how long it may take.

    Raises:
        TypeError, ValueError: an argument that the service would refuse.
    """

    label: str
    url: str
    authorization: str | None = None
    headers: Mapping[str, str] | None = None
    allowed_tools: Sequence[str] | None = None
    require_approval: Literal["always", "never"] | Mapping[str, Sequence[str]] = "always"
    on_approval: Approve | None = None
    approval_timeout_s: float = DEFAULT_TIMEOUT_S

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label:
            raise ValueError(f"label: expected a name, got {self.label!r}")
        if not isinstance(self.url, str) or urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"{self.label}.url: expected an http or https URL")
        if isinstance(self.allowed_tools, str):
            raise TypeError(f"{self.label}.allowed_tools: expected a list of names, got a string")
        approval = self.require_approval
        known = (
            set(approval) <= {"always", "never"}
            if isinstance(approval, Mapping)
            else approval in ("always", "never")
        )
        if not known:
            raise ValueError(
                f"{self.label}.require_approval: expected 'always', 'never' or a mapping of these "
                f"to names of tools, got {approval!r}"
            )
        if self.on_approval is not None and not callable(self.on_approval):
            kind = type(self.on_approval).__name__
            raise TypeError(f"{self.label}.on_approval: expected a callable, got {kind}")
        _check_timeout(self.label, "approval_timeout_s", self.approval_timeout_s)

    def __repr__(self) -> str:
        url = urlsplit(self.url)
        # The rest of a URL may hold a key; so may everything else.
        host = url.hostname or ""
        return f"MCPServer(label={self.label!r}, url={f'{url.scheme}://{host}{url.path}'!r})"

    def wire(self) -> dict[str, Any]:
        """The server as ``session.update`` has it, secrets included."""
        approval = self.require_approval
        if isinstance(approval, Mapping):
            approval = {key: list(names) for key, names in approval.items()}
        given = {
            "authorization": self.authorization,
            "headers": None if self.headers is None else dict(self.headers),
            "allowed_tools": None if self.allowed_tools is None else list(self.allowed_tools),
            "require_approval": approval,
        }
        return {
            "type": "mcp",
            "server_label": self.label,
            "server_url": self.url,
            **{key: value for key, value in given.items() if value is not None},
        }


class ToolSet:
    """The tools of a session, by name.

    Args:
        tools: functions, `Tool`, `MCPServer`, and other callables that carry ``name``, ``description``
            and ``parameters`` as a `Tool` does.
        timeout_s: of the tools that have none of their own; None is no limit.
        max_running_calls: how many calls run at once; more wait for their turn.

    Raises:
        TypeError: something that is no tool.
        ValueError: two of one name, or an argument out of range.
    """

    def __init__(
        self,
        tools: Iterable[Any] = (),
        *,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        max_running_calls: int = MAX_RUNNING_CALLS,
    ) -> None:
        _check_timeout("tools", "timeout_s", timeout_s)
        if isinstance(max_running_calls, bool) or not isinstance(max_running_calls, int):
            raise TypeError(f"max_running_calls: expected an integer, got {max_running_calls!r}")
        if max_running_calls < 1:
            raise ValueError(f"max_running_calls: expected 1 or more, got {max_running_calls}")
        if isinstance(tools, str | bytes | Mapping) or not isinstance(tools, Iterable):
            raise TypeError(f"tools: expected a list of tools, got {type(tools).__name__}")
        self.timeout_s = timeout_s
        self.max_running_calls = max_running_calls
        self.functions: dict[str, Tool] = {}
        self.servers: dict[str, MCPServer] = {}
        for tool in map(_tool, tools):
            known: dict[str, Any] = self.servers if isinstance(tool, MCPServer) else self.functions
            name = tool.label if isinstance(tool, MCPServer) else tool.name
            if name in known:
                raise ValueError(f"tools: expected different names, got two of {name!r}")
            known[name] = tool

    @classmethod
    def of(cls, tools: ToolSet | Iterable[Any]) -> ToolSet:
        """The tools as a set; a set is itself."""
        return tools if isinstance(tools, ToolSet) else cls(tools)

    def __iter__(self) -> Iterator[Tool | MCPServer]:
        yield from self.functions.values()
        yield from self.servers.values()

    def wire(self) -> list[dict[str, Any]]:
        """All of them as ``session.update`` has them, secrets of MCP servers included."""
        return [tool.wire() for tool in self]


def _tool(given: Any) -> Tool | MCPServer:
    if isinstance(given, Tool | MCPServer):
        return given
    parameters = getattr(given, "parameters", None)
    if callable(given) and isinstance(parameters, Mapping):
        name, description = getattr(given, "name", ""), getattr(given, "description", None)
        return Tool(given, name=name, description=description or "", parameters=parameters)
    return Tool(given)


def _check_timeout(owner: str, name: str, timeout_s: Any) -> None:
    if timeout_s is None:
        return
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
        raise TypeError(f"{owner}.{name}: expected seconds, got {timeout_s!r}")
    if not timeout_s > 0:
        raise ValueError(f"{owner}.{name}: expected more than 0 seconds, got {timeout_s!r}")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
