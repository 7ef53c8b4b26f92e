"""In the topmost conftest.py: the fixtures `voice_simulator` and `voice_session`."""

pytest_plugins = ["voicelane.simulator.pytest_plugin"]
