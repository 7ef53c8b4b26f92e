"""pytest fixtures: a simulator that runs, and a session that is connected to it.

    pytest_plugins = ["voicelane.simulator.pytest_plugin"]  # in the topmost conftest.py

No entry point of pytest: it would load voicelane in every run of everybody who has it installed.
Async tests need pytest-asyncio; where that is not installed, anyio's plugin runs the fixtures.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voicelane import AzureVoiceLive
    from voicelane.simulator import Simulator

_fixture: Callable[..., Any]
try:
    from pytest_asyncio import fixture as _fixture
except ImportError:
    _fixture = pytest.fixture


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line(
        "markers",
        "voice_scenario(scenario=None, **arguments): what `voice_simulator` serves: a scenario, or its "
        "file beside the test; the arguments are those of Simulator.",
    )


@_fixture
async def voice_simulator(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    """A simulator on a free port; at the end, clients must have done what its scenario expects."""
    from voicelane.simulator import Scenario, Simulator

    marker = request.node.get_closest_marker("voice_scenario")
    arguments = {"audio_speed": math.inf, **(marker.kwargs if marker else {})}
    scenario = marker.args[0] if marker and marker.args else None
    if scenario is not None:
        is_file = not isinstance(scenario, Scenario)
        arguments["scenario"] = request.path.parent / scenario if is_file else scenario
    async with Simulator(**arguments) as simulator:
        yield simulator
    simulator.check()


@_fixture
async def voice_session(voice_simulator: Simulator) -> AsyncIterator[AzureVoiceLive]:
    """A session that is connected to `voice_simulator`."""
    from voicelane import AzureVoiceLive

    session = AzureVoiceLive(
        model="gpt-realtime", endpoint=voice_simulator.endpoint, api_key=voice_simulator.api_key
    )
    async with session:
        yield session
    connection = voice_simulator.connections[-1]
    await connection.wait_until(lambda one: one.close_code is not None)
