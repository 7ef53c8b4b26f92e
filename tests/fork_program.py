"""A process that forks while a session is open; run by test_transport_fork.py. Arguments: how, endpoint."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import warnings

import pytest

from support import EventLog, read_all, reply_pcm
from voicelane import AzureVoiceLive, errors

# Python 3.12 warns of forks beside any thread. The engine's are made for it.
warnings.simplefilter("ignore", DeprecationWarning)


async def turn(model: AzureVoiceLive, number: int = 0) -> None:
    log = EventLog(model)
    await model.handle_audio_input(bytes(3840))
    await model.send_text_message("hello")
    await log.wait_for("response_done")
    assert read_all(model) == reply_pcm(number)
    assert log.all("error") == []


async def talk(endpoint: str) -> None:
    async with AzureVoiceLive(model="m", endpoint=endpoint, api_key="simulator-key") as model:
        await turn(model)


def work(endpoint: str) -> None:
    asyncio.run(talk(endpoint))


async def in_child(inherited: AzureVoiceLive, endpoint: str) -> None:
    await talk(endpoint)
    for use in (lambda: inherited.send_text_message("hello"), inherited.connect):
        with pytest.raises(errors.SessionNotReadyError, match="forked from"):
            await use()
    # What never raises does nothing.
    await inherited.handle_audio_input(bytes(3840))
    await inherited.flush_audio()
    await inherited.interrupt()
    await inherited.aclose()


def fork(inherited: AzureVoiceLive, endpoint: str) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        asyncio.run(in_child(inherited, endpoint))
        code = 0
    finally:
        os._exit(code)


async def main(how: str, endpoint: str) -> None:
    async with AzureVoiceLive(model="m", endpoint=endpoint, api_key="simulator-key") as model:
        await turn(model)
        if how == "os.fork":
            child = fork(model, endpoint)
            waiting = asyncio.to_thread(os.waitpid, child, 0)
        else:
            process = multiprocessing.get_context(how).Process(target=work, args=(endpoint,))
            process.start()
            waiting = asyncio.to_thread(process.join)
        waited = asyncio.create_task(waiting)
        # It goes on beside the child, and after it.
        for number in (1, 2):
            await turn(model, number)
        status = await waited
        code = process.exitcode if status is None else os.waitstatus_to_exitcode(status[1])
        assert code == 0, f"the child ended with {code}"
        await turn(model, 3)
        assert model.stats()["reconnects"] == 0


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
