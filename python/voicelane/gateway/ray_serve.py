"""The gateway as a Ray Serve application: docs/scale.md.

Ray places the replicas, replaces those that died, and adds and drains them by how many calls are open.
Calls do not go through Ray: each replica is a whole gateway, and all of a machine share one port.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy
from ray.serve.metrics import Gauge

from ..transport.handshake import is_loopback
from .listener import Listener
from .metrics import GatewayMetrics
from .server import GATEWAY, create_app
from .settings import GatewaySettings, SessionFactory

_CALLS = "calls"
# What is left to a replica beyond its draining: to close, and for Ray to notice.
_CLOSING_S = 10.0


def application(
    new_session: SessionFactory,
    settings: GatewaySettings | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    autoscaling: AutoscalingConfig | None = None,
    **options: Any,
) -> serve.Application:
    """The application, for ``serve run module:app`` or `ray.serve.run`.

    ::

        app = application(new_session, GatewaySettings(token="..."), host="0.0.0.0")

    Args:
        new_session: makes the session of a call, not yet connected. It goes to the replicas by pickle.
        settings: those of each replica; `GatewaySettings.drain_s` is how long its calls may go on when it
            is to stop.
        host: where every machine listens. Beyond loopback the settings must have a token.
        port: on every machine that has a replica.
        autoscaling: `target_ongoing_requests` are the calls that a replica is to have; the others are as Ray
            documents them. Default: 1 to 4 replicas, with 70 % of `GatewaySettings.max_calls` each.
        options: of the deployment, as `ray.serve.deployment` documents them.

    Raises:
        ValueError: a replica is to have more calls than it may, or to let everybody in.
    """
    settings = settings or GatewaySettings()
    if settings.token is None and not is_loopback(host):
        raise ValueError(f"expected a token in the settings, or host on loopback, got {host}")
    autoscaling = autoscaling or AutoscalingConfig(
        min_replicas=1, max_replicas=4, target_ongoing_requests=0.7 * settings.max_calls
    )
    target_calls = autoscaling.get_target_ongoing_requests()
    if not target_calls <= settings.max_calls:
        raise ValueError(
            f"expected target_ongoing_requests up to max_calls={settings.max_calls}, got {target_calls:g}"
        )
    policy = AutoscalingPolicy(policy_function=replicas_wanted)
    deployment = serve.deployment(
        **{
            "name": "gateway",
            "graceful_shutdown_wait_loop_s": 0.1,
            "graceful_shutdown_timeout_s": settings.drain_s + _CLOSING_S,
            "health_check_period_s": 2.0,
            **options,
            "autoscaling_config": autoscaling.model_copy(update={"policy": policy}),
        }
    )(GatewayReplica)
    return deployment.bind(new_session, settings, host, port)


def replicas_wanted(context: AutoscalingContext) -> tuple[float, dict[str, Any]]:
    """Ray's autoscaling policy: so many replicas that each has the calls it is to have.

    Ray's own counts requests that pass through its proxy, which calls do not.
    """
    calls = (context.aggregated_metrics or {}).get(_CALLS, {})
    return sum(calls.values()) / context.config.get_target_ongoing_requests(), {}


class GatewayReplica:
    """A gateway and its part of the machine's port, as Ray Serve wants a replica to be."""

    async def __init__(  # type: ignore[misc]  # Ray awaits it
        self, new_session: SessionFactory, settings: GatewaySettings, host: str, port: int
    ) -> None:
        app = create_app(new_session, settings)
        self._gateway = app[GATEWAY]
        self._exporter = _Exporter(self._gateway.metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        self._listener = Listener(self._runner, self._gateway, host, port)
        await self._listener.start()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What `replicas_wanted` goes by. Whenever Ray asks, it is told the metrics too."""
        self._exporter.export()
        return {_CALLS: self._gateway.num_calls}

    async def check_health(self) -> None:
        """Raises where this replica is to be replaced; runs on the loop of the calls."""
        self._listener.check()

    async def __del__(self) -> None:
        """Ray's word to stop: waits for the calls."""
        await self._gateway.drain()
        await self._listener.stop()
        await self._runner.cleanup()


class _Exporter:
    """Tells Ray's metrics what the gateway tells Prometheus, by the same names, all of them as gauges."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics
        self._gauges: dict[str, Gauge] = {}

    def export(self) -> None:
        for name, labels, value in self._metrics.samples():
            if name not in self._gauges:
                self._gauges[name] = Gauge(name, tag_keys=tuple(labels))
            self._gauges[name].set(value, tags=labels)
