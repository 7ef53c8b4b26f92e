"""A server between browsers and the service: one websocket and one session for each call.

The layers, none of which knows the one above:

    server          the aiohttp application: who may call, health, draining
    call            one browser's call: its messages, its session
    pump            sends the audio of all calls at the pace of a speaker
    outbox, lead    what is to be sent to a client; what it has not played yet
    messages        reading JSON
    limits, close_codes, settings, metrics
"""

from .close_codes import CallEndedError, CloseCode
from .server import GATEWAY, Gateway, create_app
from .settings import CallRequest, GatewaySettings, SessionFactory

__all__ = [
    "GATEWAY",
    "CallEndedError",
    "CallRequest",
    "CloseCode",
    "Gateway",
    "GatewaySettings",
    "SessionFactory",
    "create_app",
]
