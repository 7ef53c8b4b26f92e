"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# The same examples in every run, however slow the machine.
settings.register_profile(
    "voicelane",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("voicelane")
