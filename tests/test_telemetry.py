"""OpenTelemetry: what a session reports, and what it never does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support import EventLog, read_all, service, speak, speech
from voicelane import AzureVoiceLive, ReconnectPolicy, errors
from voicelane.simulator import Faults, Reply, Simulator, ToolCall
from voicelane.telemetry import OpenTelemetry

QUICK = ReconnectPolicy(first_delay_s=0.001, max_delay_s=0.002)
COMMON = {"gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "gpt-realtime"}


class Backend:
    """What was exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._meters = MeterProvider([self._reader])
        self.telemetry = OpenTelemetry(tracer_provider=self.tracers, meter_provider=self._meters)

    def spans(self, prefix: str) -> list[ReadableSpan]:
        return [s for s in self._exporter.get_finished_spans() if s.name.startswith(prefix)]

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data else ()
        scopes = [scope for resource in resources for scope in resource.scope_metrics]
        metrics = [metric for scope in scopes for metric in scope.metrics]
        return [point for m in metrics if m.name == name for point in m.data.data_points]

    def count(self, name: str) -> float:
        [point] = self.points(name)
        assert dict(point.attributes) == COMMON
        return float(point.value)

    def everything(self) -> str:
        return repr([s.to_json() for s in self.spans("")]) + repr(self._reader.get_metrics_data())


def model_for(sim: Simulator, backend: Backend, **arguments: Any) -> AzureVoiceLive:
    return AzureVoiceLive(
        endpoint=sim.endpoint,
        api_key=sim.api_key,
        model="gpt-realtime",
        telemetry=backend.telemetry,
        **arguments,
    )


async def test_a_spoken_turn_is_a_span_in_the_span_of_its_session() -> None:
    backend = Backend()
    pcm, _, _ = speech("question-48k-stereo.wav")
    began_s = time.monotonic()
    with backend.tracers.get_tracer("app").start_as_current_span("app") as app:
        async with Simulator(audio_speed=1000) as sim, model_for(sim, backend) as model:
            log = EventLog(model)
            assert backend.count("voicelane.sessions.active") == 1
            await speak(model, pcm[: len(pcm) // 4 * 4] + bytes(3840 * 50), chunk_bytes=3840)
            done = await log.wait_for("response_done")
            read_all(model)
            await log.wait_for("agent_speech_ended")
            session_id = model._session.session_id
            port = int(sim.endpoint.rpartition(":")[2])
    took_s = time.monotonic() - began_s
    [session] = backend.spans("voicelane.session")
    [response] = backend.spans("generate_content")
    assert (session.name, response.name) == (
        "voicelane.session gpt-realtime",
        "generate_content gpt-realtime",
    )
    assert session.parent == app.get_span_context()
    assert response.parent == session.context
    assert dict(session.attributes) == {
        **COMMON,
        "gen_ai.conversation.id": session_id,
        "server.address": "127.0.0.1",
        "server.port": port,
    }
    assert dict(response.attributes) == {
        **COMMON,
        "gen_ai.operation.name": "generate_content",
        "gen_ai.response.id": done["response_id"],
        "gen_ai.response.finish_reasons": ("completed",),
        "gen_ai.usage.input_tokens": done["usage"]["input_tokens"],
        "gen_ai.usage.output_tokens": done["usage"]["output_tokens"],
    }
    assert session.status.is_unset
    assert response.status.is_unset

    assert backend.count("voicelane.sessions.active") == 0
    assert backend.count("voicelane.audio.sent") == pytest.approx(7.54, abs=0.03)
    for name in ("audio.dropped", "errors", "reconnects"):
        assert backend.count(f"voicelane.{name}") == 0
    for name in ("time_to_first_audio", "time_to_first_heard"):
        [point] = backend.points(f"voicelane.response.{name}")
        assert (point.count, dict(point.attributes)) == (1, COMMON)
        assert 0 <= point.sum <= took_s, "seconds"
    tokens = backend.points("gen_ai.client.token.usage")
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in tokens} == {
        "input": done["usage"]["input_tokens"],
        "output": done["usage"]["output_tokens"],
    }
    [duration] = backend.points("gen_ai.client.operation.duration")
    span_s = (response.end_time - response.start_time) / 1e9
    assert span_s - 0.01 <= duration.sum <= took_s, "by another clock, and a little around the span"


async def test_a_tool_is_a_span_and_what_it_traces_a_part_of_it() -> None:
    backend = Backend()
    tracer = backend.tracers.get_tracer("app")

    async def look_up(secret: str) -> str:
        with tracer.start_as_current_span("http"):
            return "TOLD " + secret

    def fail(secret: str) -> str:
        trace.get_current_span().set_attribute("seen", True)
        raise RuntimeError(secret)

    script = [
        ToolCall("look_up", '{"secret": "HIDDEN"}'),
        Reply("SPOKEN"),
        ToolCall("fail", '{"secret": "HIDDEN"}'),
        Reply("SPOKEN"),
    ]
    async with (
        Simulator(audio_speed=1000, replies=script) as sim,
        model_for(sim, backend, tools=[look_up, fail]) as model,
    ):
        log = EventLog(model)
        for count in (1, 2):
            await model.send_text_message("ASKED")
            await log.wait_for("response_done", 2 * count)
    [session] = backend.spans("voicelane.session")
    found, failed = backend.spans("execute_tool")
    assert (found.name, failed.name) == ("execute_tool look_up", "execute_tool fail")
    assert found.parent == failed.parent == session.context
    assert backend.spans("http")[0].parent == found.context
    assert failed.attributes["seen"] is True, "on its thread, too"
    assert found.attributes["gen_ai.tool.name"] == "look_up"
    assert (
        found.attributes["gen_ai.tool.call.id"]
        == (log.all("realtime_model_function_executed")[0]["call_id"])
    )
    assert found.status.is_unset
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert failed.attributes["error.type"] == "tool_error"
    assert len(backend.spans("generate_content")) == 4
    told = backend.everything()
    for hidden in ("HIDDEN", "TOLD", "SPOKEN", "ASKED", sim.api_key):
        assert hidden not in told


async def test_a_loss_is_told_and_ends_the_response_that_it_cut() -> None:
    backend = Backend()
    faults = Faults(close_after_deltas=2, first_connections=1)
    async with Simulator(audio_speed=1000, faults=faults) as sim:
        async with model_for(sim, backend, reconnect=QUICK) as model:
            log = EventLog(model)
            await model.send_message("Welcome!")
            await log.wait_for("response_done")
        assert len(backend.spans("voicelane.session")) == 1
    [session] = backend.spans("voicelane.session")
    cut, whole = backend.spans("generate_content")
    assert cut.attributes["gen_ai.response.finish_reasons"] == ("incomplete",)
    assert cut.attributes["error.type"] == "incomplete"
    assert whole.status.is_unset
    [event] = session.events
    assert event.name == "voicelane.reconnecting"
    assert event.attributes["attempt"] == 1
    assert backend.count("voicelane.reconnects") == backend.count("voicelane.errors") == 1


async def test_a_session_that_cannot_be_made_or_kept_says_why() -> None:
    backend = Backend()
    async with Simulator(faults=Faults(refuse_with_status=401)) as sim:
        model = model_for(sim, backend, reconnect=QUICK)
        with pytest.raises(errors.AuthenticationError):
            await model.connect()
        sim.faults = Faults()
        await model.connect()
        await sim.connections[0].close(1008, "policy")
        await model.wait_closed()
        await model.aclose()
        await model.aclose()
    refused, lost = backend.spans("voicelane.session")
    assert refused.attributes["error.type"] == "AuthenticationError"
    assert lost.attributes["error.type"] == "ConnectionLostError"
    assert lost.status.status_code is trace.StatusCode.ERROR
    assert backend.count("voicelane.sessions.active") == 0
    assert backend.count("voicelane.errors") == 2


async def test_a_connect_that_is_cancelled_leaves_no_span_open() -> None:
    backend = Backend()

    async def silent(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        await websocket.receive()

    async with service(silent) as endpoint:
        model = AzureVoiceLive(
            model="gpt-realtime", endpoint=endpoint, api_key="key", telemetry=backend.telemetry
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await model.connect()
        [session] = backend.spans("voicelane.session")
        assert session.attributes["error.type"] == "CancelledError"
        await model.aclose()


async def test_what_users_emit_themselves_is_let_be() -> None:
    backend = Backend()
    model = AzureVoiceLive(model="gpt-realtime", api_key="key", telemetry=backend.telemetry)
    for event in ("response_done", "reconnecting", "error", "own"):
        for payload in (None, {}, 7, {"status": 1, "attempt": "x"}):
            model.emit(event, payload)
    assert backend.spans("") == []


def run(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_session_without_telemetry_imports_none_of_it() -> None:
    program = """
import sys
import voicelane
voicelane.AzureVoiceLive(model="m", api_key="key")
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""
    assert run(program).strip() == "[]"


def test_without_the_extra_the_import_says_what_to_install() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
import voicelane
try:
    import voicelane.telemetry
except ImportError as error:
    print(error)
"""
    assert "pip install 'voicelane[otel]'" in run(program)
