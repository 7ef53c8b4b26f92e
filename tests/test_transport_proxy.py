"""HTTP proxies between the engine and the service. (azure-ai-voicelive's own connect knows none.)"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from certificates import Authority
from ports import reserved_port
from raw_server import Peer, raw_server
from support import TIMEOUT_S, EventLog, read_all, refusal, reply_pcm, secretive
from voicelane import AzureVoiceLive, errors
from voicelane.simulator import Simulator

pytestmark = [
    pytest.mark.parametrize("transport", ["native"], indirect=True),
    pytest.mark.usefixtures("bystander"),
]

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
# No name server knows it (RFC 6761, 6.2): only a proxy can lead there.
HOST = "voice.test"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


class Proxy:
    """Leads every CONNECT to one server, whatever its name; notes what was asked for."""

    def __init__(self, endpoint: str) -> None:
        self.asked: list[str] = []
        self._port = int(endpoint.rpartition(":")[2])

    async def lead(self, peer: Peer) -> None:
        self.asked.append(await peer.request())
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(peer._reader, writer))
                both.create_task(_copy(reader, peer._writer))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()


async def talk(model: AzureVoiceLive) -> None:
    log = EventLog(model)
    async with model:
        await model.send_text_message("hello")
        await log.wait_for("response_done")
        assert read_all(model) == reply_pcm(0)
        assert log.all("error") == []


def session(sim: Simulator, host: str = HOST, ca: Path | None = None) -> AzureVoiceLive:
    """A session with the simulator by another name."""
    endpoint = sim.endpoint.replace("127.0.0.1", host)
    arguments = {"model": "m", "api_key": sim.api_key, "ca_file": ca}
    return AzureVoiceLive(endpoint=endpoint, allow_insecure=True, **arguments)


@asynccontextmanager
async def behind_a_proxy() -> AsyncIterator[tuple[Simulator, Proxy, str]]:
    async with Simulator(audio_speed=1000) as sim:
        proxy = Proxy(sim.endpoint)
        async with raw_server(proxy.lead) as address:
            yield sim, proxy, address


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
async def test_a_proxy_of_the_environment_leads_there(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind_a_proxy() as (sim, proxy, address):
        monkeypatch.setenv(variable, f"http://{address}")
        await talk(session(sim))
        (head,) = proxy.asked
        destination = f"{HOST}:{sim.endpoint.rpartition(':')[2]}"
        assert head.startswith(f"CONNECT {destination} HTTP/1.1\r\n")
        assert "proxy-authorization" not in head.lower()
        # What is for the service is for nobody on the way.
        assert sim.api_key not in head


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_tls_is_with_the_service_and_not_with_the_proxy(
    scheme: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Simulator(audio_speed=1000, ssl_context=authority.server(HOST)) as sim:
        proxy = Proxy(sim.endpoint)
        tls = authority.server("127.0.0.1") if scheme == "https" else None
        async with raw_server(proxy.lead, tls=tls) as address:
            monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://{address}")
            await talk(session(sim, ca=authority.file))
            error = await refusal(
                secretive(session(sim, "another.test").endpoint, ca_file=authority.file)
            )
            assert "TLS: " in str(error)
            assert len(proxy.asked) == 2


async def test_a_proxy_is_told_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    async with behind_a_proxy() as (sim, proxy, address):
        monkeypatch.setenv("HTTP_PROXY", f"http://user:p%40ss@{address}")
        await talk(session(sim))
        credentials = base64.b64encode(b"user:p@ss").decode()
        assert f"proxy-authorization: basic {credentials.lower()}" in proxy.asked[0].lower()


@pytest.mark.parametrize(
    "status", ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"]
)
async def test_a_proxy_that_refuses_is_an_error(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.request()
        await peer.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    async with raw_server(refuse) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:s3cret@{address}")
        error = await refusal(secretive(f"wss://{HOST}"))
        # It is the proxy's refusal, not the service's.
        assert type(error) is errors.ConnectError
        assert error.status is None
        assert str(error).startswith(f"cannot connect to {HOST}: the proxy {address} refused: ")


@pytest.mark.parametrize("said", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200"])
async def test_a_proxy_that_speaks_something_else_is_an_error(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def babble(peer: Peer) -> None:
        await peer.request()
        await peer.send(said)

    async with raw_server(babble) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        error = await refusal(secretive(f"wss://{HOST}"))
        assert address in str(error)


async def test_no_proxy_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with reserved_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = await refusal(secretive(f"wss://{HOST}"))
    assert f"127.0.0.1:{port}" in str(error)
    assert "Connection refused" in str(error)


async def test_a_proxy_that_hangs_has_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(Peer.gone) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        model = secretive(f"wss://{HOST}", connect_timeout_s=TIMEOUT_S / 50)
        assert isinstance(await refusal(model), errors.ConnectTimeoutError)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
async def test_socks_is_refused(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:s3cret@127.0.0.1:1080")
    error = await refusal(secretive(f"wss://{HOST}"))
    assert f"expected a proxy of http or https, got {scheme}" in str(error)


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [
        ("voice.test", "voice.test"),
        ("voice.test", "elsewhere.test, .test"),
        ("a.voice.test", "voice.test"),
        ("192.0.2.1", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.1"),
        ("voice.test", "*"),
    ],
)
async def test_no_proxy_is_honoured(
    host: str, no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind_a_proxy() as (sim, proxy, address):
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        monkeypatch.setenv("NO_PROXY", no_proxy)
        # Nobody is there: what counts is that the proxy is not asked.
        away = {"allow_insecure": True, "connect_timeout_s": TIMEOUT_S / 50}
        model = secretive(session(sim, host).endpoint, **away)
        await refusal(model)
        assert proxy.asked == []
        monkeypatch.setenv("NO_PROXY", "elsewhere.test,198.51.100.0/24,voice")
        await talk(session(sim, host))
        assert len(proxy.asked) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_itself_is_never_asked_for_at_a_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind_a_proxy() as (sim, proxy, address):
        monkeypatch.setenv("ALL_PROXY", f"http://{address}")
        await talk(session(sim, host))
        assert proxy.asked == []
