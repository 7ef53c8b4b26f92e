"""TLS: who is trusted, who is not, and how that is told."""

from __future__ import annotations

import asyncio
import ssl
import sys
import textwrap
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from raw_server import TEXT, Peer, frame, raw_server
from support import TIMEOUT_S, EventLog, environment, read_all, refusal, reply_pcm, secretive, until
from voicelane import AzureVoiceLive, errors
from voicelane.simulator import Simulator

pytestmark = pytest.mark.usefixtures("bystander")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def session(sim: Simulator, **arguments: Any) -> AzureVoiceLive:
    return AzureVoiceLive(model="m", endpoint=sim.endpoint, api_key=sim.api_key, **arguments)


async def talk(model: AzureVoiceLive, sim: Simulator) -> None:
    """A turn of each side, heard to the last sample."""
    log = EventLog(model)
    await model.handle_audio_input(bytes(3840) * 10)
    await model.send_text_message("hello")
    await log.wait_for("response_done")
    assert read_all(model) == reply_pcm(0)
    await until(lambda: sim.connections[-1].audio_bytes == 9600)
    assert log.all("error") == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_whole_conversation(authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.server("127.0.0.1")
    context.minimum_version = context.maximum_version = version
    async with Simulator(audio_speed=1000, ssl_context=context) as sim:
        assert sim.endpoint.startswith("wss://")
        async with session(sim, ca_file=str(authority.file)) as model:
            await talk(model, sim)


async def test_the_name_may_be_an_address_of_ipv6(authority: Authority) -> None:
    context = authority.server("::1")
    async with (
        Simulator(audio_speed=1000, ssl_context=context, host="::1") as sim,
        session(sim, ca_file=authority.file) as model,
    ):
        await talk(model, sim)


def old_tls(authority: Authority) -> ssl.SSLContext:
    context = authority.server("127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def another(tmp_path: Path) -> Authority:
    (tmp_path / "another").mkdir()
    return Authority(tmp_path / "another")


# What asyncio makes of a server that breaks off the handshake.
_RESET = "ConnectionResetError (check AZURE_VOICE_LIVE_ENDPOINT)"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)

UNTRUSTED: dict[str, Any] = {
    "another host": lambda ours, _: ours.server("elsewhere.test"),
    "another address": lambda ours, _: ours.server("127.0.0.2"),
    "expired": lambda ours, _: ours.server(
        "127.0.0.1", not_before=NOW - 2 * DAY, not_after=NOW - DAY
    ),
    "not yet valid": lambda ours, _: ours.server(
        "127.0.0.1", not_before=NOW + DAY, not_after=NOW + 2 * DAY
    ),
    "of another authority": lambda _, path: another(path).server("127.0.0.1"),
    "self-signed": lambda _, path: another(path).itself(),
    "TLS 1.1": lambda ours, _: old_tls(ours),
}


@pytest.mark.parametrize("made_by", UNTRUSTED.values(), ids=UNTRUSTED)
async def test_who_cannot_be_trusted_hears_nothing(
    made_by: Any, authority: Authority, tmp_path: Path
) -> None:
    heard: list[str] = []

    async def listen(peer: Peer) -> None:
        heard.append(await peer.request())

    async with raw_server(listen, tls=made_by(authority, tmp_path)) as host:
        error = await refusal(secretive(f"wss://{host}", ca_file=authority.file))
    assert type(error) is errors.ConnectError
    assert "TLS: " in str(error) or str(error).endswith(_RESET)
    assert heard == []


async def test_nobody_unknown_is_trusted_without_being_told_to(authority: Authority) -> None:
    async with raw_server(Peer.gone, tls=authority.server("127.0.0.1")) as host:
        error = await refusal(secretive(f"wss://{host}"))
        assert str(error).startswith(f"cannot connect to {host}: TLS: ")


NO_CERTIFICATES = {
    "missing": None,
    "empty": b"",
    "no PEM": b"hello",
    "binary": bytes(range(256)),
    "cut off": b"-----BEGIN CERTIFICATE-----\nMIIB",
    "no certificate": b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
    "garbage in it": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("content", NO_CERTIFICATES.values(), ids=NO_CERTIFICATES)
async def test_a_bad_ca_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    error = await refusal(secretive("wss://127.0.0.1:9", ca_file=file))
    assert f"ca_file: expected PEM certificates in {file}, got " in str(error)


async def test_a_server_without_tls_is_an_error(authority: Authority) -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(plain) as host:
        error = await refusal(secretive(f"wss://{host}", ca_file=authority.file))
        assert host in str(error)
        assert error.status is None


async def test_a_silent_server_has_its_time_and_no_more(authority: Authority) -> None:
    async with raw_server(Peer.gone) as host:
        model = secretive(f"wss://{host}", ca_file=authority.file, connect_timeout_s=TIMEOUT_S / 50)
        assert isinstance(await refusal(model), errors.ConnectTimeoutError)


async def test_an_end_without_a_goodbye_is_a_loss(authority: Authority) -> None:
    async def vanish(peer: Peer) -> None:
        await peer.accept()
        await peer.send(frame(TEXT, b'{"type":"input_audio_buffer.speech_started"}'))
        await peer.receive()
        peer.reset()

    async with raw_server(vanish, tls=authority.server("127.0.0.1")) as host:
        model = secretive(f"wss://{host}", ca_file=authority.file)
        log = EventLog(model)
        async with model:
            await log.wait_for("user_speech_started")
            await model.clear_audio()
            lost = await model.wait_closed()
    assert lost is not None
    assert (lost.code, lost.retryable) == (1006, True)


async def test_ssl_cert_file_names_whom_to_trust(authority: Authority, transport: str) -> None:
    program = """
        import asyncio, sys
        from voicelane import AzureVoiceLive
        async def main():
            model = AzureVoiceLive(model="m", endpoint=sys.argv[1], api_key="simulator-key")
            async with model:
                print("open")
        asyncio.run(main())
    """
    async with Simulator(ssl_context=authority.server("127.0.0.1")) as sim:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", textwrap.dedent(program), sim.endpoint),
            env=environment(SSL_CERT_FILE=str(authority.file)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(TIMEOUT_S * 3):
            said, _ = await child.communicate()
        assert said == b"open\n"
