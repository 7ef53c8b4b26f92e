"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import WSCloseCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .close_codes import CloseCode

_CODES = frozenset(map(int, (*CloseCode, *WSCloseCode)))


class GatewayMetrics:
    """The figures of one gateway, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.calls = Gauge(
            "voicelane_gateway_calls", "Calls that are open", registry=self._registry
        )
        self._ended = Counter(
            "voicelane_gateway_ended",
            "Connections ended, by code",
            ["code"],
            registry=self._registry,
        )
        audio_bytes = Counter(
            "voicelane_gateway_audio_bytes", "Audio bytes", ["way"], registry=self._registry
        )
        # Looked up once: they count 50 times a second for each call.
        self.bytes_in, self.bytes_out = audio_bytes.labels("in"), audio_bytes.labels("out")
        self.interrupts = Counter(
            "voicelane_gateway_interrupts", "Times an agent was cut off", registry=self._registry
        )
        self.first_audio = Histogram(
            "voicelane_gateway_first_audio_seconds",
            "End of the user's speech to the first audio sent",
            buckets=(0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
            registry=self._registry,
        )
        self.lateness = Histogram(
            "voicelane_gateway_lateness_seconds",
            "How late the audio of all calls was looked after, every 20 ms",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
            registry=self._registry,
        )

    def count_end(self, code: int) -> None:
        """A connection has ended with that close code."""
        # A client may close with any code, and each would stay as a series of its own.
        self._ended.labels(str(code) if code in _CODES else "other").inc()

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Name, labels and value of each line of `text`."""
        for family in self._registry.collect():
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self._registry)
