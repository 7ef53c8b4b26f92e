"""A session that fails tells nobody its key, token, query, headers or proxy password (SECURITY.md)."""

from __future__ import annotations

import asyncio
import base64
import copy
import gc
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from azure.core.credentials import AccessToken

from certificates import Authority
from ports import reserved_port
from raw_server import Peer, close_frame, raw_server
from support import OLD_CLIENT, TIMEOUT_S, EventLog
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, MCPServer, ReconnectPolicy, errors
from voicelane.logs import keep_frames_out

# Each with letters that base64 and percent-encoding change, and of no length that they leave alone.
KEY = "k3y+5/e1f=q?"
TOKEN = "t0k/77+aa=z"
PASSWORD = "pa55/w+rd"
CODE = "c0de&42/+e?"
SECRETS = {"key": KEY, "token": TOKEN, "password": PASSWORD, "code": CODE}
ONCE = ReconnectPolicy(max_attempts=0)


def spellings(secret: str) -> set[str]:
    """The secret as it is, percent-encoded, and in base64 wherever in a longer text it begins."""
    raw = secret.encode()
    found = {secret, repr(secret)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret)}
    for lead in range(3):
        text = base64.b64encode(bytes(lead) + raw).decode()
        # Without the letters that depend on what stands beside it.
        found.add(text[lead and lead + 1 : len(text) - (4 if (lead + len(raw)) % 3 else 0)])
    return found


def assert_untold(told: str) -> None:
    for name, secret in SECRETS.items():
        for spelling in spellings(secret):
            at = told.find(spelling)
            assert at < 0, f"the {name} is told: {told[max(0, at - 300) : at + 60]}"


class Told(logging.Handler):
    """What comes out of a session: records of every logger at DEBUG, errors with their variables, reprs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self._formatter = logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{self._formatter.format(record)} {record.__dict__!r}")

    def error(self, error: BaseException) -> None:
        printed = traceback.TracebackException.from_exception(error, capture_locals=True)
        self.texts += [*printed.format(), str(error), repr(error), repr(vars(error))]
        self.texts.append(repr(pickle.dumps(error)))

    def session(self, model: AzureVoiceLive) -> None:
        for one in (model, model.config, model._keeper, model._link, model._session):
            self.texts += [repr(one), str(one)]
        own = {name: value for name, value in vars(model).items() if name != "endpoint"}
        self.texts += [repr(own), repr(model.stats())]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> Iterator[Told]:
    """What is told in a test, held against the secrets at its end."""
    handler, root = Told(), logging.getLogger()
    client = logging.getLogger("azure.ai.voicelive.aio._patch")
    level, client_level = root.level, client.level
    keep_frames_out()  # which SECURITY.md asks for
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    gc.collect()  # what is never awaited or closed says so
    root.removeHandler(handler)
    root.setLevel(level)
    client.setLevel(client_level)
    said = capfd.readouterr()
    told = "\n".join([*handler.texts, said.out, said.err, *(str(one.message) for one in recwarn)])
    assert len(told) > 1000
    assert_untold(told)


class Token:
    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(TOKEN, 2**40)


class AsyncToken:
    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(TOKEN, 2**40)


class Raises:
    """A token credential with a fault of its own."""

    def __init__(self, error: Exception) -> None:
        self._secret = TOKEN
        self._error = error

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        raise self._error


WHO: dict[str, Callable[[], dict[str, Any]]] = {
    "key": lambda: {"api_key": KEY},
    "token": lambda: {"credential": Token()},
    "async token": lambda: {"credential": AsyncToken()},
}


def model_for(endpoint: str, **arguments: Any) -> AzureVoiceLive:
    config = AzureVoiceLiveConfig(query={"code": CODE}, headers={"x-code": CODE})
    server = MCPServer("crm", "https://crm.example/mcp", authorization=CODE)
    arguments = {"config": config, "reconnect": ONCE, "tools": [server], **arguments}
    endpoint = endpoint if "://" in endpoint else f"ws://{endpoint}"
    return AzureVoiceLive(model="m", endpoint=endpoint, **arguments)


def echo_of(head: str) -> str:
    """All that the client said, as a careless server repeats it."""
    return " ".join([*SECRETS.values(), *head.split("\r\n")])


def answering(status: str) -> Callable[[Peer], Awaitable[None]]:
    """Refuses with that status, in a body and in headers that repeat the request."""

    async def refuse(peer: Peer) -> None:
        echo = echo_of(await peer.request())
        body = echo.encode()
        head = [
            f"HTTP/1.1 {status} {KEY}",
            f"Content-Length: {len(body)}",
            f"WWW-Authenticate: Bearer realm={echo}",
            f"Location: ws://127.0.0.1:9/{quote(KEY)}",
            f"Retry-After: {KEY}",
        ]
        await peer.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await peer.gone()

    return refuse


async def fails_to_connect(told: Told, model: AzureVoiceLive) -> BaseException:
    log = EventLog(model)
    with pytest.raises(errors.ConnectError) as caught:
        await model.connect()
    told.error(caught.value)
    told.texts += [repr(event) for event in log.events]
    told.session(model)
    await model.aclose()
    return caught.value


@pytest.mark.parametrize("who", WHO.values(), ids=WHO)
@pytest.mark.parametrize("status", ["401", "403", "400", "429", "503", "302", "200"])
async def test_refused(
    told: Told, transport: str, status: str, who: Callable[[], dict[str, Any]]
) -> None:
    if status == "302" and transport == "sdk" and OLD_CLIENT:
        pytest.skip("azure-ai-voicelive before 1.3 follows it: docs/transports.md")
    async with raw_server(answering(status)) as host:
        error = await fails_to_connect(told, model_for(host, **who()))
    assert getattr(error, "status", None) == int(status)


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n", b""], ids=str
)
async def test_answered_with_something_else(told: Told, said: bytes) -> None:
    async def babble(peer: Peer) -> None:
        await peer.request()
        await peer.send(said)

    async with raw_server(babble) as host:
        await fails_to_connect(told, model_for(host, api_key=KEY))


async def test_nobody_answers(told: Told) -> None:
    async with raw_server(Peer.gone) as host:
        await fails_to_connect(
            told, model_for(host, api_key=KEY, connect_timeout_s=TIMEOUT_S / 100)
        )
    with reserved_port() as port:
        await fails_to_connect(told, model_for(f"127.0.0.1:{port}", api_key=KEY))


async def test_secrets_in_the_endpoint(told: Told) -> None:
    where = f"user:{quote(PASSWORD, safe='')}@voice.test/path?code={quote(CODE, safe='')}"
    await fails_to_connect(told, model_for(f"ws://{where}", api_key=KEY))
    async with raw_server(answering("401")) as host:
        endpoint = f"ws://{where.replace('voice.test', host)}"
        await fails_to_connect(told, model_for(endpoint, api_key=KEY))


async def test_a_key_that_is_no_header(told: Told) -> None:
    async with raw_server(answering("401")) as host:
        model = model_for(host, api_key=f"{KEY}\r\nx: y")
        with pytest.raises((errors.ConnectError, ValueError)) as caught:
            await model.connect()
        told.error(caught.value)
        told.session(model)
        await model.aclose()


async def test_who_is_not_trusted(told: Told, tmp_path: Path) -> None:
    tls = Authority(tmp_path).server("127.0.0.1")
    async with raw_server(answering("200"), tls=tls) as host:
        await fails_to_connect(told, model_for(f"wss://{host}", api_key=KEY))


@pytest.mark.parametrize("status", ["407 Authenticate", "502 Bad Gateway"])
async def test_a_proxy_with_a_password(
    told: Told, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    async with raw_server(answering(status)) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{quote(PASSWORD, safe='')}@{address}")
        model = model_for("wss://voice.invalid", api_key=KEY, connect_timeout_s=TIMEOUT_S)
        await fails_to_connect(told, model)


@pytest.mark.parametrize("error", [RuntimeError("no"), OSError("no"), KeyError("no")], ids=repr)
async def test_a_credential_that_raises(told: Told, error: Exception) -> None:
    async with raw_server(answering("401")) as host:
        failed = await fails_to_connect(told, model_for(host, credential=Raises(error)))
        # Nobody was asked: the server would wait for a client for ever.
        _, writer = await asyncio.open_connection(*host.split(":"))
        writer.close()
    assert isinstance(failed, errors.AuthenticationError)
    assert str(failed) == f"no token for {host}: {type(error).__name__}: {error}"


@asynccontextmanager
async def open_session(
    told: Told, behave: Callable[[Peer], Awaitable[None]]
) -> AsyncIterator[AzureVoiceLive]:
    """A session that the server accepts, then does that to."""

    async def serve(peer: Peer) -> None:
        await peer.accept()
        await behave(peer)

    async with raw_server(serve) as host:
        model = model_for(host, api_key=KEY)
        log = EventLog(model)
        async with model:
            yield model
            told.session(model)
        told.texts += [repr(event) for event in log.events]
        told.session(model)


async def test_lost(told: Told) -> None:
    async def close(peer: Peer) -> None:
        await peer.send(close_frame(1011, b"over"))
        await peer.gone()

    async with open_session(told, close) as model:
        lost = await model.wait_closed()
        assert lost is not None
        told.error(lost)


async def test_a_session_is_neither_pickled_nor_copied(told: Told) -> None:
    async with open_session(told, Peer.gone) as model:
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError) as caught:
                take(model)
            told.error(caught.value)
        await model.aclose()


def test_what_is_refused_at_once(told: Told) -> None:
    for wrong in ({"chunk_ms": 0}, {"connect_timeout_s": -1}, {"transport": "x"}, {"tools": [1]}):
        with pytest.raises((TypeError, ValueError)) as caught:
            model_for("ws://127.0.0.1", api_key=KEY, **wrong)
        # From where voicelane begins: what the caller has in hand is the caller's.
        own = caught.value.__traceback__.tb_next.tb_next  # type: ignore[union-attr]
        told.error(caught.value.with_traceback(own))
    for settings in ({"headers": {"x y": CODE}}, {"headers": {"x": 3, "y": CODE}}):
        with pytest.raises((TypeError, ValueError)) as caught:
            AzureVoiceLiveConfig(**settings)  # type: ignore[arg-type]
        told.texts += [str(caught.value), repr(caught.value)]
    told.texts.append("." * 1000)


def test_the_config_that_is_kept_keeps_no_key_and_shows_none() -> None:
    config = AzureVoiceLiveConfig(query={"code": CODE}, headers={"x-code": CODE})
    assert_untold(repr(config) + repr(copy.deepcopy(config)))
    # What it was given it has: a pickle of it is for those who may know.
    assert pickle.loads(pickle.dumps(config)) == config


def test_it_would_be_seen() -> None:
    for secret in SECRETS.values():
        for said in (
            secret,
            quote(secret),
            *(base64.b64encode(b"a" * n + secret.encode()).decode() for n in range(4)),
        ):
            with pytest.raises(AssertionError, match="is told"):
                assert_untold(f"before {said} after")
