"""What one session costs the simulator's process, in CPU.

    .venv/bin/python benches/simulator_cost.py [--sessions 100] [--seconds 20] [--message-ms 60]

A loader in this process holds the sessions: websockets that append a spoken question and silence
by turns, in real time, and read what comes. The simulator has a process of its own,
whose CPU time is read between the first and the last append.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import time
from multiprocessing.connection import Connection

from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector

from voicelane.simulator import Simulator
from voicelane.simulator.responder import Voice

SILENCE_MS = 6000  # in which it is answered


def serve(pipe: Connection) -> None:
    async def run() -> None:
        async with Simulator() as simulator:
            pipe.send((simulator.endpoint, simulator.api_key))
            while True:
                await asyncio.to_thread(pipe.recv)
                pipe.send(time.process_time())

    asyncio.run(run())


def appends(message_ms: int) -> list[str]:
    """The messages of one question and the silence after it."""
    pcm = Voice().bundled[2].pcm + bytes(48 * SILENCE_MS)
    size = 48 * message_ms
    chunks = [pcm[start : start + size] for start in range(0, len(pcm), size)]
    return [
        json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(chunk).decode()})
        for chunk in chunks
    ]


async def hold(
    websocket: ClientWebSocketResponse,
    messages: list[str],
    message_ms: int,
    offset: int,
    end_s: float,
) -> int:
    """Append until `end_s`; return how many messages came."""
    received = 0

    async def read() -> None:
        nonlocal received
        async for _ in websocket:
            received += 1

    reader = asyncio.create_task(read())
    # Not all at the same moment, and not all in the same place of the question.
    next_s = time.monotonic() + offset % message_ms / 1000
    index = offset * 7
    while next_s < end_s:
        await asyncio.sleep(next_s - time.monotonic())
        await websocket.send_str(messages[index % len(messages)])
        index += 1
        next_s += message_ms / 1000
    reader.cancel()
    return received


async def load(pipe: Connection, num_sessions: int, seconds: float, message_ms: int) -> None:
    endpoint, api_key = pipe.recv()
    query = {"api-version": "2026-07-15", "model": "gpt-realtime"}
    messages = appends(message_ms)
    unlimited = TCPConnector(limit=0)
    async with ClientSession(headers={"api-key": api_key}, connector=unlimited) as http:
        websockets = [
            await http.ws_connect(f"{endpoint}/voice-live/realtime", params=query)
            for _ in range(num_sessions)
        ]
        pipe.send(None)
        before_s, began_s = pipe.recv(), time.monotonic()
        received = await asyncio.gather(
            *(
                hold(websocket, messages, message_ms, offset, began_s + seconds)
                for offset, websocket in enumerate(websockets)
            )
        )
        pipe.send(None)
        cpu_s = pipe.recv() - before_s
        elapsed_s = time.monotonic() - began_s
    per_session_us = cpu_s / num_sessions / elapsed_s * 1e6
    print(
        f"{num_sessions} sessions, {elapsed_s:.1f} s, {sum(received)} messages received: "
        f"{cpu_s:.2f} s of CPU, {per_session_us:.0f} us per session and second"
    )


def parsed(doc: str, *, sessions: int, seconds: float) -> argparse.Namespace:
    """The command line, with these defaults."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=sessions)
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--message-ms", type=int, default=60)
    return parser.parse_args()


def main() -> None:
    options = parsed(__doc__, sessions=100, seconds=20.0)
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        asyncio.run(load(here, options.sessions, options.seconds, options.message_ms))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
