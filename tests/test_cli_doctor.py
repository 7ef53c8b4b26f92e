"""`voicelane doctor`: what it finds, what it advises, and what it ends with."""

from __future__ import annotations

import argparse
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from certificates import Authority
from cli_support import API_KEY, calling, voicelane
from support import TIMEOUT_S, deaf_port, service
from voicelane import __version__, errors
from voicelane.cli import ExitCode
from voicelane.cli.doctor import Report
from voicelane.cli.doctor.advice import advice
from voicelane.cli.doctor.check import Check
from voicelane.cli.doctor.endpoint import check_endpoint
from voicelane.cli.doctor.installation import Installation
from voicelane.cli.service import Service
from voicelane.simulator import Faults, Simulator

ARGS = argparse.Namespace(model="m", connect_timeout=TIMEOUT_S, allow_insecure=False)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of the tests says."""
    monkeypatch.setenv("NO_PROXY", "*")


async def checks_of(endpoint: str, api_key: str = API_KEY) -> dict[str, Check]:
    found = await check_endpoint(Service(endpoint, api_key), ARGS)
    assert not any(check.exit_code for check in found[:-1]), "it goes on after a failure"
    for check in found:
        assert API_KEY not in "".join(check.lines())
    return {check.name: check for check in found}


async def test_all_is_well() -> None:
    ended = await voicelane("doctor", "--simulator", "--json")
    assert (ended.exit_code, ended.stderr) == (ExitCode.OK, "")
    report = json.loads(ended.stdout)
    assert [check["name"] for check in report["checks"]] == ["packages", "dns", "tcp", "session"]
    assert report["endpoint"].startswith("ws://127.0.0.1:")
    installation = report["installation"]
    assert installation["build"]["version"] == __version__
    assert installation["build"]["rustc"].startswith("rustc 1.")
    assert installation["instruction_set"] in ("portable", "sse2", "avx2", "avx512", "neon")
    assert set(installation["packages"]) == {"aiohttp", "azure-ai-voicelive", "azure-identity"}
    assert all(installation["packages"].values())
    assert set(installation["extras"]["cli"]) == {"rich", "soundfile"}


async def test_without_an_endpoint_it_tells_of_the_installation() -> None:
    ended = await voicelane("doctor")
    assert (ended.exit_code, ended.stderr) == (ExitCode.OK, "")
    assert f"voicelane            {__version__}, release, " in ended.stdout
    assert "no endpoint: set AZURE_VOICE_LIVE_ENDPOINT, or try --simulator" in ended.stdout


async def test_an_endpoint_without_a_key() -> None:
    ended = await voicelane("doctor", "--endpoint", "wss://voice.test")
    assert ended.exit_code == ExitCode.NO_CREDENTIAL
    assert "FAIL settings" in ended.stdout
    assert "set AZURE_VOICE_LIVE_API_KEY, or --credential default" in ended.stdout


async def test_a_transport_that_there_is_not() -> None:
    ended = await voicelane("doctor", VOICELANE_TRANSPORT="pigeon")
    assert (ended.exit_code, "pigeon" in ended.error) == (ExitCode.USAGE, True)


async def test_a_secret_in_the_url_is_not_shown() -> None:
    async with Simulator(api_key=API_KEY) as sim:
        endpoint = sim.endpoint.replace("//", f"//user:{API_KEY}@") + f"?code={API_KEY}"
        ended = await voicelane("doctor", **calling(endpoint))  # which looks for the key
        assert ended.exit_code == ExitCode.OK, ended.stdout
        assert f" {sim.endpoint}\n" in ended.stdout


@pytest.mark.parametrize(
    ("status", "exit_code", "advised"),
    [
        (400, ExitCode.REFUSED, "check --model"),
        (401, ExitCode.REFUSED, "a key of this very resource"),
        (403, ExitCode.REFUSED, "--credential default"),
        (404, ExitCode.REFUSED, "https://NAME.services.ai.azure.com"),
        (418, ExitCode.REFUSED, "something else than Voice Live"),
        (429, ExitCode.REFUSED, "quota of new connections or tokens is used up: wait 7 s"),
        (503, ExitCode.REFUSED, "a fault of the service: wait 7 s and try again"),
    ],
)
async def test_a_refusal_has_its_advice(status: int, exit_code: ExitCode, advised: str) -> None:
    faults = Faults(refuse_with_status=status, retry_after_s=7)
    async with Simulator(faults=faults) as sim:
        session = (await checks_of(sim.endpoint))["session"]
    assert session.exit_code == exit_code
    assert f"HTTP {status}" in session.detail
    assert advised in session.advice


@pytest.mark.parametrize(
    ("error", "advised"),
    [
        (errors.AuthenticationError("no", status=401), "az login --tenant"),
        (errors.AuthenticationError("no", status=403), "Cognitive Services User"),
        (errors.ConnectError("no", status=429), "is used up: wait, or ask"),
        (errors.ServiceError("no such model"), "check --model"),
        (errors.ConnectionLostError(1008), "hangs up"),
    ],
)
def test_who_is_signed_in_is_advised_otherwise(error: Any, advised: str) -> None:
    assert advised in advice(error, Service("wss://voice.test", None))


async def test_a_wrong_key() -> None:
    async with Simulator(api_key="the right one") as sim:
        session = (await checks_of(sim.endpoint))["session"]
    assert session.exit_code == ExitCode.REFUSED
    assert "check AZURE_VOICE_LIVE_API_KEY" in session.detail


async def test_a_service_that_hangs_up() -> None:
    async with service(lambda websocket: websocket.close(code=1011)) as endpoint:
        session = (await checks_of(endpoint))["session"]
    assert session.exit_code == ExitCode.CONNECTION_LOST
    assert "hangs up" in session.advice


async def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_options: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    checks = await checks_of("wss://voice.test")
    assert [*checks] == ["dns"]
    assert checks["dns"].exit_code == ExitCode.NO_ANSWER
    assert checks["dns"].detail == "voice.test: Name or service not known"
    assert "DNS" in checks["dns"].advice


async def test_nobody_at_the_port() -> None:
    with deaf_port() as port:
        checks = await checks_of(f"ws://127.0.0.1:{port}")
    assert [*checks] == ["dns", "tcp"]
    assert checks["tcp"].exit_code == ExitCode.NO_ANSWER
    assert "firewall" in checks["tcp"].advice


async def test_a_port_without_tls() -> None:
    async with Simulator() as sim:
        tls = (await checks_of(sim.endpoint.replace("ws:", "wss:")))["tls"]
    assert tls.exit_code == ExitCode.NO_ANSWER
    assert "speak TLS?" in tls.advice


async def test_a_certificate_and_its_trust(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server("127.0.0.1")
    async with Simulator(api_key=API_KEY, ssl_context=context) as sim:
        tls = (await checks_of(sim.endpoint))["tls"]
        assert tls.exit_code == ExitCode.NO_ANSWER
        assert "SSL_CERT_FILE" in tls.advice
        # Another process: this one has read its roots perhaps.
        trusted = {"SSL_CERT_FILE": str(authority.file), **calling(sim.endpoint)}
        ended = await voicelane("doctor", **trusted)
    assert ended.exit_code == ExitCode.OK, ended.stdout
    assert "TLSv1.3, certificate until " in ended.stdout


async def test_through_a_proxy_the_session_alone_is_tried() -> None:
    with deaf_port() as port:
        proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NO_PROXY": ""}
        ended = await voicelane("doctor", "--json", **proxy, **calling("wss://voice.test"))
    assert ended.exit_code == ExitCode.NO_ANSWER
    packages, session = json.loads(ended.stdout)["checks"]
    assert (packages["name"], session["name"]) == ("packages", "session")
    assert "proxy" in session["detail"]


def test_a_package_that_is_missing() -> None:
    here = Installation.here()
    missing = replace(here, packages={**here.packages, "aiohttp": None}).check()
    assert missing.exit_code == ExitCode.MISSING_EXTRA
    assert missing.detail == "not installed: aiohttp"
    report = Report(here, checks=[here.check(), missing])
    assert report.exit_code == ExitCode.MISSING_EXTRA
    assert "FAIL packages        not installed: aiohttp\n" in str(report)


def test_an_extra_that_is_missing() -> None:
    here = replace(Installation.here(), extras={"cli": {"rich": "14.0", "soundfile": None}})
    assert ("[cli]", "rich 14.0, soundfile not installed: pip install 'voicelane[cli]'") in [
        *here.lines()
    ]
    assert here.check().exit_code == ExitCode.OK
