"""The gateway on Ray Serve, two replicas on this machine: `make test-ray`."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from aiohttp import ClientSession, ClientWebSocketResponse
from ray import serve
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ReplicaState

from g711 import DECODERS
from gateway_support import SAID, Browser, voiced
from ports import reserved_port
from support import TIMEOUT_S, until
from test_gateway_phone import Bridge, in_g711
from voicelane import AzureVoiceLive
from voicelane.gateway import CallRequest, GatewaySettings
from voicelane.gateway.ray_serve import application
from voicelane.simulator import Reply, Simulator
from voicelane.simulator.formats import OUTPUT_FORMATS

# Of a replica: a Python process that imports Ray and voicelane.
START_S = 6 * TIMEOUT_S
NAME = "calls"
LAW = "g711_ulaw"
SILENT = in_g711(bytes(320), LAW, 8_000)
OF_TWO_CALLS = r"ray_voicelane_gateway_calls\{.*replica=.*\} 2\.0"


@pytest.fixture(scope="module")
def cluster() -> Iterator[int]:
    """Ray on this machine, and Serve without its proxies; gives the port of Ray's metrics."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        metrics_port = free.getsockname()[1]
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _metrics_export_port=metrics_port,
    )
    serve.start(proxy_location="Disabled")
    yield metrics_port
    serve.shutdown()
    ray.shutdown()


class Cluster:
    """The application, and who calls it."""

    def __init__(
        self, sim: Simulator, url: str, http: ClientSession, stack: AsyncExitStack
    ) -> None:
        self.sim = sim
        self.url = url
        self._http = http
        self._stack = stack

    async def call(self) -> Call:
        """A call that has begun."""
        browser = Browser(await self._connected("ws"))
        await browser.hello()
        # The newest connection of the simulator is this call's: they are made one after another.
        return Call(browser, self._replica(len(self.sim.connections) - 1))

    async def telephone(self) -> Bridge:
        """A call by telephone that has begun: its media reaches the service."""
        bridge = Bridge(await self._connected("media-stream"))
        await bridge.start()
        async with asyncio.timeout(TIMEOUT_S):
            while not (self.sim.connections and self.sim.connections[-1].audio):
                await bridge.media(SILENT)  # what comes before the session is there is dropped
                await asyncio.sleep(0.02)
        return bridge

    async def _connected(self, path: str) -> ClientWebSocketResponse:
        return await self._stack.enter_async_context(self._http.ws_connect(f"{self.url}/{path}"))

    def _replica(self, index: int) -> int:
        received = self.sim.connections[index].received
        return int(received[0]["session"]["instructions"])

    async def replicas(self, count: int, timeout_s: float = START_S) -> float:
        """Waits until so many run. Returns how long that took."""
        began_s = time.monotonic()
        async with asyncio.timeout(timeout_s):
            while self.states()[ReplicaState.RUNNING] != count:  # noqa: ASYNC110 - Ray tells nobody
                await asyncio.sleep(0.05)
        return time.monotonic() - began_s

    @staticmethod
    def states() -> Counter[ReplicaState]:
        deployments = serve.status().applications[NAME].deployments
        return Counter(deployments["gateway"].replica_states)


class Call:
    """A call and the process that has it."""

    def __init__(self, browser: Browser, replica: int) -> None:
        self.browser = browser
        self.replica = replica

    async def is_draining(self) -> bool:
        """Whether it was told that its replica goes."""
        await self.browser.say(type="ping", id=1)
        await self.browser.until("pong")
        return any(message["type"] == "draining" for message in self.browser.told)

    async def talk(self) -> None:
        """Says something, and hears the whole answer."""
        del self.browser.heard[:]
        await self.browser.say(type="text", text="Hello?")
        await self.browser.until("state", lambda told: told["state"] == "speaking")
        await self.browser.until("state", lambda told: told["state"] == "listening")
        assert bytes(self.browser.heard) == SAID[0]


@asynccontextmanager
async def running(
    autoscaling: dict[str, Any], settings: GatewaySettings | None = None
) -> AsyncIterator[Cluster]:
    with reserved_port(is_shared=True) as port:
        replies = [Reply("Hello.", SAID[0])]
        async with (
            Simulator(replies=replies, audio_speed=50.0) as sim,
            ClientSession() as http,
            AsyncExitStack() as calls,
        ):
            endpoint, api_key = sim.endpoint, sim.api_key

            def new_session(call: CallRequest) -> AzureVoiceLive:
                # The simulator is told which process has the call.
                session = AzureVoiceLive(
                    model="m", endpoint=endpoint, api_key=api_key, config=call.config()
                )
                session.set_agent(SimpleNamespace(instructions=str(os.getpid())))
                return session

            app = application(
                new_session,
                settings or GatewaySettings(drain_s=60.0),
                port=port,
                autoscaling=AutoscalingConfig(
                    metrics_interval_s=0.1, look_back_period_s=0.5, **autoscaling
                ),
            )
            await asyncio.to_thread(serve.run, app, name=NAME, route_prefix=None)
            yield Cluster(sim, f"ws://127.0.0.1:{port}", http, calls)
            await calls.aclose()
            await asyncio.to_thread(serve.delete, NAME)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints what was measured."""

    def tell(what: str) -> None:
        with capsys.disabled():
            print(f"\n{what}", end="", flush=True)

    return tell


async def test_one_replica_is_killed_and_the_others_calls_do_not_notice(
    cluster: int, tell: Callable[[str], None]
) -> None:
    async with running({"min_replicas": 2, "max_replicas": 2, "target_ongoing_requests": 10}) as it:
        calls = [await it.call() for _ in range(20)]
        spread = Counter(call.replica for call in calls)
        tell(f"20 calls over two replicas: {sorted(spread.values())}")
        assert len(spread) == 2, "chance alone puts 20 calls on one replica once in 500,000 runs"
        killed = min(spread)
        left = [call for call in calls if call.replica != killed]
        talking = [asyncio.create_task(call.talk()) for call in left]
        await until(lambda: any(call.browser.heard for call in left))
        os.kill(killed, signal.SIGKILL)
        began_s = time.monotonic()
        for call in calls:
            if call.replica == killed:
                assert await call.browser.close_code() == 1006
        tell(f"a caller of the killed replica knows: {time.monotonic() - began_s:.2f} s")
        again = await it.call()
        tell(f"and talks to another one: {time.monotonic() - began_s:.2f} s")
        await asyncio.gather(*talking, again.talk())
        assert killed not in {again.replica, *[(await it.call()).replica for _ in range(5)]}
        async with asyncio.timeout(START_S):
            while (newest := await it.call()).replica in spread:
                await newest.browser.websocket.close()
        tell(f"the killed replica is replaced: {time.monotonic() - began_s:.2f} s")
        await asyncio.gather(*(call.talk() for call in left))


async def test_replicas_come_and_drain_with_the_calls(
    cluster: int, tell: Callable[[str], None]
) -> None:
    delays = {"upscale_delay_s": 0.2, "downscale_delay_s": 0.2}
    async with running(
        {"min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 3, **delays},
        GatewaySettings(max_calls=6, drain_s=60.0),
    ) as it:
        first = [await it.call() for _ in range(6)]
        took_s = await it.replicas(2)
        tell(f"a second replica runs: {took_s:.2f} s")
        more = [await it.call() for _ in range(4)]
        assert not {call.replica for call in more} & {call.replica for call in first}, "it is full"
        # Down to one: who goes is Ray's choice, and its calls go on until they end.
        for call in (*first[1:], *more[1:]):
            await call.browser.websocket.close()
        took_s = await it.replicas(1)
        tell(f"one replica is told to go: {took_s:.2f} s")
        assert it.states()[ReplicaState.STOPPING] == 1
        async with asyncio.timeout(TIMEOUT_S):
            while not await first[0].is_draining() and not await more[0].is_draining():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        goes, stays = (first[0], more[0]) if await first[0].is_draining() else (more[0], first[0])
        await asyncio.gather(goes.talk(), stays.talk())
        assert {(await it.call()).replica for _ in range(4)} == {stays.replica}
        began_s = time.monotonic()
        await goes.browser.websocket.close()
        async with asyncio.timeout(START_S):
            while it.states()[ReplicaState.STOPPING]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        tell(f"it is gone after its last call: {time.monotonic() - began_s:.2f} s")
        await stays.talk()


async def test_ray_is_told_the_gateways_figures(cluster: int) -> None:
    async with running({"min_replicas": 1, "max_replicas": 1, "target_ongoing_requests": 3}) as it:
        await it.call()
        await it.call()
        figures = f"http://127.0.0.1:{cluster}/metrics"
        lines: list[str] = []
        async with ClientSession() as http, asyncio.timeout(START_S):
            while not [line for line in lines if re.fullmatch(OF_TWO_CALLS, line)]:
                await asyncio.sleep(0.2)
                lines = (await (await http.get(figures)).text()).splitlines()


async def test_a_caller_by_telephone_is_heard_and_answered(cluster: int) -> None:
    async with running({"min_replicas": 1, "max_replicas": 1, "target_ongoing_requests": 3}) as it:
        bridge = await it.telephone()
        spoken = in_g711(voiced(0.8), LAW, 48_000) + 50 * SILENT
        for start in range(0, len(spoken), len(SILENT)):
            await bridge.media(spoken[start : start + len(SILENT)])
        await bridge.hear(len(SAID[0]) // 6)
        said = OUTPUT_FORMATS[LAW].encoded(SAID[0])
        assert DECODERS[LAW](bytes(bridge.heard)) == DECODERS[LAW](said)
        await bridge.say(event="stop", streamSid="MZ1", stop={"callSid": "CA1"})
        assert await bridge.close_code() == 1000


def test_a_replica_is_not_to_have_more_calls_than_it_may() -> None:
    with pytest.raises(ValueError, match="up to max_calls=5, got 6"):
        application(
            lambda call: AzureVoiceLive(model="m"),
            GatewaySettings(max_calls=5),
            autoscaling=AutoscalingConfig(target_ongoing_requests=6),
        )


def test_the_network_is_not_let_in_without_a_token() -> None:
    with pytest.raises(ValueError, match=r"expected a token .* got 0\.0\.0\.0"):
        application(lambda call: AzureVoiceLive(model="m"), host="0.0.0.0")
    application(
        lambda call: AzureVoiceLive(model="m"), GatewaySettings(token="right"), host="0.0.0.0"
    )
