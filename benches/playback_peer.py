"""One library's way from an audio delta to frames, in a process of its own: `playback_peer.py LIBRARY`.

Takes one command a line and answers each with a line of JSON:

    check               plays a known reply; is what came out the same?
    turns COUNT         that many turns, each 100 ms pushed as an event and 5 x 20 ms read
    backlog SECONDS     100 turns with that much waiting
    at_once SECONDS     pushes that much in one event, up to five times

Where frames are paced, the clock is one of our own: every frame is due, and no wait takes time.
"""

import asyncio
import base64
import gc
import json
import sys
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

EVENT_MS, FRAME_BYTES = 100, 960


@dataclass
class Peer:
    push: Callable[[str], Awaitable[None]]
    pull: Callable[[], Awaitable[bytes]]
    """Raw PCM where the library gives that; its own frame otherwise."""
    pcm_of: Callable[[Any], bytes] = bytes


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def event_text(pcm: bytes) -> str:
    fields = {
        "type": "response.audio.delta",
        "event_id": "event_Bx9RmQz4vT2uYk",
        "response_id": "resp_Bx9RmPq1sL0nWd",
        "item_id": "item_Bx9RmKc7hJ5gFa",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(pcm).decode(),
    }
    return json.dumps(fields, separators=(",", ":"))


def voicelane() -> Peer:
    from voicelane import PlaybackBuffer

    buffer = PlaybackBuffer(max_buffered_ms=700_000)

    async def push(text: str) -> None:
        buffer.write_event(text)

    async def pull() -> bytes:
        return buffer.read(480)

    return Peer(push, pull)


def voicelane_track(frame_type: Any) -> Peer:
    from voicelane import PlaybackBuffer, PlaybackTrack

    clock = Clock()
    asyncio.get_running_loop().time = lambda: clock.now_s  # type: ignore[method-assign]
    buffer = PlaybackBuffer(max_buffered_ms=700_000)
    track = PlaybackTrack(buffer, frame_type=frame_type)

    async def push(text: str) -> None:
        buffer.write_event(text)

    async def pull() -> Any:
        clock.now_s += 0.020
        return await track.recv()

    return Peer(push, pull, bytes if frame_type == "bytes" else pcm_of_frame)


def orjson_bytearray() -> Peer:
    import orjson
    import pybase64

    buffer = bytearray()

    async def push(text: str) -> None:
        event = orjson.loads(text)
        if event["type"] == "response.audio.delta":
            buffer.extend(pybase64.b64decode(event["delta"], validate=True))

    async def pull() -> bytes:
        frame = bytes(buffer[:FRAME_BYTES])
        del buffer[:FRAME_BYTES]
        return frame

    return Peer(push, pull)


def videosdk() -> Peer:
    """CustomAudioStreamTrack of videosdk-agents 1.0.30, fed as its plugin feeds it."""
    from videosdk.agents.room import output_stream

    clock = Clock()
    output_stream.time = lambda: clock.now_s
    output_stream.asyncio.sleep = clock.sleep
    track = output_stream.CustomAudioStreamTrack(asyncio.get_running_loop())

    async def push(text: str) -> None:
        event = json.loads(text)
        if event["type"] == "response.audio.delta":
            await track.add_new_bytes(base64.b64decode(event["delta"]))

    return Peer(push, track.recv, pcm_of_frame)


def pcm_of_frame(frame: Any) -> bytes:
    return bytes(frame.planes[0])[:FRAME_BYTES]


LIBRARIES: dict[str, Callable[[], Peer]] = {
    "voicelane": voicelane,
    "voicelane track, bytes": lambda: voicelane_track("bytes"),
    "voicelane track, av": lambda: voicelane_track("av"),
    "orjson + pybase64 + bytearray": orjson_bytearray,
    "videosdk-agents": videosdk,
}


async def turns(peer: Peer, count: int) -> dict[str, float]:
    text = event_text(array("h", range(2_400)).tobytes())
    times = []
    for _ in range(count):
        start_ns = perf_counter_ns()
        await peer.push(text)
        for _ in range(5):
            await peer.pull()
        times.append(perf_counter_ns() - start_ns)
    times.sort()
    return {"p50_us": times[count // 2] / 1000, "p99_us": times[count * 99 // 100] / 1000}


async def check(peer: Peer) -> dict[str, bool]:
    pcm = array("h", [n * 7919 % 65_536 - 32_768 for n in range(24_000)]).tobytes()
    heard = b""
    for start in range(0, len(pcm), 4_800):
        await peer.push(event_text(pcm[start : start + 4_800]))
        for _ in range(5):
            heard += peer.pcm_of(await peer.pull())
    return {"correct": heard == pcm}


async def backlog(make: Callable[[], Peer], seconds: int) -> dict[str, float]:
    peer = make()
    text = event_text(bytes(4_800))
    for _ in range(seconds * 1000 // EVENT_MS):
        await peer.push(text)
    return await turns(peer, 100)


async def at_once(make: Callable[[], Peer], seconds: int) -> dict[str, float]:
    text = event_text(bytes(48_000 * seconds))
    times: list[float] = []
    while len(times) < 5 and sum(times) < 1e6:  # once is enough where it takes long
        peer = make()
        start_ns = perf_counter_ns()
        await peer.push(text)
        times.append((perf_counter_ns() - start_ns) / 1000)
    return {"us": sorted(times)[len(times) // 2]}


async def main(library: str) -> None:
    make = LIBRARIES[library]
    peer = make()
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        command, *arguments = line.split()
        match command:
            case "check":
                answer: Any = await check(peer)
            case "turns":
                answer = await turns(peer, int(arguments[0]))
            case "backlog":
                answer = await backlog(make, int(arguments[0]))
            case "at_once":
                answer = await at_once(make, int(arguments[0]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
