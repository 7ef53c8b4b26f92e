"""Settings of all tests."""

import pytest
from hypothesis import HealthCheck, settings

from clock import Clock

# The same examples in every run, however slow the machine.
settings.register_profile(
    "voicelane",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("voicelane")


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
