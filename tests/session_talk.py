"""The session that tests begin with."""

from __future__ import annotations

from typing import Any

from voicelane import (
    AzureVoiceLive,
)
from voicelane.simulator import Simulator

SILENCE = bytes(960 * 4)


def model_for(sim: Simulator, **arguments: Any) -> AzureVoiceLive:
    arguments = {"api_key": sim.api_key, "model": "gpt-realtime", **arguments}
    return AzureVoiceLive(endpoint=sim.endpoint, **arguments)
