"""Which buffers the audio classes take, and how they refuse the rest."""

import array
import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from audio import noise
from voicelane._core import CaptureEncoder, Resampler

SAMPLES = noise(1920, 5)
PCM = SAMPLES.tobytes()


def misaligned() -> np.ndarray:
    return np.frombuffer(b"x" + PCM, dtype=np.uint8)[1:].view(np.int16)


def mapped() -> mmap.mmap:
    memory = mmap.mmap(-1, len(PCM))
    memory[:] = PCM
    return memory


BUFFERS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: PCM,
    "bytearray": lambda: bytearray(PCM),
    "memoryview of bytes": lambda: memoryview(PCM),
    "memoryview at an odd offset": lambda: memoryview(b"x" + PCM)[1:],
    "memoryview of int16": lambda: memoryview(SAMPLES),
    "memoryview slice": lambda: memoryview(b"xxxx" + PCM + b"yy")[4:-2],
    "array of int16": lambda: array.array("h", PCM),
    "array of bytes": lambda: array.array("B", PCM),
    "array of signed bytes": lambda: array.array("b", PCM),
    "numpy int16": lambda: SAMPLES,
    "numpy int16 frames x channels": lambda: SAMPLES.reshape(-1, 2),
    "numpy int16 misaligned": misaligned,
    "numpy int16 of little-endian type": lambda: SAMPLES.astype("<i2"),
    "numpy int16 read-only": lambda: np.frombuffer(PCM, dtype=np.int16),
    "numpy uint8": lambda: np.frombuffer(PCM, dtype=np.uint8),
    "numpy uint8 frames x bytes": lambda: np.frombuffer(PCM, dtype=np.uint8).reshape(-1, 4),
    "ctypes int16": lambda: (ctypes.c_int16 * len(SAMPLES)).from_buffer_copy(PCM),
    "ctypes char": lambda: (ctypes.c_char * len(PCM)).from_buffer_copy(PCM),
    "mmap": mapped,
}


@pytest.mark.parametrize("name", BUFFERS)
def test_every_buffer_gives_the_same(name: str) -> None:
    expected = CaptureEncoder(44100, 2).encode(PCM)
    assert CaptureEncoder(44100, 2).encode(BUFFERS[name]()) == expected
    event = CaptureEncoder(44100, 2).encode_event(BUFFERS[name]())
    assert event is not None
    assert expected in event
    expected_pcm = Resampler(44100, 24000, num_channels=2).process(PCM)
    assert Resampler(44100, 24000, num_channels=2).process(BUFFERS[name]()) == expected_pcm


@pytest.mark.parametrize("empty", [b"", bytearray(), array.array("h"), np.zeros((0, 2), np.int16)])
def test_nothing_in_is_nothing_out(empty: Any) -> None:
    assert CaptureEncoder().encode(empty) == ""
    assert Resampler(48000, 24000, num_channels=2).process(empty) == b""


def released() -> memoryview:
    view = memoryview(PCM)
    view.release()
    return view


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "odd bytes": (lambda: b"abc", ValueError, "whole number of frames of 4 bytes each, got 3"),
    "half a frame": (lambda: bytes(6), ValueError, "whole number of frames of 4 bytes each, got 6"),
    "half a frame of int16": (lambda: array.array("h", [1]), ValueError, "4 bytes each, got 2"),
    "str": (lambda: "abcd", TypeError, "expected bytes or .*, got str"),
    "list": (lambda: [1, 2], TypeError, "expected bytes or .*, got list"),
    "None": (lambda: None, TypeError, "expected bytes or .*, got NoneType"),
    "int": (lambda: 4, TypeError, "expected bytes or .*, got int"),
    "float32": (lambda: np.zeros(4, np.float32), TypeError, "got items of format 'f' in a ndarray"),
    "int32": (lambda: np.zeros(4, np.int32), TypeError, "got items of format 'i' in a ndarray"),
    "uint16": (lambda: np.zeros(4, np.uint16), TypeError, "got items of format 'H' in a ndarray"),
    "bool": (lambda: np.zeros(4, np.bool_), TypeError, r"got items of format '\?' in a ndarray"),
    "array of float": (lambda: array.array("f", [0.0]), TypeError, "format 'f' in a array"),
    "struct": (lambda: np.zeros(4, "i2,i2"), TypeError, "got items of format 'T{"),
    "big-endian": (lambda: np.zeros(4, ">i2"), TypeError, "got big-endian int16 in a ndarray"),
    "strided": (lambda: np.zeros(8, np.int16)[::2], ValueError, "got a non-contiguous ndarray"),
    "reversed": (lambda: np.zeros(8, np.int16)[::-1], ValueError, "got a non-contiguous ndarray"),
    "column-major": (lambda: np.zeros((4, 2), np.int16, order="F"), ValueError, "non-contiguous"),
    "strided memoryview": (lambda: memoryview(PCM)[::2], ValueError, "non-contiguous memoryview"),
    "planar": (
        lambda: np.zeros((2, 960), np.int16),
        ValueError,
        r"shape \(frames \* 2,\) or \(frames, 2\), got \[2, 960\]",
    ),
    "three dimensions": (lambda: np.zeros((4, 2, 1), np.int16), ValueError, r"got \[4, 2, 1\]"),
    "no dimension": (lambda: np.int16(3), (TypeError, ValueError), "got int16|got \\[\\]"),
    "released view": (released, ValueError, "got memoryview: operation forbidden on released"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_and_nothing_taken(name: str) -> None:
    make, error, text = REFUSED[name]
    encoder, resampler = CaptureEncoder(44100, 2), Resampler(44100, 24000, num_channels=2)
    encoder.encode(PCM[:800])
    resampler.process(PCM[:800])
    for call in (encoder.encode, encoder.encode_event, resampler.process):
        with pytest.raises(error, match=text):
            call(make())
    whole = CaptureEncoder(44100, 2)
    whole.encode(PCM[:800])
    assert encoder.encode(PCM) == whole.encode(PCM)
    fresh = Resampler(44100, 24000, num_channels=2)
    assert fresh.process(PCM[:800]) + fresh.process(PCM) == fresh_all(resampler)


def fresh_all(resampler: Resampler) -> bytes:
    rest = resampler.process(PCM)
    resampler.reset()
    return resampler.process(PCM[:800]) + rest


def test_the_buffer_is_free_again_after_the_call() -> None:
    pcm = bytearray(PCM)
    CaptureEncoder().encode(pcm)
    pcm.extend(b"more")  # would raise BufferError while exported
