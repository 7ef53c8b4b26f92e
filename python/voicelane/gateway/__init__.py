"""A server between browsers or telephones and the service: one websocket and one session for each call.

The layers, none of which knows the one above:

    ray_serve       many gateways on many machines
    listener        the port that the gateways of a machine share
    server          the aiohttp application: paths, headers, health
    connections     websockets: who may call, the life of a call, draining
    browser, phone  how either kind of client is spoken to
    call            what is the same for both: the session, the pace of its audio
    pump            sends the audio of all calls at the pace of a speaker
    outbox, lead    what is to be sent to a client; what it has not played yet
    messages        reading JSON
    limits, close_codes, settings, metrics
"""

from .close_codes import CallEndedError, CloseCode
from .server import GATEWAY, Gateway, create_app
from .settings import CallRequest, GatewaySettings, PhoneStream, SessionFactory

__all__ = [
    "GATEWAY",
    "CallEndedError",
    "CallRequest",
    "CloseCode",
    "Gateway",
    "GatewaySettings",
    "PhoneStream",
    "SessionFactory",
    "create_app",
]
