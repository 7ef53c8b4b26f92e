"""Resampler: what comes out, when, and how clean."""

import copy
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio import RATES_HZ, from_bytes, noise, read_wav, resampled, snr_db, to_pcm, tone
from voicelane._core import ConcurrencyError, Resampler

QUALITIES = ("low_delay", "high")


def streamed(resampler: Resampler, pcm: np.ndarray, chunk_frames: int, channels: int = 1) -> bytes:
    """All that comes out of a stream cut into chunks, its tail included."""
    step = chunk_frames * channels
    chunks = [pcm[start : start + step].tobytes() for start in range(0, len(pcm), step)]
    return b"".join([*map(resampler.process, chunks), resampler.flush()])


@pytest.mark.parametrize(
    ("source_hz", "target_hz"),
    [
        (48000, 24000),
        (48000, 16000),
        (48000, 8000),
        (44100, 24000),
        (16000, 24000),
        (22050, 96000),
        (24000, 24000),
    ],
)
@pytest.mark.parametrize("quality", QUALITIES)
def test_stream_equals_one_shot(source_hz: int, target_hz: int, quality: str) -> None:
    resampler = Resampler(source_hz, target_hz, num_channels=2, quality=quality)
    for num_frames in (0, 1, 2, 99, 100, 101, 959, 960, 961, 3000):
        pcm = noise(2 * num_frames, num_frames)
        whole = resampler.process(pcm.tobytes()) + resampler.flush()
        for chunk_frames in (1, 17, 441, 480, 509):
            assert streamed(resampler, pcm, chunk_frames, 2) == whole


def test_twenty_ms_in_are_twenty_ms_out() -> None:
    resampler = Resampler(48000, 24000, num_channels=2)
    assert [len(resampler.process(bytes(3840))) for _ in range(5)] == [960] * 5


@pytest.mark.parametrize("source_hz", RATES_HZ)
@pytest.mark.parametrize("quality", QUALITIES)
def test_every_pair_is_clean_and_late_by_its_delay(source_hz: int, quality: str) -> None:
    for target_hz in RATES_HZ:
        resampler = Resampler(source_hz, target_hz, quality=quality)
        nyquist_hz = min(source_hz, target_hz) / 2
        frequency_hz = 0.617 * nyquist_hz
        num_frames = source_hz // 5
        output = from_bytes(resampler.process(to_pcm(tone(frequency_hz, source_hz, num_frames))))
        assert len(output) == -(-num_frames * target_hz // source_hz)
        times_s = np.arange(len(output)) / target_hz - resampler.delay_ms / 1000
        ideal = 20_000 * np.sin(2 * np.pi * frequency_hz * times_s)
        settled = int(2 * resampler.delay_ms * target_hz / 1000)
        # 90.8 dB is what 16 bits in and out leave.
        least_db = 90.0 if quality == "high" else 79.5
        assert snr_db(ideal[settled:], output[settled:]) > least_db, target_hz
        tail = from_bytes(resampler.flush())
        delay_frames = round(resampler.delay_ms * target_hz / 1000)
        assert len(output) + len(tail) == round(num_frames * target_hz / source_hz) + delay_frames


@pytest.mark.parametrize(
    ("quality", "delay_ms", "flat_hz", "stop_hz", "rejection_db"),
    [("low_delay", 1.4, 10_500, 13_200, 80), ("high", 4.0, 11_040, 12_240, 100)],
)
def test_48_to_24_khz_as_specified(
    quality: str, delay_ms: float, flat_hz: float, stop_hz: float, rejection_db: float
) -> None:
    assert Resampler(48000, 24000, quality=quality).delay_ms <= delay_ms
    # Low noise in the band keeps the output from rounding faint tones to silence.
    dither = np.random.default_rng(2).normal(0, 3, 48_000)

    def level_db(frequency_hz: float) -> float:
        pcm = to_pcm(tone(frequency_hz, 48000, 48_000, 25_000) + dither)
        output = from_bytes(Resampler(48000, 24000, quality=quality).process(pcm))[200:]
        window = np.blackman(len(output))
        turns = np.exp(-2j * np.pi * frequency_hz / 24000 * np.arange(len(output)))
        return float(20 * np.log10(2 * abs(np.sum(window * turns * output)) / window.sum() / 25e3))

    for frequency_hz in np.linspace(101.3, flat_hz, 12):
        assert abs(level_db(frequency_hz)) < 0.1
    for frequency_hz in [*np.linspace(stop_hz, stop_hz + 900, 8), 17_003.0, 23_456.0]:
        assert level_db(frequency_hz) < -rejection_db


@pytest.mark.parametrize(
    ("source_hz", "target_hz"), [(48000, 24000), (48000, 16000), (16000, 24000)]
)
def test_speech_matches_a_long_reference(source_hz: int, target_hz: int) -> None:
    _, speech = read_wav("barge-in-48k-mono.wav")
    speech = speech[48_000 : 48_000 + source_hz // 2, 0]
    resampler = Resampler(source_hz, target_hz, quality="high")
    expected = resampled(speech.astype(np.float64), source_hz, target_hz, resampler.delay_ms)
    # What differs is speech between 0.92 of the lower Nyquist frequency and that frequency.
    spectrum = np.fft.rfft(expected * np.hanning(len(expected)))
    actual = from_bytes(resampler.process(speech)).astype(np.float64)
    error = np.fft.rfft((actual - expected) * np.hanning(len(expected)))
    band = slice(0, int(0.9 * min(1.0, source_hz / target_hz) * len(spectrum)))
    in_band = np.sum(np.abs(spectrum[band]) ** 2) / np.sum(np.abs(error[band]) ** 2)
    assert 10 * np.log10(in_band) > 60


def test_a_chunk_edge_is_inaudible() -> None:
    """The error is the same at the edges of chunks as between them: nothing rings there."""
    resampler = Resampler(48000, 24000)
    pcm = to_pcm(tone(997.0, 48000, 48_000))
    chunks = [resampler.process(chunk) for chunk in np.split(pcm, 50)]
    output = from_bytes(b"".join(chunks))
    times_s = np.arange(len(output)) / 24000 - resampler.delay_ms / 1000
    error = np.abs(output - 20_000 * np.sin(2 * np.pi * 997.0 * times_s))
    edges = error[480:].reshape(-1, 480)
    assert edges[:, :4].max() < 2
    assert edges[:, -4:].max() < 2


def test_clipping_is_counted_and_saturates() -> None:
    square = np.where(np.arange(48_000) // 100 % 2, 32767, -32768).astype(np.int16)
    resampler = Resampler(48000, 24000)
    output = from_bytes(resampler.process(square))
    assert resampler.clipped_samples > 1000
    assert np.count_nonzero(np.abs(output.astype(int)) >= 32767) >= resampler.clipped_samples
    jumps = [abs(int(b) - int(a)) for a, b in pairwise(output[::10])]
    assert sum(jump > 30_000 for jump in jumps) <= 480  # one a half wave: none wrapped
    resampler.flush()
    assert resampler.clipped_samples > 1000
    resampler.reset()
    assert resampler.clipped_samples == 0


@pytest.mark.parametrize("channels", range(1, 9))
def test_downmix_is_the_mean_rounded_once(channels: int) -> None:
    pcm = noise(channels * 4000, channels)
    output = from_bytes(Resampler(24000, 24000, num_channels=channels).process(pcm))
    sums = pcm.reshape(-1, channels).astype(np.int64).sum(axis=1)
    assert np.array_equal(output, np.round(sums / channels))


def test_reset_forgets() -> None:
    resampler = Resampler(44100, 24000)
    pcm = noise(3000)
    first = resampler.process(pcm)
    assert resampler.process(pcm) != first
    resampler.reset()
    assert resampler.process(pcm) == first


@settings(deadline=None, max_examples=60)
@given(
    source_hz=st.sampled_from(RATES_HZ),
    target_hz=st.sampled_from(RATES_HZ),
    channels=st.integers(1, 8),
    cuts=st.lists(st.integers(0, 600), max_size=8),
    quality=st.sampled_from(QUALITIES),
)
def test_any_cut_gives_the_same_bytes(
    source_hz: int, target_hz: int, channels: int, cuts: list[int], quality: str
) -> None:
    resampler = Resampler(source_hz, target_hz, num_channels=channels, quality=quality)
    pcm = noise(channels * sum(cuts), 7).tobytes()
    whole = resampler.process(pcm) + resampler.flush()
    output, start = [], 0
    for cut in cuts:
        output.append(resampler.process(pcm[start : start + 2 * channels * cut]))
        start += 2 * channels * cut
        assert len(b"".join(output)) == 2 * -(-start // (2 * channels) * target_hz // source_hz)
    assert b"".join([*output, resampler.flush()]) == whole


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "text"),
    [
        ((3999, 24000), {}, ValueError, "source_rate_hz: expected 4000 to 192000 Hz, got 3999"),
        ((48000, 192001), {}, ValueError, "target_rate_hz: expected 4000 to 192000 Hz, got 192001"),
        ((-1, 24000), {}, ValueError, "source_rate_hz: expected 4000 to 192000 Hz, got -1"),
        ((2**80, 24000), {}, ValueError, "source_rate_hz: expected 4000 to 192000 Hz, got 12089"),
        ((48e3, 24000), {}, TypeError, "source_rate_hz: expected an int.*, got 48000.0"),
        (("48k", 24000), {}, TypeError, "source_rate_hz: expected an int.*, got '48k'"),
        ((48000, 24000), {"num_channels": 0}, ValueError, "num_channels: expected 1 to 8, got 0"),
        ((48000, 24000), {"num_channels": 9}, ValueError, "num_channels: expected 1 to 8, got 9"),
        (
            (48000, 24000),
            {"num_channels": None},
            TypeError,
            "num_channels: .* an int.*, got None",
        ),
        ((48000, 24000), {"quality": "best"}, ValueError, "'low_delay' or 'high', got 'best'"),
        ((48000, 24000), {"quality": 1}, TypeError, "'low_delay' or 'high', got 1"),
    ],
)
def test_bad_arguments_are_refused_by_name(
    arguments: tuple[int, int], keywords: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        Resampler(*arguments, **keywords)  # type: ignore[arg-type]


def test_a_second_thread_at_once_is_refused_by_name() -> None:
    """A long clip runs without the interpreter lock: another thread then finds the object busy."""
    resampler = Resampler(96000, 11025, quality="high")
    long_clip = bytes(2 * 96_000 * 30)
    expected = len(resampler.process(long_clip))
    lengths: list[int] = []
    refused = 0
    while refused < 2:  # the other thread may be through before this one has its turn
        resampler.reset()
        worker = threading.Thread(target=lambda: lengths.append(len(resampler.process(long_clip))))
        worker.start()
        while worker.is_alive():
            assert resampler.clipped_samples == 0  # may be read at any time
            try:
                resampler.reset() if refused else resampler.process(b"")
            except ConcurrencyError as error:
                assert str(error) == "Resampler: expected one thread at a time, got a second one"  # noqa: PT017
                refused += 1
        worker.join()
    assert set(lengths) == {expected}


def test_it_cannot_be_copied() -> None:
    with pytest.raises(TypeError):
        copy.copy(Resampler(48000, 24000))
