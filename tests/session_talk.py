"""The session that tests begin with."""

from __future__ import annotations

from typing import Any

from support import reply_pcm
from voicelane import AzureVoiceLive
from voicelane.simulator import Reply, Simulator

SILENCE = bytes(960 * 4)
# Still being sent, also at 20 times the pace of speech, when a machine that stood still goes on.
ENDLESS = Reply("And so on.", 60 * reply_pcm(0))


def model_for(sim: Simulator, **arguments: Any) -> AzureVoiceLive:
    arguments = {"api_key": sim.api_key, "model": "gpt-realtime", **arguments}
    return AzureVoiceLive(endpoint=sim.endpoint, **arguments)
