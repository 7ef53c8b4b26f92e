"""The aiohttp application: paths, headers, health."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from .browser import MAX_TEXT_CHARACTERS, PROTOCOL, BrowserCall
from .connections import Connections
from .metrics import GatewayMetrics
from .phone import PhoneCall
from .settings import GatewaySettings, SessionFactory

_STATIC = Path(__file__).parent / "static"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; media-src 'self'; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",
}


class Gateway:
    """Calls of browsers and telephones, each with a session of its own.

    Args:
        new_session: makes the session of a call, not yet connected.
        settings: limits, and what a call may choose.
    """

    def __init__(
        self, new_session: SessionFactory, settings: GatewaySettings | None = None
    ) -> None:
        self.settings = settings or GatewaySettings()
        self.metrics = GatewayMetrics()
        self._connections = Connections(new_session, self.settings, self.metrics)

    @property
    def num_calls(self) -> int:
        """How many calls are open."""
        return self._connections.num_calls

    @property
    def is_draining(self) -> bool:
        """Whether no new calls are taken."""
        return self._connections.is_draining

    @property
    def status(self) -> str:
        """ "ready", "full" or "draining"."""
        if self.is_draining:
            return "draining"
        return "full" if self._connections.is_full else "ready"

    async def drain(self, timeout_s: float | None = None) -> None:
        """Takes no new calls, and waits until those that run have ended; after the time-out, ends them.

        Args:
            timeout_s: default `GatewaySettings.drain_s`.
        """
        await self._connections.drain(self.settings.drain_s if timeout_s is None else timeout_s)

    # --- HTTP --------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The application; closing it ends all calls."""
        app = web.Application(middlewares=[_secured])
        app.router.add_get("/config", self._config)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/ws", self._browser)
        app.router.add_get("/media-stream", self._phone)
        app.router.add_get("/", _index)
        app.router.add_static("/static/", _STATIC)
        app.on_shutdown.append(self._stop)
        return app

    async def _stop(self, _app: web.Application) -> None:
        await self.drain(0)

    async def _config(self, _request: web.Request) -> web.Response:
        settings = self.settings
        return web.json_response(
            {
                "protocol": PROTOCOL,
                "token_required": settings.token is not None,
                "is_simulator": settings.is_simulator,
                "voice": settings.voices[0],
                "voices": settings.voices,
                "turn_detection": settings.turn_detections[0],
                "turn_detections": settings.turn_detections,
                "max_text_characters": MAX_TEXT_CHARACTERS,
            }
        )

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        status = self.status
        return web.json_response({"status": status}, status=200 if status == "ready" else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not self.settings.accepts(token if scheme == "Bearer" else ""):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=self.metrics.text(), content_type="text/plain", charset="utf-8")

    async def _browser(self, request: web.Request) -> web.StreamResponse:
        return await self._connections.serve(request, BrowserCall)

    async def _phone(self, request: web.Request) -> web.StreamResponse:
        return await self._connections.serve(request, PhoneCall)


async def _index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_STATIC / "index.html")


@web.middleware
async def _secured(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_HEADERS)
        raise
    if not response.prepared:
        response.headers.update(_HEADERS)
    return response


GATEWAY = web.AppKey("voicelane", Gateway)


def create_app(
    new_session: SessionFactory, settings: GatewaySettings | None = None
) -> web.Application:
    """The gateway as an aiohttp application, for one event loop.

        def new_session(call: CallRequest) -> AzureVoiceLive:
            return AzureVoiceLive(model="gpt-realtime", tools=[get_weather])


        app = create_app(new_session)
        web.run_app(app)

    ``app[GATEWAY]`` is the `Gateway`: `Gateway.drain`, `Gateway.num_calls`, `Gateway.status`.
    """
    gateway = Gateway(new_session, settings)
    app = gateway.app()
    app[GATEWAY] = gateway
    return app
