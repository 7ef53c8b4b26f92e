"""Telephone calls in an aiohttp application of one's own: its pages, and under /voice the gateway.

A provider like Twilio asks /incoming-call what to do with a call, and is told to stream it here. Talks to
the service named by AZURE_VOICE_LIVE_ENDPOINT and AZURE_VOICE_LIVE_API_KEY, or to the embedded simulator
where there is none. What the caller says and hears, phone_bridge.py does:

    python examples/phone_server.py --port 8080
    python examples/phone_bridge.py --url http://127.0.0.1:8080/voice
"""

from __future__ import annotations

import asyncio
from typing import Any
from xml.sax.saxutils import quoteattr

from aiohttp import web

from shared import account, arguments, run, serving
from voicelane import AzureVoiceLive
from voicelane.gateway import GATEWAY, CallRequest, GatewaySettings, create_app


async def opening_hours(_request: web.Request) -> web.Response:
    return web.Response(text="We are here from nine to five.\n")


def application(where: dict[str, Any], token: str | None) -> web.Application:
    def new_session(call: CallRequest) -> AzureVoiceLive:
        return AzureVoiceLive(model="gpt-realtime", config=call.config(), **where)

    async def incoming_call(request: web.Request) -> web.Response:
        """TwiML: connect the caller to our websocket."""
        # Whoever asks gets the token: off this machine, check the provider's signature of the request first.
        url = quoteattr(f"wss://{request.host}/voice/media-stream")
        secret = f'<Parameter name="token" value={quoteattr(token)}/>' if token else ""
        stream = f"<Stream url={url}>{secret}</Stream>"
        twiml = f"<Response><Connect>{stream}</Connect></Response>"
        return web.Response(text=twiml, content_type="text/xml")

    gateway = create_app(new_session, GatewaySettings(token=token))
    app = web.Application()
    app.router.add_get("/", opening_hours)
    app.router.add_post("/incoming-call", incoming_call)
    app.add_subapp("/voice/", gateway)

    async def drain(_app: web.Application) -> None:
        await gateway[GATEWAY].drain(timeout_s=10)  # calls that run may end

    app.on_shutdown.insert(0, drain)
    return app


async def main(host: str, port: int, token: str | None) -> None:
    async with account() as where, serving(application(where, token), host, port) as url:
        print(f"{url}, Ctrl-C ends it", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0: any (default: 8080)")
    parser.add_argument("--token", help="what calls must bring; needed off this machine")
    args = parser.parse_args()
    run(main(args.host, args.port, args.token))
