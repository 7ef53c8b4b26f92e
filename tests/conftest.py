"""Settings of all tests."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from clock import Clock
from neighbour import neighbour, nothing_left

# The same examples in every run, however slow the machine.
settings.register_profile(
    "voicelane",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("voicelane")

# What is tested here holds on every transport.
ON_BOTH_TRANSPORTS = frozenset(
    (
        "test_config",
        "test_faults_matrix",
        "test_faults_memory",
        "test_faults_random",
        "test_leaks",
        "test_logs",
        "test_many",
        "test_reconnect",
        "test_secrets",
        "test_recordings",
        "test_session",
        "test_session_connect",
        "test_telemetry",
        "test_tool_barge_in",
        "test_tool_calls",
        "test_tool_faults",
        "test_tool_mcp",
        "test_transport_faults",
        "test_transport_frames",
        "test_transport_options",
        "test_transport_tls",
        "test_turns",
        "test_update_session",
    )
)


@pytest.fixture(autouse=True)
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The name of the transport that every session of the test takes; None where that is left open."""
    name: str | None = getattr(request, "param", None)
    if name is not None:
        monkeypatch.setenv("VOICELANE_TRANSPORT", name)
    return name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    is_async = metafunc.function.__code__.co_flags & inspect.CO_COROUTINE
    if metafunc.module.__name__ in ON_BOTH_TRANSPORTS and is_async:
        metafunc.parametrize("transport", ["sdk", "native"], indirect=True)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
async def bystander(transport: str) -> AsyncIterator[None]:
    """Another session of the process talks meanwhile, and nothing is left of either."""
    async with nothing_left(), neighbour():
        yield


# --- what scripts/reliability is made of ---------------------------------------------------------

_passed: list[dict[str, Any]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", type=Path, help="writes what passed, and what was recorded")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed.append({"test": report.nodeid, **dict(report.user_properties)})


def pytest_sessionfinish(session: pytest.Session) -> None:
    path: Path | None = session.config.getoption("--reliability")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_passed, indent=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was printed may hold half a character, which xdist does not carry."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report
