"""How a session begins and ends, and what it says where it cannot."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken, AzureKeyCredential

from ports import reserved_port
from session_talk import SILENCE, model_for
from support import (
    TIMEOUT_S,
    EventLog,
    read_all,
    service,
)
from voicelane import (
    AzureVoiceLive,
    AzureVoiceLiveConfig,
    AzureVoiceLiveSession,
    ReconnectPolicy,
    errors,
)
from voicelane.config import EchoCancellation
from voicelane.simulator import Faults, Simulator


async def test_connect_twice_gives_a_new_session() -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        first = model._session
        assert isinstance(first, AzureVoiceLiveSession)
        await model.send_text_message("before")
        await log.hear(model, 20, of_ms=100)
        await model.connect()
        assert model.session_ready
        assert model._session is not first
        assert all(task.done() for task in first.tasks)
        assert model.playback.buffered_ms == 0
        assert len(sim.connections) == 2
        done = len(log.all("response_done"))
        await model.send_text_message("after")
        await log.wait_for("response_done", done + 1)
        assert read_all(model)
        assert log.all("error") == []


async def test_close_is_idempotent_and_leaves_no_task() -> None:
    async with Simulator() as sim:
        before = asyncio.all_tasks()
        model = model_for(sim)
        await model.connect()
        log = EventLog(model)
        connection = model.connection
        assert type(connection).__name__ == "VoiceLiveConnection"
        await model.aclose()
        await model.aclose()
        assert not model.session_ready
        assert asyncio.all_tasks() <= before | {
            task for task in asyncio.all_tasks() if not ours(task)
        }
        await model.handle_audio_input(SILENCE)
        assert log.all("error") == []
        assert await model.wait_closed() is None
        with pytest.raises(errors.SessionNotReadyError, match="maximum retries"):
            await model.send_text_message("too late")


def ours(task: asyncio.Task[Any]) -> bool:
    return task.get_name().startswith(("azure-voice-live", "voicelane"))


async def test_a_lost_connection_is_one_error_with_its_code() -> None:
    faults = Faults(close_after_deltas=3, close_code=1011)
    never = ReconnectPolicy(max_attempts=0)
    async with (
        Simulator(audio_speed=1000, faults=faults) as sim,
        model_for(sim, reconnect=never) as model,
    ):
        log = EventLog(model)
        await model.send_text_message("tell me")
        lost = await model.wait_closed()
        assert isinstance(lost, errors.ConnectionLostError)
        assert (lost.code, lost.retryable) == (1011, True)
        for _ in range(50):
            await model.handle_audio_input(SILENCE)
        await model.flush_audio()
        assert log.all("error") == [str(lost)]
        assert "1011" in str(lost)
        # What had arrived is still there to be heard.
        assert len(read_all(model)) == 3 * 4800
        assert not model.session_ready


async def test_a_cut_cable_is_told_as_1006() -> None:
    faults = Faults(close_after_deltas=1, close_code=None)
    never = ReconnectPolicy(max_attempts=0)
    async with (
        Simulator(audio_speed=1000, faults=faults) as sim,
        model_for(sim, reconnect=never) as model,
    ):
        await model.send_text_message("tell me")
        lost = await model.wait_closed()
        assert lost is not None
        assert lost.code == 1006


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_name_the_variable_and_never_the_key(status: int) -> None:
    async with Simulator(faults=Faults(refuse_with_status=status)) as sim:
        model = model_for(sim, api_key="very-secret-key")
        log = EventLog(model)
        with pytest.raises(errors.AuthenticationError, match="AZURE_VOICE_LIVE_API_KEY") as caught:
            await model.connect()
        assert (caught.value.status, caught.value.retryable) == (status, False)
        assert log.all("error") == [f"Error connecting to Azure Voice Live API: {caught.value}"]
        assert "very-secret-key" not in repr(caught.value) + str(log.events) + repr(vars(model))
        await model.aclose()


async def test_a_wrong_key_is_refused_by_the_simulator_itself() -> None:
    async with Simulator() as sim:
        with pytest.raises(errors.AuthenticationError):
            await model_for(sim, api_key="wrong").connect()


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (429, True), (503, True)])
async def test_other_refusals_say_their_status(status: int, retryable: bool) -> None:
    async with Simulator(faults=Faults(refuse_with_status=status)) as sim:
        with pytest.raises(errors.ConnectError, match=f"HTTP {status}") as caught:
            await model_for(sim).connect()
        assert not isinstance(caught.value, errors.AuthenticationError)
        assert (caught.value.status, caught.value.retryable) == (status, retryable)


async def test_nobody_there_is_told_with_the_variable_to_check() -> None:
    with reserved_port() as port:
        model = AzureVoiceLive(model="m", endpoint=f"ws://127.0.0.1:{port}", api_key="key")
        with pytest.raises(
            errors.ConnectError, match=r"cannot reach 127.0.0.1.*AZURE_VOICE_LIVE_ENDPOINT"
        ):
            await model.connect()


async def test_an_endpoint_that_never_answers_is_a_timeout_and_leaks_nothing() -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    hung_up = asyncio.Event()
    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        model = AzureVoiceLive(
            model="m", endpoint=f"ws://127.0.0.1:{port}", api_key="key", connect_timeout_s=0.2
        )
        with pytest.raises(errors.ConnectTimeoutError, match=r"did not answer within 0.2 s"):
            await model.connect()
        await asyncio.wait_for(hung_up.wait(), TIMEOUT_S)
        gc.collect()  # an unclosed client session would warn, and a warning fails the test


async def test_a_service_that_says_nothing_is_not_ready_in_time() -> None:
    async def say_nothing(websocket: web.WebSocketResponse) -> None:
        model._connect_timeout_s = 0.01  # from here on: it was for the connection, too
        await websocket.receive()
        await websocket.receive()

    async with service(say_nothing) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        with pytest.raises(errors.SessionNotReadyError, match="did not become ready in time"):
            await model.connect()
        assert isinstance(errors.SessionNotReadyError(), RuntimeError)
        assert model.connection is None


async def test_settings_that_the_service_refuses_fail_the_connect() -> None:
    async def refuse(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()
        details = {
            "type": "invalid_request_error",
            "code": "bad_voice",
            "message": "No such voice.",
        }
        await websocket.send_json({"type": "error", "error": details})
        await websocket.receive()

    async with service(refuse) as endpoint:
        model = AzureVoiceLive(model="m", endpoint=endpoint, api_key="key")
        with pytest.raises(errors.ServiceError, match=r"No such voice\.") as caught:
            await model.connect()
        assert caught.value.code == "bad_voice"


@pytest.mark.parametrize(
    ("pcm", "said"),
    [
        (b"\x00" * 5, "whole number of frames of 4 bytes"),
        ("text", "expected bytes or a C-contiguous buffer"),
    ],
)
async def test_bad_audio_is_an_error_event_and_nothing_more(pcm: Any, said: str) -> None:
    async with Simulator() as sim, model_for(sim) as model:
        log = EventLog(model)
        await model.handle_audio_input(pcm)
        assert [said in text for text in log.all("error")] == [True]
        await model.handle_audio_input(SILENCE)
        await model.flush_audio()
        assert log.all("error") == log.all("error")[:1]


class TestCredentials:
    async def test_a_sync_token_credential_does_not_block_the_loop(self) -> None:
        class Sync:
            def get_token(self, *scopes: str, **_: Any) -> AccessToken:
                assert scopes == ("https://ai.azure.com/.default",)
                with pytest.raises(RuntimeError):
                    asyncio.get_running_loop()  # not on the loop's thread
                return AccessToken("simulator-token", 0)

        async with Simulator() as sim:
            model = AzureVoiceLive(model="m", endpoint=sim.endpoint, credential=Sync())
            async with model:
                assert model.session_ready

    async def test_an_async_token_credential_is_awaited(self) -> None:
        class Async:
            async def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
                return AccessToken("simulator-token", 0)

            async def close(self) -> None: ...

            async def __aenter__(self) -> Any: ...

            async def __aexit__(self, *_: object) -> None: ...

        async with Simulator() as sim:
            model = AzureVoiceLive(model="m", endpoint=sim.endpoint, credential=Async())
            async with model:
                assert model.session_ready

    def test_the_argument_wins_over_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AZURE_VOICE_LIVE_API_KEY", "from-environment")
        monkeypatch.setenv("AZURE_VOICE_LIVE_ENDPOINT", "wss://from.environment")
        given = AzureKeyCredential("given")
        assert AzureVoiceLive(model="m", credential=given, api_key="key").credential is given
        assert AzureVoiceLive(model="m", api_key="key").credential.key == "key"
        model = AzureVoiceLive(model="m")
        assert (model.credential.key, model.endpoint) == (
            "from-environment",
            "wss://from.environment",
        )

    def test_without_any_the_default_chain_and_endpoint_are_taken(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AZURE_VOICE_LIVE_API_KEY", raising=False)
        monkeypatch.delenv("AZURE_VOICE_LIVE_ENDPOINT", raising=False)
        model = AzureVoiceLive(model="m")
        assert type(model.credential).__name__ == "DefaultAzureCredential"
        assert type(model.credential).__module__.startswith("azure.identity.aio")
        assert model.endpoint == "wss://api.voicelive.com/v1"

    async def test_the_default_chain_is_made_anew_for_who_connects_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Chain:
            is_closed = False

            async def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
                assert not self.is_closed  # as azure-identity's, which gives none then
                return AccessToken("simulator-token", 0)

            async def close(self) -> None:
                self.is_closed = True

        monkeypatch.delenv("AZURE_VOICE_LIVE_API_KEY", raising=False)
        monkeypatch.setattr("azure.identity.aio.DefaultAzureCredential", Chain)
        async with Simulator() as sim:
            model = AzureVoiceLive(model="m", endpoint=sim.endpoint)
            for _ in range(2):
                async with model:
                    chain = model.credential
                assert chain.is_closed
        assert len(sim.connections) == 2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"transport": "carrier-pigeon"}, "transport"),
        ({"connect_timeout_s": 0}, "connect_timeout_s"),
        ({"chunk_ms": 0}, "chunk_ms"),
        ({"chunk_ms": 101}, "chunk_ms"),
        ({"input_sample_rate_hz": 7}, "source_rate_hz"),
        ({"input_channels": 0}, "num_channels"),
        (
            {
                "config": AzureVoiceLiveConfig(
                    input_audio_echo_cancellation=EchoCancellation(
                        reference_source="client", channels=2
                    )
                )
            },
            "input_audio_echo_cancellation",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        AzureVoiceLive(model="m", api_key="key", **arguments)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'model'"):
        AzureVoiceLive(api_key="key")  # type: ignore[call-arg]
