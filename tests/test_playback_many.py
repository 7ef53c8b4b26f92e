"""Reading: with the count of real frames, and from many buffers in one call."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from support import TIMEOUT_S
from voicelane import PlaybackBuffer, read_many
from voicelane.errors import ConcurrencyError


def samples(first: int, frames: int) -> bytes:
    return array("h", range(first, first + frames)).tobytes()


def buffers_with(*frames: int, **settings: Any) -> list[PlaybackBuffer]:
    buffers = [PlaybackBuffer(**settings) for _ in frames]
    for index, count in enumerate(frames):
        buffers[index].write(samples(1_000 * index + 1, count))
    return buffers


@pytest.mark.parametrize("settings", [{}, {"output_rate_hz": 48_000, "output_channels": 2}])
def test_each_is_read_as_by_itself(settings: dict[str, Any]) -> None:
    frames = (0, 100, 480, 481, 900)
    many, single = buffers_with(*frames, **settings), buffers_with(*frames, **settings)
    for num_frames in (480, 0, 1, 960):
        assert read_many(many, num_frames) == [buffer.read(num_frames) for buffer in single]
    assert [buffer.stats() for buffer in many] == [buffer.stats() for buffer in single]


def test_a_frame_is_as_large_as_its_buffer_has_channels() -> None:
    mono, stereo = PlaybackBuffer(), PlaybackBuffer(output_channels=2)
    stereo.write(samples(1, 1))
    assert read_many((mono, stereo), 2) == [bytes(4), samples(1, 1) * 2 + bytes(4)]


@pytest.mark.parametrize(
    "collection", [list, tuple, iter, lambda them: dict(enumerate(them)).values()]
)
def test_any_iterable_will_do(collection: Callable[[list[PlaybackBuffer]], Any]) -> None:
    assert read_many(collection(buffers_with(480, 480)), 480) == [
        samples(1, 480),
        samples(1_001, 480),
    ]
    assert read_many(collection([]), 480) == []


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (
            lambda them: [*them, "buffer"],
            TypeError,
            r"buffers\[2\]: expected a PlaybackBuffer, got str",
        ),
        (
            lambda them: [None, *them],
            TypeError,
            r"buffers\[0\]: expected a PlaybackBuffer, got NoneType",
        ),
        (lambda them: 5, TypeError, "buffers: expected an iterable of PlaybackBuffer, got int"),
        (
            lambda them: them[0],
            TypeError,
            "buffers: expected an iterable of PlaybackBuffer, got Playba",
        ),
        (
            lambda them: [*them, them[1]],
            ValueError,
            r"buffers\[2\]: expected each buffer once, got that of buffers\[1\] again",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_was_read(
    wrong: Callable[[Any], Any], error: type[Exception], said: str
) -> None:
    buffers = buffers_with(480, 480)
    with pytest.raises(error, match=said):
        read_many(wrong(buffers), 480)
    assert [buffer.buffered_ms for buffer in buffers] == [20, 20]
    assert read_many(buffers, 480) == [samples(1, 480), samples(1_001, 480)], (
        "they can be read again"
    )


@pytest.mark.parametrize("read", [PlaybackBuffer.read, PlaybackBuffer.take, None])
def test_a_bad_number_of_frames_is_refused_by_name(read: Any) -> None:
    buffer = PlaybackBuffer(output_channels=2)

    def reading(num_frames: Any) -> object:
        return read(buffer, num_frames) if read else read_many([buffer], num_frames)

    for bad in (-1, (1 << 27) + 1, 1 << 40):
        with pytest.raises(
            ValueError, match=f"num_frames: expected at most 268435456 samples, got {bad}"
        ):
            reading(bad)
    for wrong in ("480", 4.5, None):
        with pytest.raises(TypeError, match="num_frames: expected an int"):
            reading(wrong)


def in_the_midst_of_a_read(buffer: PlaybackBuffer, call: Callable[[], None]) -> None:
    """Calls while the consumer side of `buffer` is at work: there, its target is asked for its memory."""
    if sys.version_info >= (3, 12):

        class Target:
            def __buffer__(self, flags: int) -> memoryview:
                call()
                return memoryview(bytearray(2))

        buffer.read_into(Target())
        return

    # Before 3.12 no Python code runs there but a finaliser, which a new object may set off: a target of
    # ctypes needs one.
    class Doomed:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            call()

    target, thresholds = (ctypes.c_int16 * 1)(), gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        Doomed()
        gc.set_threshold(1)
        gc.enable()
        buffer.read_into(target)
    finally:
        gc.set_threshold(*thresholds)
        gc.enable()


def test_a_buffer_in_use_by_another_thread_is_named_and_none_was_read() -> None:
    free, used = buffers = buffers_with(480, 480)
    refused: list[str] = []

    def read() -> None:
        with pytest.raises(ConcurrencyError) as caught:
            read_many(buffers, 480)
        refused.append(str(caught.value))

    def from_another_thread() -> None:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join(TIMEOUT_S)

    in_the_midst_of_a_read(used, from_another_thread)
    said = "PlaybackBuffer's consumer side: expected one thread at a time, got a second one"
    assert refused == [f"buffers[1], {said}"]
    assert free.stats()["played_frames"] == 0
    assert used.stats()["played_frames"] == 1
    assert read_many(buffers, 480)[0] == samples(1, 480)


def test_what_is_taken_comes_with_the_count_of_its_real_frames() -> None:
    buffer = PlaybackBuffer(output_channels=2)
    buffer.write(samples(1, 500))
    taken = [buffer.take(480), buffer.take(480), buffer.take(480), buffer.take(0)]
    assert [heard for _, heard in taken] == [480, 20, 0, 0]
    pcm = b"".join(pcm for pcm, _ in taken)
    assert pcm == array("h", [n for n in range(1, 501) for _ in "lr"]).tobytes() + bytes(4 * 940)
