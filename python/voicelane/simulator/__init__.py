"""A simulator of Azure Voice Live: a real websocket server to talk to without the service.

The layers, none of which knows the one above:

    pytest_plugin   a server as fixtures, for users' own tests
    server, limits  who may connect, and how often; starting and stopping
    connection      one websocket: messages in, what is due out, in time
    wire, event_faults, faults   what goes wrong on purpose with bytes and with events
    conversation    one session's state; no I/O, no clock
    replay          the same of a recording
    response        the events of one answer, in order
    output_factory, outputs, replies   what an answer says
    history, items, mcp, session_options, session_defaults, models
    input_audio, speech, transcription, responder, formats
    local_speech, recogniser        words heard and texts said, in programs of their own
    scenario, expectations, record
                    what is answered, what the client must do, what was said
    scenario_file, yaml_nodes, recording
                    the same as files
    events          ids, refusals, reading fields
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connection import Connection
    from .expectations import Expect
    from .faults import Faults
    from .limits import Limits
    from .replies import McpCall, Reply, ToolCall
    from .scenario import Scenario, Turn
    from .scenario_file import read_scenario
    from .server import Simulator, serve
    from .yaml_nodes import ScenarioError

__all__ = [
    "Connection",
    "Expect",
    "Faults",
    "Limits",
    "McpCall",
    "Reply",
    "Scenario",
    "ScenarioError",
    "Simulator",
    "ToolCall",
    "Turn",
    "read_scenario",
    "serve",
]

# Loaded when asked for: the pytest plugin is a module of this package, and must not load the server.
_MODULES = {
    "Connection": "connection",
    "Expect": "expectations",
    "Faults": "faults",
    "Limits": "limits",
    "McpCall": "replies",
    "Reply": "replies",
    "Scenario": "scenario",
    "ScenarioError": "yaml_nodes",
    "Simulator": "server",
    "ToolCall": "replies",
    "Turn": "scenario",
    "read_scenario": "scenario_file",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
