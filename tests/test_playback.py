"""The playback buffer and its track, as Python sees them. The buffer itself is tested in Rust."""

from __future__ import annotations

import base64
import json
import threading
from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio import noise
from voicelane import CaptureEncoder, PlaybackBuffer
from voicelane.errors import ConcurrencyError

PCM = array("h", range(1, 481)).tobytes()


def event(**fields: Any) -> str:
    delta = base64.b64encode(PCM).decode()
    return json.dumps({"type": "response.audio.delta", "delta": delta, "item_id": "item", **fields})


@pytest.mark.parametrize(
    "pcm",
    [
        PCM,
        bytearray(PCM),
        memoryview(PCM),
        memoryview(b"\0" + PCM)[1:],
        array("h", PCM),
        np.frombuffer(PCM, np.int16),
        np.frombuffer(PCM, np.int16).reshape(-1, 1),
        np.frombuffer(PCM, np.uint8),
    ],
    ids=lambda pcm: type(pcm).__name__,
)
def test_every_buffer_can_be_written(pcm: Any) -> None:
    buffer = PlaybackBuffer()
    assert buffer.write(pcm) == 480
    assert buffer.read(480) == PCM


@pytest.mark.parametrize(
    ("pcm", "error", "said"),
    [
        (b"\0" * 3, ValueError, "whole number of frames of 2 bytes each, got 3 bytes"),
        ("text", TypeError, "got str"),
        (None, TypeError, "got NoneType"),
        (np.zeros(4, np.float32), TypeError, "format 'f'"),
        (np.zeros(8, np.int16)[::2], ValueError, "non-contiguous"),
    ],
)
def test_bad_audio_is_refused_by_name(pcm: Any, error: type[Exception], said: str) -> None:
    buffer = PlaybackBuffer()
    with pytest.raises(error, match=said):
        buffer.write(pcm)
    assert buffer.stats()["written_frames"] == 0


@pytest.mark.parametrize(
    "text",
    ["A", "AA==", "AAA=\n", "ÄÄÄÄ", "AA-_", " AAA", "AAAAAA", b"\xff\xff\xff\xff"],
)
def test_bad_base64_is_refused(text: str | bytes) -> None:
    buffer = PlaybackBuffer()
    with pytest.raises(ValueError, match=r"base64|whole number of frames"):
        buffer.write_base64(text)
    assert buffer.stats()["written_frames"] == 0


def test_events_bring_audio_or_none() -> None:
    buffer = PlaybackBuffer()
    delta = buffer.write_event(event(response_id="r", content_index=1, output_index=2))
    assert delta is not None
    assert (delta.response_id, delta.item_id) == ("r", "item")
    assert (delta.output_index, delta.content_index) == (2, 1)
    assert (delta.num_frames, delta.written_frames) == (480, 480)
    assert buffer.write_event(b'{"type": "response.done"}') is None
    assert (
        buffer.write_event(event(response_id="old").encode(), response_id="new").written_frames == 0
    )
    assert buffer.read(480) == PCM
    assert (buffer.position.item_id, buffer.position.content_index) == ("item", 1)
    assert buffer.position.audio_end_ms == 20


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        '"text"',
        "{",
        event()[:-1],
        event()[:-1] + ",}",
        event() + event(),
        "17",
        '{"type": "response.audio.delta"}',
        event(delta=None),
        event(delta=17),
        event(delta=["AAA="]),
        event(delta={}),
        event(delta="AA=A"),
        event(delta="AAA=AAA="),
        event(delta=base64.b64encode(PCM).decode()[:-1]),
        event(delta=base64.b64encode(PCM[:-1]).decode()),
        event(delta=base64.b64encode(PCM).decode() + "\n"),
        event(delta="\u00e9AAA"),
        event(output_index=-1),
        event(response_id=[]),
        event(delta="A"),
        event(delta="AAAA"),
        event(item_id=4),
        event(content_index="x"),
        b"\xff",
    ],
)
def test_bad_events_are_refused_and_change_nothing(text: str | bytes) -> None:
    buffer = PlaybackBuffer()
    with pytest.raises(ValueError, match=r"event|base64|frames"):
        buffer.write_event(text)
    assert buffer.stats()["written_frames"] == 0
    with pytest.raises(TypeError, match="expected str or bytes, got int"):
        buffer.write_event(1)  # type: ignore[arg-type]


def test_keys_in_any_order_and_escapes_are_read() -> None:
    fields = json.loads(event(response_id='r\u00e4"/', content_index=3))
    for order in (sorted(fields), sorted(fields, reverse=True)):
        buffer = PlaybackBuffer()
        text = json.dumps({key: fields[key] for key in order}, indent=2).replace("/", "\\/")
        delta = buffer.write_event(text.replace('"delta"', '"\\u0064elta"'))
        assert delta is not None
        assert (delta.response_id, delta.content_index) == ('r\u00e4"/', 3)
        assert buffer.read(480) == PCM


def test_an_event_of_10_mib_is_taken_whole_or_refused_whole() -> None:
    pcm = bytes(range(256)) * 30_720  # 7.5 MiB, 10 MiB as base64
    buffer = PlaybackBuffer()
    broken = base64.b64encode(pcm).decode()[:-1] + "!"
    with pytest.raises(ValueError, match="'!' at character 10485759"):
        buffer.write_event(event(delta=broken))
    assert buffer.stats()["written_frames"] == 0
    delta = buffer.write_event(event(delta=base64.b64encode(pcm).decode()))
    assert delta is not None
    assert delta.num_frames == delta.written_frames == len(pcm) // 2
    assert buffer.read(len(pcm) // 2) == pcm
    small = PlaybackBuffer(max_buffered_ms=1_000)
    delta = small.write_event(event(delta=base64.b64encode(pcm).decode()))
    assert delta is not None
    assert (delta.num_frames, delta.written_frames) == (len(pcm) // 2, 24_000)
    assert small.read(24_001) == pcm[:48_000] + b"\0\0"


@given(st.binary(max_size=400))
def test_any_bytes_as_an_event_are_refused_or_no_audio(text: bytes) -> None:
    buffer = PlaybackBuffer()
    try:
        assert buffer.write_event(text) is None
    except ValueError as error:
        assert str(error)  # noqa: PT017
    assert buffer.is_idle


@given(st.lists(st.binary(max_size=300).map(lambda raw: raw[: len(raw) // 2 * 2]), max_size=8))
def test_base64_and_raw_writes_are_the_same(chunks: list[bytes]) -> None:
    raw, text = PlaybackBuffer(), PlaybackBuffer()
    for chunk in chunks:
        assert raw.write(chunk) == text.write_base64(base64.b64encode(chunk)) == len(chunk) // 2
    frames = sum(map(len, chunks)) // 2
    assert raw.read(frames) == text.read(frames) == b"".join(chunks)


@pytest.mark.parametrize("law", ["g711_ulaw", "g711_alaw"])
def test_g711_is_decoded_on_the_way_in(law: Any) -> None:
    speech = (3000 * np.sin(np.arange(800) / 9)).astype(np.int16)
    text = CaptureEncoder(8000, 1, encoding=law).encode(speech)
    buffer = PlaybackBuffer(8000, encoding=law)
    assert buffer.write_base64(text) == 800
    heard = np.frombuffer(buffer.read(800), np.int16)
    assert np.max(np.abs(heard - speech)) < 3000 / 16  # eight bits
    delta = buffer.write_event(event(delta=text[:8]), response_id=None)
    assert delta is not None
    assert (delta.num_frames, delta.start_frame, delta.written_frames) == (6, 800, 6)
    stale = buffer.write_event(event(delta="AA=="), response_id="other")
    assert stale is not None
    assert (stale.num_frames, stale.start_frame, stale.written_frames) == (1, 806, 0)
    with pytest.raises(ValueError, match="base64"):
        buffer.write_base64("A")
    with pytest.raises(ValueError, match=r"encoding: expected 'pcm16' or"):
        PlaybackBuffer(encoding="mp3")  # type: ignore[arg-type]


def test_reads_fill_any_writable_buffer() -> None:
    buffer = PlaybackBuffer(output_channels=2)
    stereo = np.repeat(np.frombuffer(PCM, np.int16), 2)
    for target in (bytearray(4 * 500), array("h", bytes(4 * 500)), np.empty((500, 2), np.int16)):
        buffer.write(PCM)
        assert buffer.read_into(target) == 480
        assert bytes(target) == stereo.tobytes() + bytes(4 * 20)
    with pytest.raises(ValueError, match="read-only"):
        buffer.read_into(bytes(4))
    with pytest.raises(ValueError, match="whole number of frames of 4 bytes"):
        buffer.read_into(bytearray(6))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"sample_rate_hz": 0}, "sample_rate_hz"),
        ({"output_rate_hz": 1_000_000}, "output_rate_hz"),
        ({"num_channels": 9}, "num_channels"),
        ({"num_channels": 2, "output_channels": 3}, "output_channels"),
        ({"max_buffered_ms": 0}, "max_buffered_ms"),
    ],
)
def test_bad_settings_are_refused_by_name(arguments: dict[str, int], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        PlaybackBuffer(**arguments)
    with pytest.raises(TypeError, match=name):
        PlaybackBuffer(**{name: "many"})  # type: ignore[arg-type]


def test_both_sides_at_once_are_fine_and_one_side_twice_is_named() -> None:
    buffer = PlaybackBuffer(max_buffered_ms=60_000)
    text = base64.b64encode(bytes(2 * 24_000 * 60))  # long enough to let other threads run
    refused: list[str] = []
    writes: list[int] = []
    start = threading.Barrier(3)

    def write() -> None:
        start.wait()
        while not refused and len(writes) < 5_000:
            try:
                writes.append(buffer.write_base64(text))
            except ConcurrencyError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    start.wait()
    while any(thread.is_alive() for thread in threads):
        buffer.read(480)
    for thread in threads:
        thread.join()
    said = "PlaybackBuffer's producer side: expected one thread at a time, got a second one"
    assert set(refused) == {said}
    stats = buffer.stats()
    assert stats["written_frames"] == sum(writes)
    assert stats["written_frames"] + stats["overrun_frames"] == len(writes) * 24_000 * 60


def test_what_fades_is_read_before_what_is_buffered_and_not_counted_with_it() -> None:
    buffer = PlaybackBuffer()
    buffer.write(noise(2400).tobytes())
    buffer.read(240)
    buffer.interrupt(fade_ms=20)
    reply = noise(480, seed=2).tobytes()
    buffer.write(reply)
    assert buffer.stats()["buffered_frames"] == 480
    pcm, num_frames = buffer.take(2400)
    assert num_frames == 480 + 480
    assert pcm[960:1920] == reply
