"""CaptureEncoder: what goes over the wire."""

import base64
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio import from_bytes, noise, read_wav
from voicelane._core import CaptureEncoder, ConcurrencyError, Resampler


def speech() -> np.ndarray:
    return read_wav("question-48k-stereo.wav")[1]


def test_default_is_48_khz_stereo_to_24_khz_pcm() -> None:
    encoder, resampler = CaptureEncoder(), Resampler(48000, 24000, num_channels=2)
    for chunk in np.array_split(speech(), 300):
        pcm = chunk.tobytes()
        assert base64.b64decode(encoder.encode(pcm), validate=True) == resampler.process(pcm)
    assert base64.b64decode(encoder.flush()) == resampler.flush()
    assert encoder.delay_ms == resampler.delay_ms


def test_event_is_the_whole_append_event() -> None:
    pcm = noise(1920).tobytes()
    event = CaptureEncoder().encode_event(pcm)
    audio = CaptureEncoder().encode(pcm)
    assert event == f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}'
    assert json.loads(event) == {"type": "input_audio_buffer.append", "audio": audio}


def test_nothing_due_is_no_event() -> None:
    encoder = CaptureEncoder(chunk_ms=20)
    assert encoder.encode_event(b"") is None
    assert encoder.encode_event(bytes(3832)) is None
    assert encoder.encode(b"") == ""
    assert encoder.encode_event(bytes(8)) is not None
    assert CaptureEncoder(24000, 1).flush_event() is None


@pytest.mark.parametrize("encoding", ["g711_ulaw", "g711_alaw"])
def test_g711_is_8_khz_code_words(encoding: str) -> None:
    encoder = CaptureEncoder(encoding=encoding)
    words = base64.b64decode(encoder.encode(speech()[:48_000]))
    assert len(words) == 8000
    pcm = Resampler(48000, 8000, num_channels=2).process(speech()[:48_000])
    assert words == base64.b64decode(CaptureEncoder(8000, 1, encoding=encoding).encode(pcm))


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated")
def test_g711_agrees_with_audioop_on_its_common_ground() -> None:
    """audioop negates where G.191 takes the ones' complement: u-law differs at negative edges."""
    audioop = pytest.importorskip("audioop")
    scale = np.arange(-32768, 32768).astype(np.int16).tobytes()

    def words(encoding: str) -> np.ndarray:
        text = CaptureEncoder(8000, 1, encoding=encoding).encode(scale)
        return np.frombuffer(base64.b64decode(text), dtype=np.uint8)

    assert words("g711_alaw").tobytes() == audioop.lin2alaw(scale, 2)
    ours, theirs = words("g711_ulaw"), np.frombuffer(audioop.lin2ulaw(scale, 2), dtype=np.uint8)
    differing = np.nonzero(ours != theirs)[0] - 32768
    assert len(differing) == 508
    assert differing.max() < 0
    # One 14-bit step nearer to zero they agree; what is left are the two zeros.
    nonzero = differing[differing < -4]
    assert np.array_equal(ours[nonzero + 32768], theirs[nonzero + 32768 + 4])
    assert set(ours[-4 + 32768 : 32768]) == {0x7F}


@pytest.mark.parametrize("chunk_ms", [1, 20, 100])
@pytest.mark.parametrize("call_frames", [160, 960, 7000])
def test_chunks_are_of_exactly_that_duration(chunk_ms: int, call_frames: int) -> None:
    pcm = noise(2 * 24_000)
    plain = CaptureEncoder()
    expected = base64.b64decode(plain.encode(pcm)) + base64.b64decode(plain.flush())
    encoder = CaptureEncoder(chunk_ms=chunk_ms)
    sent = []
    for start in range(0, len(pcm), 2 * call_frames):
        event = encoder.encode_event(pcm[start : start + 2 * call_frames])
        if event is not None:
            sent.append(base64.b64decode(json.loads(event)["audio"]))
            assert len(sent[-1]) % (48 * chunk_ms) == 0
    whole = len(b"".join(sent))
    assert whole == 24_000 // (48 * chunk_ms) * (48 * chunk_ms)
    assert b"".join([*sent, base64.b64decode(encoder.flush())]) == expected


@settings(deadline=None, max_examples=40)
@given(
    cuts=st.lists(st.integers(0, 2500), max_size=6),
    chunk_ms=st.none() | st.integers(1, 60),
    encoding=st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"]),
)
def test_any_cut_sends_the_same_audio(cuts: list[int], chunk_ms: int | None, encoding: str) -> None:
    encoder = CaptureEncoder(44100, 2, encoding=encoding, chunk_ms=chunk_ms)
    pcm = noise(2 * sum(cuts), 3).tobytes()
    whole = base64.b64decode(encoder.encode(pcm)) + base64.b64decode(encoder.flush())
    sent, start = b"", 0
    for cut in cuts:
        sent += base64.b64decode(encoder.encode(pcm[start : start + 4 * cut]))
        start += 4 * cut
    assert sent + base64.b64decode(encoder.flush()) == whole


def test_reset_forgets_what_waits() -> None:
    encoder = CaptureEncoder(chunk_ms=100)
    pcm = noise(9600).tobytes()
    first = encoder.encode(pcm)
    encoder.encode(pcm[:2000])
    encoder.reset()
    assert encoder.encode(pcm) == first


def test_clipping_is_counted() -> None:
    encoder = CaptureEncoder(48000, 1)
    encoder.encode(np.where(np.arange(4800) // 100 % 2, 32767, -32768).astype(np.int16))
    assert encoder.clipped_samples > 100
    encoder.reset()
    assert encoder.clipped_samples == 0


@pytest.mark.parametrize(
    ("keywords", "error", "text"),
    [
        (
            {"encoding": "opus"},
            ValueError,
            "encoding: expected 'pcm16' or 'g711_ulaw' or 'g711_alaw', got 'opus'",
        ),
        ({"encoding": None}, TypeError, "encoding: expected .*, got None"),
        (
            {"encoding": "g711_ulaw", "target_rate_hz": 24000},
            ValueError,
            "8000 Hz with G.711, got 24000",
        ),
        ({"chunk_ms": 0}, ValueError, "chunk_ms: expected 1 to 1000 ms, got 0"),
        ({"chunk_ms": 1001}, ValueError, "chunk_ms: expected 1 to 1000 ms, got 1001"),
        ({"chunk_ms": 20.0}, TypeError, "chunk_ms: expected an int, 1 to 1000 ms, got 20.0"),
        (
            {"chunk_ms": 20, "target_rate_hz": 11025},
            ValueError,
            "a whole number of frames at 11025 Hz, got 20",
        ),
        ({"source_rate_hz": 0}, ValueError, "source_rate_hz: expected 4000 to 192000 Hz, got 0"),
        ({"num_channels": 9}, ValueError, "num_channels: expected 1 to 8, got 9"),
        ({"num_channels": None}, TypeError, "num_channels: expected an int, 1 to 8, got None"),
        ({"quality": "low"}, ValueError, "quality: expected 'low_delay' or 'high', got 'low'"),
    ],
)
def test_bad_arguments_are_refused_by_name(
    keywords: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        CaptureEncoder(**keywords)


def test_g711_may_name_its_only_rate() -> None:
    explicit = CaptureEncoder(encoding="g711_alaw", target_rate_hz=8000)
    assert explicit.encode(bytes(3840)) == CaptureEncoder(encoding="g711_alaw").encode(bytes(3840))


def test_a_second_thread_at_once_is_refused_by_name() -> None:
    encoder = CaptureEncoder(96000, 2, target_rate_hz=11025, quality="high")
    long_clip = bytes(4 * 96_000 * 30)
    refusals: list[str] = []

    def encode_until_one_is_refused() -> None:
        while not refusals:
            try:
                encoder.encode(long_clip)
            except ConcurrencyError as error:
                refusals.append(str(error))

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(encode_until_one_is_refused) for _ in range(2)]:
            one.result()
    assert set(refusals) == {"CaptureEncoder: expected one thread at a time, got a second one"}
    encoder.encode(b"")


FORK = """
import base64, os, warnings
from voicelane._core import CaptureEncoder
warnings.simplefilter("ignore", DeprecationWarning)
pcm = bytes(range(256)) * 30
whole, stream = CaptureEncoder(44100), CaptureEncoder(44100)
expected = whole.encode(pcm), whole.encode(pcm)
first = stream.encode(pcm)
child = os.fork()
is_same = (first, stream.encode(pcm)) == expected
is_same &= CaptureEncoder(44100, quality="high").encode(pcm) != ""
if child == 0:
    os._exit(0 if is_same else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and is_same
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_leaves_both_sides_working() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True)


# In a process of its own: the peak of this one may be another test's.
PEAK = """
import resource, sys
from voicelane._core import CaptureEncoder
encoders = [CaptureEncoder() for _ in range(20)]
clip = bytes(range(256)) * (4 * 48_000 * 10 // 256)
encoders[0].encode(clip)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for encoder in encoders:
    encoder.encode(clip)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // 1024 if sys.platform == "darwin" else grown)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no getrusage on this system")
def test_a_long_clip_does_not_stay_in_memory() -> None:
    done = subprocess.run([sys.executable, "-c", PEAK], check=True, capture_output=True)
    # Kept, each would hold 480 kB of samples and 640 kB of text.
    assert int(done.stdout) < 8000


def test_bytes_out_are_little_endian_samples() -> None:
    pcm = np.full(2000, 0x0102, dtype=np.int16)
    words = base64.b64decode(CaptureEncoder(24000, 1).encode(pcm))
    assert words[:2] == b"\x02\x01"
    assert from_bytes(words)[0] == 0x0102
