"""A simulator of Azure Voice Live: a real websocket server to talk to without the service.

The layers, none of which knows the one above:

    server          who may connect; starting and stopping
    connection      one websocket: messages in, what is due out, in time
    wire, event_faults, faults   what goes wrong on purpose with bytes and with events
    conversation    one session's state; no I/O, no clock
    response        the events of one answer, in order
    items, session_options, input_audio, speech, responder, formats
    events          ids, refusals, reading fields
"""

from .connection import Connection
from .faults import Faults
from .responder import Reply, ToolCall
from .server import Simulator, serve

__all__ = ["Connection", "Faults", "Reply", "Simulator", "ToolCall", "serve"]
