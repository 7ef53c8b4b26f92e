"""The engine of the native transport, as its process sees it."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Iterator

import pytest

from left_behind import threads
from support import TIMEOUT_S, environment, until
from voicelane import AzureVoiceLive, configure_engine
from voicelane.simulator import Simulator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc/self/task")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    configure_engine(threads=1)


def engine_threads() -> list[str]:
    return sorted(name for name in threads() if name.startswith("voicelane-"))


async def test_it_has_as_many_threads_as_were_asked_for_and_none_without_sessions() -> None:
    configure_engine(threads=3)
    async with Simulator() as sim:
        models = [
            AzureVoiceLive(
                model="m", endpoint=sim.endpoint, api_key=sim.api_key, transport="native"
            )
            for _ in range(4)
        ]
        for model in models:
            await model.connect()
        # A thread gives itself its name.
        await until(lambda: engine_threads() == ["voicelane-0", "voicelane-1", "voicelane-2"])
        with pytest.raises(RuntimeError, match="got an engine that runs"):
            configure_engine(threads=2)
        configure_engine(threads=3)  # which it has
        for model in models:
            await model.handle_audio_input(bytes(3840))
            await model.flush_audio()
            assert model.stats()["audio_sent_ms"] == 20
            await model.aclose()
        await until(lambda: engine_threads() == [])


@pytest.mark.parametrize("left", [1, 3, 5, 6, 8])
async def test_without_descriptors_there_is_a_clear_error(left: int) -> None:
    program = f"""
        import asyncio, os, resource, sys
        from voicelane import AzureVoiceLive, errors
        async def main():
            model = AzureVoiceLive(model="m", endpoint=sys.argv[1], api_key="simulator-key")
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            taken = []
            try:
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                pass
            for descriptor in taken[len(taken) - {left} :]:
                os.close(descriptor)
            try:
                await model.connect()
                print("connected")
            except errors.ConnectError as error:
                print(error)
            await model.aclose()
        asyncio.run(main())
    """
    async with Simulator() as sim:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), sim.endpoint),
            env=environment(VOICELANE_TRANSPORT="native"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(3 * TIMEOUT_S):
            said, _ = await child.communicate()
    assert child.returncode == 0
    is_enough = left >= 6  # two of the mailbox, three of the engine, the socket
    assert (said == b"connected\n") is is_enough
    assert (b"Too many open files" in said) is not is_enough


@pytest.mark.parametrize("threads", [0, -1, 65])
def test_a_number_out_of_range_is_refused(threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads: expected 1 to 64, got {threads}"):
        configure_engine(threads=threads)
