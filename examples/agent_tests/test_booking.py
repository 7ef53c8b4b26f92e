"""Tests of an agent: its tool and its conversation, with a simulator that follows a script.

pytest examples/agent_tests
"""

from __future__ import annotations

import pytest

from voicelane import AzureVoiceLive
from voicelane.simulator import Simulator


@pytest.mark.asyncio
@pytest.mark.voice_scenario("../scenarios/booking.yaml")
async def test_a_table_is_booked(voice_session: AzureVoiceLive, voice_simulator: Simulator) -> None:
    booked: list[int] = []

    def find_table(guests: int) -> str:
        booked.append(guests)
        return "table 7"

    connection = voice_simulator.connections[0]
    await voice_session.update_session(tools=[find_table])
    await voice_session.send_text_message("I would like a table for four.")
    await connection.wait_until(lambda one: one.sent["response.done"] == 1)
    await voice_session.send_text_message("Tonight, please.")
    await connection.wait_until(
        lambda one: one.sent["response.done"] == 3
    )  # the call, and after it
    assert booked == [4]
    # What the scenario expects of the client is checked when the test has ended.
