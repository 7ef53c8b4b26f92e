"""A gateway under the load of many browsers: `make bench-gateway`.

Simulator, gateway and clients are a process each. Every client sends a microphone's 20 ms at a time and
takes what the agent answers. What is measured of the way up is the time until the gateway answers a ping that
goes behind a frame. Of the way down it is how late audio comes: with no lateness it would be there the
protocol's lead before a speaker plays it; gaps are what comes after the speaker has played all that it had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import time
import wave
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "examples/audio/barge-in-48k-mono.wav"
RATE_HZ = 48_000
FRAME_S = 0.020
PING_FRAMES = 50
CONNECTS_AT_ONCE = 20


class Client:
    """One browser."""

    def __init__(self, websocket: ClientWebSocketResponse, lead_s: float, rate_hz: int) -> None:
        self._websocket = websocket
        self._lead_s = lead_s
        self._bytes_per_s = 2 * rate_hz
        self._pings_s: dict[int, float] = {}
        self._began_s = 0.0
        self._heard_bytes = 0
        self.up_s: list[float] = []
        self.late_s: list[float] = []
        self.num_gaps = 0
        self.num_answers = 0

    @property
    def close_code(self) -> int | None:
        """How the gateway closed; None as long as it did not."""
        return self._websocket.close_code

    async def send(self, number: int, pcm: bytes) -> None:
        await self._websocket.send_bytes(pcm)
        if number % PING_FRAMES == 0:
            self._pings_s[number] = time.monotonic()
            await self._websocket.send_str(json.dumps({"type": "ping", "id": number}))

    async def listen(self) -> None:
        async for message in self._websocket:
            now_s = time.monotonic()
            if message.type is WSMsgType.BINARY:
                self._hear(len(message.data), now_s)
            else:
                self._told(json.loads(message.data), now_s)

    def _hear(self, num_bytes: int, now_s: float) -> None:
        if not self._heard_bytes:
            self._began_s = now_s
            self.num_answers += 1
        late_s = now_s - (self._began_s + self._heard_bytes / self._bytes_per_s - self._lead_s)
        if self._heard_bytes:
            self.late_s.append(max(0.0, late_s))
        if late_s > self._lead_s and self._heard_bytes:
            self.num_gaps += 1
        self._heard_bytes += num_bytes

    def _told(self, message: dict[str, Any], now_s: float) -> None:
        match message["type"]:
            case "pong":
                self.up_s.append(now_s - self._pings_s.pop(message["id"]))
            case "clear":
                self._heard_bytes = 0
            case "state" if message["state"] == "listening":
                self._heard_bytes = 0


async def load(url: str, pids: dict[str, int], options: argparse.Namespace) -> dict[str, Any]:
    """The clients, from the first connect to the last close."""
    with wave.open(str(SPEECH)) as file:
        pcm = file.readframes(file.getnframes())
    size = int(RATE_HZ * FRAME_S) * 2
    # Room for the answer between two questions.
    pcm += bytes(int(options.pause_s * RATE_HZ) * 2)
    frames = [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
    limit = asyncio.Semaphore(CONNECTS_AT_ONCE)
    async with ClientSession(connector=TCPConnector(limit=0)) as http:

        async def connect() -> Client:
            async with limit:
                websocket = await http.ws_connect(f"{url}/ws", max_msg_size=0)
                hello = {"type": "hello", "protocol": 1, "input_sample_rate_hz": RATE_HZ}
                await websocket.send_str(json.dumps(hello))
                ready = json.loads((await websocket.receive()).data)
                return Client(websocket, ready["lead_ms"] / 1000, ready["output_sample_rate_hz"])

        clients = await asyncio.gather(*(connect() for _ in range(options.clients)))
        print(f"{options.clients} calls are open", file=sys.stderr)
        listeners = [asyncio.create_task(client.listen()) for client in clients]
        own_late_s: list[float] = []
        num_frames = round(options.seconds / FRAME_S)
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        began_s = time.monotonic()

        async def talk(index: int, client: Client) -> None:
            # Spread over a frame, and over the recording.
            first_s = began_s + index * FRAME_S / len(clients)
            for number in range(num_frames):
                due_s = first_s + number * FRAME_S
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                own_late_s.append(time.monotonic() - due_s)
                if client.close_code is not None:
                    return
                with suppress(ConnectionError):  # the close code says why
                    await client.send(number, frames[(number + 31 * index) % len(frames)])

        async def progress() -> None:
            while True:
                await asyncio.sleep(5)
                answers = sum(client.num_answers for client in clients)
                print(f"{time.monotonic() - began_s:4.0f} s, {answers} answers", file=sys.stderr)

        telling = asyncio.create_task(progress())
        await asyncio.gather(*(talk(index, client) for index, client in enumerate(clients)))
        took_s = time.monotonic() - began_s
        cpu = {name: (cpu_s(pid) - before[name]) / took_s for name, pid in pids.items()}
        closed = Counter(str(client.close_code) for client in clients if client.close_code)
        for task in (telling, *listeners):
            task.cancel()
        await asyncio.gather(telling, *listeners, return_exceptions=True)
    return {
        "clients": options.clients,
        "seconds": round(took_s, 1),
        "closed_by_code": closed,
        "answers": sum(client.num_answers for client in clients),
        "up_ms": quantiles_ms([s for client in clients for s in client.up_s]),
        "down_ms": quantiles_ms([s for client in clients for s in client.late_s]),
        "gaps": sum(client.num_gaps for client in clients),
        "clients_own_lateness_ms": quantiles_ms(own_late_s),
        "cores": {name: round(share, 2) for name, share in cpu.items()},
        "load_average": round(os.getloadavg()[0], 1),
        "num_cpus": os.cpu_count(),
    }


def quantiles_ms(values_s: list[float]) -> dict[str, float]:
    """The median, the 99th percentile and the largest."""
    ordered = sorted(values_s) or [0.0]
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(1000 * ordered[int(share * last)], 1) for name, share in shares.items()}


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def command(*arguments: str, **environment: str) -> AsyncIterator[tuple[Process, str]]:
    """Runs `voicelane ...`; gives the URL of its first line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicelane", *arguments),
        stdout=PIPE,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        found = re.search(r"\w+://[^\s,]+", line[line.index(" at ") :])
        assert found is not None, line
        drain = asyncio.create_task(process.stdout.read())
        yield process, found[0]
    finally:
        for _ in range(2):  # the second one ends the calls
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
        await process.wait()
        await drain


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """The whole run; its figures."""
    key = {"AZURE_VOICE_LIVE_API_KEY": "simulator-key"}
    calls = str(options.clients)
    async with (
        command("simulate", "--port", "0") as (simulator, endpoint),
        command("serve", "--port", "0", "--max-calls", calls, "--endpoint", endpoint, **key) as (
            gateway,
            url,
        ),
    ):
        pids = {"gateway": gateway.pid, "simulator": simulator.pid, "clients": os.getpid()}
        return await load(url, pids, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pause-s", type=float, default=4.0, help="silence between two questions")
    parser.add_argument("--json", type=Path, default=ROOT / "target/bench-gateway.json")
    options = parser.parse_args()
    result = asyncio.run(run(options))
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
