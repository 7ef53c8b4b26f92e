"""Settings of all tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

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
        "test_config_changes",
        "test_leaks",
        "test_logs",
        "test_reconnect",
        "test_recordings",
        "test_session",
        "test_telemetry",
        "test_tool_calls",
        "test_transport_faults",
        "test_transport_frames",
        "test_transport_options",
        "test_transport_tls",
        "test_turns",
        "test_update_session",
    )
)
# What azure-ai-voicelive's own transport cannot do.
ON_THE_ENGINE = frozenset(("test_transport_fork", "test_transport_proxy"))


@pytest.fixture
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the transport that every session of the test takes."""
    name: str = request.param
    monkeypatch.setenv("VOICELANE_TRANSPORT", name)
    return name


@pytest.fixture
async def bystander(transport: str) -> AsyncIterator[None]:
    """Another session of the process talks meanwhile, and nothing is left of either."""
    async with nothing_left(), neighbour():
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    is_async = metafunc.function.__code__.co_flags & 0x80
    module = metafunc.module.__name__
    if module in ON_BOTH_TRANSPORTS | ON_THE_ENGINE and is_async:
        if "transport" not in metafunc.fixturenames:
            metafunc.fixturenames.append("transport")
        names = ["native"] if module in ON_THE_ENGINE else ["sdk", "native"]
        metafunc.parametrize("transport", names, indirect=True)
