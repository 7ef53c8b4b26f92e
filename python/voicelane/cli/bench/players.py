"""From a raw audio event of the service to the frames that are heard: 100 ms in, 5 x 20 ms out."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voicelane import PlaybackBuffer

from .libraries import Library, by_name, fast_base64, module

EVENT_FRAMES, FRAME_FRAMES = 2_400, 480
FRAME_BYTES = 2 * FRAME_FRAMES
READS = EVENT_FRAMES // FRAME_FRAMES


@dataclass(frozen=True)
class Player:
    """Both ends of one library's playback."""

    push: Callable[[str], object]
    pull: Callable[[], Any]
    """Raw PCM where the library gives that; its own frame otherwise."""
    pcm_of: Callable[[Any], bytes] = bytes


def event_text(pcm: bytes) -> str:
    """A ``response.audio.delta`` as the service sends it."""
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


def _voicelane() -> Player:
    buffer = PlaybackBuffer(max_buffered_ms=700_000)
    return Player(buffer.write_event, lambda: buffer.read(FRAME_FRAMES))


def _bytearray(decode: Callable[[str], bytes]) -> Player:
    buffer = bytearray()

    def pull() -> bytes:
        frame = bytes(buffer[:FRAME_BYTES])
        del buffer[:FRAME_BYTES]
        return frame

    return Player(lambda text: buffer.extend(decode(text)), pull)


def _json() -> Player:
    return _bytearray(lambda text: base64.b64decode(json.loads(text)["delta"]))


def _orjson() -> Player:
    loads, b64decode = module("orjson").loads, module("pybase64").b64decode
    return _bytearray(lambda text: bytes(b64decode(loads(text)["delta"], validate=True)))


def _azure() -> Player:
    """As azure-ai-voicelive's connection reads a message: its typed event."""
    deserialize = module("azure.ai.voicelive.models").ServerEvent._deserialize
    return _bytearray(lambda text: bytes(deserialize(json.loads(text), []).delta))


PLAYERS = by_name(
    Library("voicelane", (), _voicelane),
    Library("orjson + pybase64", ("orjson", "pybase64"), _orjson),
    Library("json + base64", (), _json),
    Library("azure-ai-voicelive", ("azure.ai.voicelive",), _azure),
)


def player_fault(player: Player) -> str | None:
    """Why it is not ranked: a second of samples must come out as it went in."""
    pcm = array("h", (n * 7919 % 65_536 - 32_768 for n in range(10 * EVENT_FRAMES))).tobytes()
    heard = bytearray()
    for at in range(0, len(pcm), 2 * EVENT_FRAMES):
        player.push(event_text(pcm[at : at + 2 * EVENT_FRAMES]))
        for _ in range(READS):
            heard += player.pcm_of(player.pull())
    return None if heard == pcm else "wrong: it plays something else than it was given"


APPEND_BYTES = FRAME_BYTES

Append = Callable[[bytes], str]


def _voicelane_append() -> Append:
    from voicelane import CaptureEncoder

    encode_event = CaptureEncoder(24_000, 1).encode_event
    return lambda pcm: encode_event(pcm) or ""


def _json_append() -> Append:
    to_text = fast_base64()
    return lambda pcm: json.dumps({"type": "input_audio_buffer.append", "audio": to_text(pcm)})


def _orjson_append() -> Append:
    dumps, to_text = module("orjson").dumps, fast_base64()

    def append(pcm: bytes) -> str:
        text: bytes = dumps({"type": "input_audio_buffer.append", "audio": to_text(pcm)})
        return text.decode()

    return append


def _azure_append() -> Append:
    """As azure-ai-voicelive's `input_audio_buffer.append` makes it."""
    event = module("azure.ai.voicelive.models").ClientEventInputAudioBufferAppend
    to_text = fast_base64()
    return lambda pcm: json.dumps(event(audio=to_text(pcm)).as_dict())


APPENDS = by_name(
    Library("voicelane", (), _voicelane_append),
    Library("orjson + pybase64", ("orjson", "pybase64"), _orjson_append),
    Library("json", (), _json_append),
    Library("azure-ai-voicelive", ("azure.ai.voicelive",), _azure_append),
)


def append_fault(append: Append) -> str | None:
    """Why it is not ranked: the event's text must hold the samples."""
    pcm = array("h", range(FRAME_FRAMES)).tobytes()
    event = json.loads(append(pcm))
    named_right = event["type"] == "input_audio_buffer.append"
    is_right = named_right and base64.b64decode(event["audio"]) == pcm
    return None if is_right else "wrong: the event does not hold what it was given"
