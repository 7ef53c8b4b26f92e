"""The engine beside forks, other event loops, several loops, and at the end of the process."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import TIMEOUT_S, EventLog, environment, read_all, reply_pcm, speak, speech, until
from voicelane import AzureVoiceLive
from voicelane.simulator import Simulator

TRANSPORTS = ["sdk", "native"]
HERE = Path(__file__).parent


async def run(*arguments: str, transport: str = "native") -> tuple[int | None, str]:
    """The exit code and the words of a process of Python's."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment(VOICELANE_TRANSPORT=transport, PYTHONPATH=str(HERE)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(3 * TIMEOUT_S):
            said, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        raise
    return child.returncode, said.decode()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)
@pytest.mark.parametrize("how", ["os.fork", "fork", "spawn"])
async def test_a_child_has_sessions_of_its_own_and_the_parents_go_on(
    how: str, transport: str
) -> None:
    async with Simulator(audio_speed=1000) as sim:
        program = str(HERE / "fork_program.py")
        assert await run(program, how, sim.endpoint, transport=transport) == (0, "")
        assert len(sim.connections) == 2
        # Of the parent's nothing is lost, and nothing of the child's is in it.
        assert [one.audio_bytes for one in sim.connections] == [4 * 960, 960]


WAYS_OUT = {
    "the loop ends": "asyncio.run(connect())",
    "the program says so": "asyncio.run(exit_within())",
    "in a thread": "threading.Thread(target=asyncio.run, args=[stay()], daemon=True).start(); ready.wait()",
}


@pytest.mark.parametrize("way_out", WAYS_OUT.values(), ids=WAYS_OUT)
async def test_who_leaves_without_closing_leaves_at_once_and_in_peace(way_out: str) -> None:
    program = """
        import asyncio, sys, threading
        from voicelane import AzureVoiceLive

        models, ready = [], threading.Event()

        async def connect():
            for _ in range(10):
                model = AzureVoiceLive(model="m", endpoint=sys.argv[1], api_key="simulator-key")
                await model.connect()
                await model.handle_audio_input(bytes(3840))
                await model.send_text_message("hello")
                models.append(model)
            ready.set()

        async def exit_within():
            await connect()
            sys.exit()

        async def stay():
            await connect()
            await asyncio.Event().wait()
    """
    async with Simulator() as sim:
        text = textwrap.dedent(program) + way_out
        assert await run("-c", text, sim.endpoint) == (0, "")
        assert len(sim.connections) == 10


# --- event loops ---------------------------------------------------------------------------------

SPEECH_FRAME_BYTES = 1920


async def converse(transport: str, host: str = "127.0.0.1") -> None:
    """Connect, talk, barge in, close."""
    pcm, _, _ = speech("barge-in-48k-mono.wav")
    async with Simulator(audio_speed=20, host=host) as sim:
        model = AzureVoiceLive(
            model="m",
            endpoint=sim.endpoint,
            api_key=sim.api_key,
            transport=transport,  # type: ignore[arg-type]
            input_channels=1,
        )
        log = EventLog(model)
        async with model:
            await model.send_text_message("hello")
            await log.wait_for("response_done")
            assert read_all(model) == reply_pcm(0)
            await model.send_text_message("And now?")
            await log.hear(model, 200, of_ms=500)
            await speak(model, pcm, chunk_bytes=SPEECH_FRAME_BYTES)
            await log.wait_for("user_speech_started")
            received = sim.connections[0].received
            await until(lambda: any("audio_end_ms" in event for event in received))
            (heard_ms,) = [event["audio_end_ms"] for event in received if "audio_end_ms" in event]
            assert heard_ms == 200
        assert log.all("error") == []
        assert log.all("closed") == [{"error": None}]


def on_a_loop_of(factory: Callable[[], asyncio.AbstractEventLoop], transport: str) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await converse(transport)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(within_time())


@pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)
def test_sessions_on_uvloop(transport: str) -> None:
    uvloop = pytest.importorskip("uvloop")
    on_a_loop_of(uvloop.new_event_loop, transport)


@pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)
def test_loops_in_two_threads_at_once(transport: str) -> None:
    uvloop = pytest.importorskip("uvloop")
    loops = [asyncio.new_event_loop, uvloop.new_event_loop]
    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(on_a_loop_of, loop, transport) for loop in loops]:
            done.result()


@pytest.mark.parametrize("transport", TRANSPORTS, indirect=True)
async def test_ipv6(transport: str) -> None:
    await converse(transport, "::1")
