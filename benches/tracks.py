"""Playback behind a track of frames, on a clock of our own: every frame is due, and no wait takes time."""

from __future__ import annotations

import asyncio
import base64
import json
from math import ceil
from typing import Any

from voicelane.cli.bench.encoders import run_now
from voicelane.cli.bench.libraries import Library, by_name, module
from voicelane.cli.bench.players import FRAME_BYTES, Player


class _Clock:
    """In seconds. One for all: a loop's pacer outlives a track."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


_clock = _Clock()


def _voicelane(frame_type: Any) -> Player:
    from voicelane import PlaybackBuffer, PlaybackTrack

    asyncio.get_running_loop().time = lambda: _clock.now_s  # type: ignore[method-assign]
    buffer = PlaybackBuffer(max_buffered_ms=700_000)
    track = PlaybackTrack(buffer, frame_type=frame_type)

    # A track begins with whole 10 ms; from then on every frame is due by a little.
    _clock.now_s = ceil(_clock.now_s) + 1.0
    run_now(track.recv())
    _clock.now_s += 0.001

    def pull() -> Any:
        _clock.now_s += 0.020
        return run_now(track.recv())

    return Player(buffer.write_event, pull, bytes if frame_type == "bytes" else _pcm_of)


def _videosdk() -> Player:
    """CustomAudioStreamTrack, fed as videosdk's plugin feeds it."""
    output_stream = module("videosdk.agents.room.output_stream")
    output_stream.time = lambda: _clock.now_s
    output_stream.asyncio.sleep = _clock.sleep
    track = output_stream.CustomAudioStreamTrack(asyncio.get_running_loop())

    def push(text: str) -> None:
        run_now(track.add_new_bytes(base64.b64decode(json.loads(text)["delta"])))

    return Player(push, lambda: run_now(track.recv()), _pcm_of)


def _pcm_of(frame: Any) -> bytes:
    # A plane may be padded beyond its samples.
    return bytes(frame.planes[0])[:FRAME_BYTES]


VIDEOSDK_TRACK = "videosdk-agents, CustomAudioStreamTrack"
TRACKS = by_name(
    Library("voicelane, PlaybackTrack of bytes", (), lambda: _voicelane("bytes")),
    Library("voicelane, PlaybackTrack of PyAV frames", ("av",), lambda: _voicelane("av")),
    Library(VIDEOSDK_TRACK, ("videosdk.agents",), _videosdk),
)
