"""OpenTelemetry: traces and metrics of sessions, by the extra ``otel``.

    from voicelane.telemetry import OpenTelemetry

    telemetry = OpenTelemetry()                    # the global providers; one for all sessions
    model = AzureVoiceLive(model="gpt-realtime", telemetry=telemetry)

Names are those of the generative-AI semantic conventions, version 1.37 (status: development), where
they have one, and begin with ``voicelane.`` where they have none: docs/observability.md lists them. No
attribute holds what was said, what a tool was given or gave back, or a secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from .actions import CallFunction
from .observer import Observer, OnCallEnded

try:
    from opentelemetry import metrics, trace
except ImportError as error:
    raise ImportError(
        "voicelane.telemetry needs the extra: pip install 'voicelane[otel]'"
    ) from error

__all__ = ["OpenTelemetry"]

_SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
_PROVIDER = "azure.ai.openai"
_LATENCIES = {
    "first_audio": (
        "voicelane.response.time_to_first_audio",
        "From the end of the user's speech to the first audio of the answer",
    ),
    "first_heard": (
        "voicelane.response.time_to_first_heard",
        "From the end of the user's speech to the first audio handed to the listener",
    ),
    "silence": (
        "voicelane.interrupt.time_to_silence",
        "From an interrupt to the listener's next frame",
    ),
}
# The key in a session's counts, and how many of the unit one of it is.
_COUNTERS = {
    "audio_sent_ms": ("voicelane.audio.sent", "s", 1e-3, "Audio handed to the connection"),
    "audio_dropped_ms": (
        "voicelane.audio.dropped",
        "s",
        1e-3,
        "Audio that the network was too slow for",
    ),
    "errors": ("voicelane.errors", "{error}", 1, "Faults, each once"),
    "reconnects": (
        "voicelane.reconnects",
        "{reconnect}",
        1,
        "Connections made in place of another",
    ),
    "underruns": ("voicelane.playback.underruns", "{underrun}", 1, "Gaps within an answer"),
}
# 10 ms to 20 s, each twice the one before.
_BOUNDARIES_S = [0.01 * 2**n for n in range(12)]
_COUNTED_AT = frozenset({"response_done", "user_speech_ended", "error", "reconnected"})


class OpenTelemetry:
    """Where sessions report to; one for any number of them.

    Args:
        tracer_provider: makes the spans; default the global one.
        meter_provider: takes the metrics; default the global one.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self.tracer = trace.get_tracer(
            "voicelane", tracer_provider=tracer_provider, schema_url=_SCHEMA_URL
        )
        meter = metrics.get_meter(
            "voicelane", meter_provider=meter_provider, schema_url=_SCHEMA_URL
        )
        self.latencies = {
            key: meter.create_histogram(
                name, "s", about, explicit_bucket_boundaries_advisory=_BOUNDARIES_S
            )
            for key, (name, about) in _LATENCIES.items()
        }
        self.durations = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "From the beginning of a response, or of a tool's call, to its end",
            explicit_bucket_boundaries_advisory=_BOUNDARIES_S,
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of a response",
            explicit_bucket_boundaries_advisory=[4**n for n in range(14)],
        )
        self.counters = {
            key: (meter.create_counter(name, unit, about), scale)
            for key, (name, unit, scale, about) in _COUNTERS.items()
        }
        self.sessions = meter.create_up_down_counter(
            "voicelane.sessions.active", "{session}", "Sessions that are open"
        )

    def observe(
        self, model: str, endpoint: str, counts: Callable[[], Mapping[str, float]]
    ) -> Observer:
        """The observer of one session.

        Args:
            model: its model.
            endpoint: its URL; the host and the port are reported.
            counts: its counters so far: ``audio_sent_ms``, ``audio_dropped_ms``, ``errors``,
                ``reconnects`` and ``underruns``.
        """
        return _SessionObserver(self, model, endpoint, counts)


class _SessionObserver(Observer):
    def __init__(
        self,
        telemetry: OpenTelemetry,
        model: str,
        endpoint: str,
        counts: Callable[[], Mapping[str, float]],
    ) -> None:
        self._telemetry = telemetry
        self._counts = counts
        self._counted: Mapping[str, float] = {}
        self._session: trace.Span | None = None
        self._response: trace.Span | None = None
        self._response_began_s = 0.0
        self._model = model
        self._common = {"gen_ai.provider.name": _PROVIDER, "gen_ai.request.model": model}
        url = urlsplit(endpoint)
        port = url.port or (80 if url.scheme in ("ws", "http") else 443)
        self._server: dict[str, str | int] = {
            "server.address": url.hostname or "",
            "server.port": port,
        }

    def connecting(self) -> None:
        self._session = self._telemetry.tracer.start_span(
            f"voicelane.session {self._model}",
            kind=trace.SpanKind.CLIENT,
            attributes={**self._server, **self._common},
        )
        self._telemetry.sessions.add(1, self._common)

    def connected(self, session_id: str | None) -> None:
        self._end_response("incomplete")  # of the connection before
        if self._session is not None and session_id is not None:
            self._session.set_attribute("gen_ai.conversation.id", session_id)

    def response_begun(self, response_id: str | None) -> None:
        self._end_response("incomplete")
        if self._session is None:
            return
        self._response_began_s = time.monotonic()
        self._response = self._start_child("generate_content", self._model, trace.SpanKind.CLIENT)
        if response_id is not None:
            self._response.set_attribute("gen_ai.response.id", response_id)

    def emitted(self, event: str, payload: Any) -> None:
        match event, payload:
            case "response_done", {"status": str(status), "usage": usage}:
                self._end_response(status, usage)
            case "reconnecting", {"attempt": int(attempt), "delay_s": float(delay_s)}:
                self._end_response("incomplete")
                if self._session is not None:
                    attributes = {"attempt": attempt, "delay_s": delay_s}
                    self._session.add_event("voicelane.reconnecting", attributes)
        if event in _COUNTED_AT:
            self._count()

    def measured(self, latency: str, duration_s: float) -> None:
        self._telemetry.latencies[latency].record(duration_s, self._common)

    @contextmanager
    def calling(self, call: CallFunction) -> Iterator[OnCallEnded]:
        span = self._start_child("execute_tool", call.name, trace.SpanKind.INTERNAL)
        span.set_attributes(
            {
                "gen_ai.tool.name": call.name,
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": call.call_id,
            }
        )
        outcome: dict[str, str] = {"error.type": "cancelled"}  # until it is told

        def ended(is_error: bool) -> None:
            outcome.clear()
            if is_error:
                outcome["error.type"] = "tool_error"

        began_s = time.monotonic()
        try:
            # Current, so that what the tool itself traces is a part of it. What it raises is not noted:
            # the text may hold anything.
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield ended
        finally:
            _end(span, outcome)
            self._note_duration("execute_tool", began_s, outcome)

    def ended(self, error: BaseException | None) -> None:
        self._end_response("incomplete")
        session, self._session = self._session, None
        if session is None:
            return
        self._count()
        self._telemetry.sessions.add(-1, self._common)
        _end(session, {} if error is None else {"error.type": type(error).__qualname__})

    def _start_child(self, operation: str, name: str, kind: trace.SpanKind) -> trace.Span:
        parent = None if self._session is None else trace.set_span_in_context(self._session)
        attributes = {**self._common, "gen_ai.operation.name": operation}
        return self._telemetry.tracer.start_span(
            f"{operation} {name}", context=parent, kind=kind, attributes=attributes
        )

    def _end_response(self, status: str, usage: Any = None) -> None:
        span, self._response = self._response, None
        if span is None:
            return
        span.set_attribute("gen_ai.response.finish_reasons", (status,))
        for kind in ("input", "output"):
            count = usage.get(f"{kind}_tokens") if isinstance(usage, Mapping) else None
            if isinstance(count, int):
                span.set_attribute(f"gen_ai.usage.{kind}_tokens", count)
                operation = {"gen_ai.operation.name": "generate_content"}
                attributes = {**self._common, **operation, "gen_ai.token.type": kind}
                self._telemetry.tokens.record(count, attributes)
        outcome = {"error.type": status} if status in ("failed", "incomplete") else {}
        _end(span, outcome)
        self._note_duration("generate_content", self._response_began_s, outcome)

    def _note_duration(self, operation: str, began_s: float, outcome: Mapping[str, str]) -> None:
        attributes = {**self._common, "gen_ai.operation.name": operation, **outcome}
        self._telemetry.durations.record(time.monotonic() - began_s, attributes)

    def _count(self) -> None:
        counts = dict(self._counts())
        for key, (counter, scale) in self._telemetry.counters.items():
            counter.add((counts[key] - self._counted.get(key, 0)) * scale, self._common)
        self._counted = counts


def _end(span: trace.Span, outcome: Mapping[str, str]) -> None:
    if outcome:
        span.set_attributes(outcome)
        span.set_status(trace.StatusCode.ERROR, outcome["error.type"])
    span.end()
