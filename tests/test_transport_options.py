"""What is said when connecting: the URL, the headers, the token's scope. Through a real socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest
from azure.ai.voicelive.aio import connect
from azure.core.credentials import AccessToken, AzureKeyCredential

from support import TIMEOUT_S, beside_client_1_3, refusal, secretive
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, PlaybackBuffer, config, errors
from voicelane.simulator import Simulator
from voicelane.simulator.connection import Connection
from voicelane.transport import ConnectOptions, Transport, choose, open_transport
from voicelane.transport.handshake import is_insecure

AGENT = {
    "agent_name": "clerk",
    "project_name": "desk",
    "agent_version": "3",
    "conversation_id": "conv 1",
    "authentication_identity_client_id": "id",
}


def options(
    sim: Simulator, *, model: str = "gpt-realtime", credential: Any = None, **settings: Any
) -> ConnectOptions:
    """As a session makes them of its configuration."""
    given = AzureVoiceLiveConfig(**settings)
    return ConnectOptions(
        sim.endpoint,
        model,
        credential or AzureKeyCredential(sim.api_key),
        TIMEOUT_S,
        query=given.connect_query(model),
        headers=given.headers,
        credential_scopes=given.credential_scopes,
    )


async def connected(options: ConnectOptions) -> Transport:
    return await open_transport(choose("auto"), options, PlaybackBuffer())


async def said(sim: Simulator, **settings: Any) -> Connection:
    """What the service got of a connection with these settings."""
    transport = await connected(options(sim, **settings))
    await transport.close()
    return sim.connections[-1]


def query_of(connection: Connection) -> dict[str, str]:
    query = dict(connection._request.query)
    query.pop("x-ms-client-sdk", None)
    return query


async def clients_own(sim: Simulator, **arguments: Any) -> dict[str, str]:
    """The URL's parameters as azure-ai-voicelive writes them by itself."""
    credential = AzureKeyCredential(sim.api_key)
    async with connect(endpoint=sim.endpoint, credential=credential, **arguments):
        return query_of(sim.connections[-1])


async def test_without_settings_the_client_says_what_it_always_does() -> None:
    async with Simulator() as sim:
        query = query_of(await said(sim))
        theirs = await clients_own(sim, model="gpt-realtime")
        # An older client asks for a service that does not know all settings.
        theirs["api-version"] = max(theirs["api-version"], "2026-07-15")
        assert query == theirs
        assert set(query) == {"api-version", "model"}


@beside_client_1_3
@pytest.mark.parametrize("agent", [AGENT, config.FoundryAgent(**AGENT)])
@pytest.mark.parametrize("model", ["", "gpt-4.1"])
async def test_an_agent_is_named_as_the_client_names_it(agent: Any, model: str) -> None:
    async with Simulator() as sim:
        ours = await said(sim, model=model, agent=agent, foundry_resource_override="elsewhere")
        theirs = await clients_own(
            sim, model=model or None, foundry_resource_override="elsewhere", **AGENT
        )
        assert query_of(ours) == theirs
        assert ("model" in theirs) is bool(model)


async def test_the_profile_and_the_version_of_the_service_are_in_the_url() -> None:
    async with Simulator() as sim:
        connection = await said(
            sim,
            model="my-deployment",
            byom_profile="byom-azure-openai-chat-completion",
            foundry_resource_override="elsewhere",
            api_version="2026-06-01-preview",
        )
        assert query_of(connection) == {
            "api-version": "2026-06-01-preview",
            "model": "my-deployment",
            "profile": "byom-azure-openai-chat-completion",
            "foundry-resource-override": "elsewhere",
        }


async def test_a_second_channel_for_the_echo_is_announced_in_the_url() -> None:
    echo = config.EchoCancellation(reference_source="client", channels=2)
    async with Simulator() as sim:
        query = query_of(await said(sim, input_audio_echo_cancellation=echo))
        assert query["features"] == "client_ec_reference:true"
        query = query_of(await said(sim, input_audio_echo_cancellation=config.EchoCancellation()))
        assert "features" not in query


async def test_more_parameters_win_and_arrive_as_they_were() -> None:
    odd = {"x": "a b&c=d+ü", "model": "other", "empty": ""}
    async with Simulator() as sim:
        query = query_of(await said(sim, query=odd, api_version="2026-04-10"))
        assert query == {**odd, "api-version": "2026-04-10"}


async def test_headers_arrive_and_win() -> None:
    async with Simulator() as sim:
        headers: Mapping[str, str] = (await said(sim))._request.headers
        assert headers["api-key"] == sim.api_key
        connection = await said(sim, headers={"x-call": "7", "User-Agent": "me"})
        assert connection._request.headers["x-call"] == "7"
        assert connection._request.headers.getall("User-Agent") == ["me"]
        with pytest.raises(errors.AuthenticationError):
            await said(sim, headers={"api-key": "another"})


@pytest.mark.parametrize(
    ("scopes", "asked"),
    [
        (None, ("https://ai.azure.com/.default",)),
        ("https://one/.default", ("https://one/.default",)),
        (["https://one/.default", "b"], ("https://one/.default", "b")),
    ],
)
async def test_the_token_is_asked_for_these_scopes(scopes: Any, asked: tuple[str, ...]) -> None:
    seen: list[tuple[str, ...]] = []

    class Credential:
        def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            seen.append(scopes)
            return AccessToken("simulator-token", 0)

    async with Simulator() as sim:
        await said(sim, credential=Credential(), credential_scopes=scopes)
        assert seen == [asked]


async def test_a_session_says_all_of_it() -> None:
    settings = AzureVoiceLiveConfig(
        agent=AGENT, api_version="2026-06-01-preview", query={"x": "1"}, headers={"x-call": "7"}
    )
    async with Simulator() as sim:
        model = AzureVoiceLive(
            model="", endpoint=sim.endpoint, api_key=sim.api_key, config=settings
        )
        async with model:
            connection = sim.connections[-1]
            assert query_of(connection) == settings.connect_query("")
            assert connection._request.headers["x-call"] == "7"
            assert "instructions" not in connection.received[0]["session"]


async def test_no_secret_is_in_the_options_repr_or_in_a_refusal() -> None:
    async with Simulator(api_key="other") as sim:
        secret = "s3cret"
        given = options(
            sim,
            credential=AzureKeyCredential(secret),
            headers={"x": secret},
            query={"agent-access-token": secret},
        )
        with pytest.raises(errors.AuthenticationError) as caught:
            await connected(given)
        assert secret not in repr(given) + str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "is_open"),
    [
        ("ws://voice.test", True),
        ("http://voice.test:8080/path", True),
        ("HTTP://voice.test", True),
        ("ws://192.0.2.1", True),
        ("ws://0.0.0.0", True),
        ("ws://localhost.voice.test", True),
        ("ws://127.0.0.1.voice.test", True),
        ("ws://127.0.0.1@voice.test", True),
        ("ws://[2001:db8::1]:80", True),
        ("wss://voice.test", False),
        ("https://192.0.2.1", False),
        ("ws://127.0.0.1:1", False),
        ("ws://127.8.9.10", False),
        ("ws://LOCALHOST:80", False),
        ("http://[::1]:80", False),
    ],
)
def test_what_another_machine_gets_without_tls_is_known(endpoint: str, is_open: bool) -> None:
    assert is_insecure(endpoint) is is_open


async def test_a_key_leaves_this_machine_encrypted_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))
    error = await refusal(secretive("ws://voice.test"))
    assert str(error) == (
        "endpoint: expected wss:// to voice.test, got ws://, which shows the credentials to the network: "
        "allow_insecure=True allows it"
    )


async def test_it_may_be_allowed_to_send_a_key_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server knows the host: it is asked for, and that is as far as it gets."""
    monkeypatch.setenv("NO_PROXY", "*")
    error = await refusal(secretive("ws://voice.invalid", allow_insecure=True))
    assert "allow_insecure" not in str(error)
    assert "voice.invalid" in str(error)


@pytest.mark.parametrize("endpoint", ["", "voice.test", "ftp://voice.test", "ws://", "ws://[::1"])
async def test_what_is_no_endpoint_is_refused_alike(endpoint: str) -> None:
    model = AzureVoiceLive(model="m", endpoint=endpoint or " ", api_key="x")
    with pytest.raises(errors.ConnectError, match="endpoint: expected https://HOST or wss://HOST"):
        await model.connect()
