from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from harness import IS_1

from support import TIMEOUT_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "videosdk_agent.py"
SAID = """\
[starting]
[idle]
[speaking]
agent: Welcome! How can I help?
get_weather('Oslo')
agent: The sky over Oslo is clear.
[idle]
[closing]
goodbye
"""


@pytest.mark.skipif(not IS_1, reason="it is written for 1.x")
async def test_the_agent_greets_calls_its_tool_and_answers() -> None:
    run = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(3 * TIMEOUT_S):
        out, err = await run.communicate()
    assert run.returncode == 0, err.decode()
    assert out.decode() == SAID
