"""20 ms of microphone audio to base64 text: voicelane beside what people use today.

    pytest benches/bench_capture.py --benchmark-json=capture.json

One group for each conversion. Every library gets the same recorded speech, 20 ms a call, as
`bytes`, and gives base64 text. Beside its time stands how right it is: the SNR of a 997 Hz tone
against the best-fitting sine, and how far a tone at 1.125 of the lower Nyquist frequency is
suppressed. A library whose tone comes out below 30 dB is wrong: its time is recorded, not ranked.
"""

import base64
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

import audio_resampler
import av
import numpy as np
import pybase64
import pytest
import scipy.signal
import soxr

from audio import Pcm, from_bytes, read_wav, to_pcm, tone
from voicelane._core import CaptureEncoder

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    audioop = pytest.importorskip("audioop", reason="the peers' u-law, until Python 3.12")

Encode = Callable[[bytes], str]
LEAST_SNR_DB = 30.0
CALLS = 5000


@dataclass(frozen=True)
class Conversion:
    name: str
    source_hz: int
    channels: int
    target_hz: int
    ulaw: bool = False

    @property
    def call_frames(self) -> int:
        return self.source_hz // 50

    def wire(self, pcm: bytes) -> bytes:
        return audioop.lin2ulaw(pcm, 2) if self.ulaw else pcm

    def off_the_wire(self, text: str) -> Pcm:
        words = base64.b64decode(text)
        return from_bytes(audioop.ulaw2lin(words, 2) if self.ulaw else words)


CONVERSIONS = [
    Conversion("48k stereo -> 24k", 48_000, 2, 24_000),
    Conversion("48k mono -> 16k", 48_000, 1, 16_000),
    Conversion("48k stereo -> 8k u-law", 48_000, 2, 8_000, ulaw=True),
    Conversion("44.1k mono -> 24k", 44_100, 1, 24_000),
    Conversion("16k mono -> 24k", 16_000, 1, 24_000),
]


def voicelane(conversion: Conversion) -> Encode:
    return CaptureEncoder(
        conversion.source_hz,
        conversion.channels,
        target_rate_hz=conversion.target_hz,
        encoding="g711_ulaw" if conversion.ulaw else "pcm16",
    ).encode


def original(conversion: Conversion) -> Encode:
    """The plugin of 0.0.60, restated: mean of the channels, one FFT for each chunk, base64."""

    def encode(pcm: bytes) -> str:
        samples = np.frombuffer(pcm, dtype=np.int16)
        if conversion.channels == 2:
            samples = samples.reshape(-1, 2).mean(axis=1).astype(np.int16)
        num_output = int(len(samples) * conversion.target_hz / conversion.source_hz)
        output = scipy.signal.resample(samples, num_output).astype(np.int16)
        return base64.b64encode(conversion.wire(output.tobytes())).decode()

    return encode


def with_audio_resampler(conversion: Conversion) -> Encode:
    converter = audio_resampler.Converter(
        conversion.source_hz, conversion.channels, conversion.target_hz, 1, "i16"
    )
    return lambda pcm: pybase64.b64encode_as_string(conversion.wire(converter.process(pcm)))


def with_soxr(conversion: Conversion) -> Encode:
    stream = soxr.ResampleStream(
        conversion.source_hz, conversion.target_hz, 1, dtype="int16", quality="HQ"
    )

    def encode(pcm: bytes) -> str:
        samples = np.frombuffer(pcm, dtype=np.int16)
        if conversion.channels == 2:
            # The fastest exact mean that numpy has; `mean(axis=1)` alone takes 20 us.
            samples = ((samples[::2].astype(np.int32) + samples[1::2]) >> 1).astype(np.int16)
        output = stream.resample_chunk(samples)
        return pybase64.b64encode_as_string(conversion.wire(output.tobytes()))

    return encode


def with_pyav(conversion: Conversion) -> Encode:
    layout = "stereo" if conversion.channels == 2 else "mono"
    resampler = av.AudioResampler(format="s16", layout="mono", rate=conversion.target_hz)

    def encode(pcm: bytes) -> str:
        samples = np.frombuffer(pcm, dtype=np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = conversion.source_hz
        output = b"".join(
            bytes(out.planes[0])[: 2 * out.samples] for out in resampler.resample(frame)
        )
        return pybase64.b64encode_as_string(conversion.wire(output))

    return encode


LIBRARIES: dict[str, Callable[[Conversion], Encode]] = {
    "voicelane": voicelane,
    "soxr HQ + pybase64": with_soxr,
    "PyAV + pybase64": with_pyav,
    "original (scipy)": original,
    "audio-resampler + pybase64": with_audio_resampler,
}


def calls_of(conversion: Conversion, samples: Pcm) -> list[bytes]:
    """Whole calls of 20 ms; mono samples go to every channel."""
    if samples.ndim == 1 and conversion.channels == 2:
        samples = np.repeat(samples[:, None], 2, axis=1)
    whole = len(samples) // conversion.call_frames * conversion.call_frames
    chunks = np.split(samples[:whole], whole // conversion.call_frames)
    return [chunk.tobytes() for chunk in chunks]


def output_of(conversion: Conversion, encode: Encode, frequency_hz: float) -> Pcm:
    """A second of a tone, without its beginning and its end."""
    pcm = to_pcm(tone(frequency_hz, conversion.source_hz, conversion.source_hz * 3 // 2, 16_000.0))
    output = b"".join(
        conversion.off_the_wire(encode(call)).tobytes() for call in calls_of(conversion, pcm)
    )
    return from_bytes(output)[conversion.target_hz // 5 :][: conversion.target_hz]


def tone_snr_db(conversion: Conversion, encode: Encode) -> float:
    output = output_of(conversion, encode, 997.0).astype(np.float64)
    turns = 2 * np.pi * 997.0 / conversion.target_hz * np.arange(len(output))
    basis = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    fit = basis @ np.linalg.lstsq(basis, output, rcond=None)[0]
    return float(10 * np.log10(np.sum(fit**2) / max(np.sum((output - fit) ** 2), 1e-9)))


def rejection_db(conversion: Conversion, encode: Encode) -> float | None:
    """How far what must not come through is below what went in; None where nothing must not."""
    frequency_hz = 1.125 * conversion.target_hz / 2
    if frequency_hz >= conversion.source_hz / 2:
        return None
    output = output_of(conversion, encode, frequency_hz).astype(np.float64)
    rms = np.sqrt(np.mean(output**2))
    return float(20 * np.log10(16_000 / np.sqrt(2) / max(rms, 0.1)))


@pytest.fixture(params=CONVERSIONS, ids=lambda conversion: conversion.name)
def conversion(request: pytest.FixtureRequest) -> Conversion:
    return request.param


@pytest.mark.parametrize("library", LIBRARIES)
def bench_capture(benchmark, conversion: Conversion, library: str) -> None:
    make = LIBRARIES[library]
    encode = make(conversion)
    _, speech = read_wav("question-48k-stereo.wav")
    speech = speech if conversion.channels == 2 else speech[:, 0]
    calls: Iterator[bytes] = cycle(calls_of(conversion, speech))
    for _ in range(200):
        encode(next(calls))

    snr_db = tone_snr_db(conversion, make(conversion))
    # 8-bit code words leave 38 dB.
    is_correct = snr_db > LEAST_SNR_DB
    benchmark.group = conversion.name if is_correct else f"{conversion.name}: wrong, not ranked"
    benchmark.pedantic(
        encode, setup=lambda: ((next(calls),), {}), rounds=CALLS, iterations=1, warmup_rounds=0
    )
    times_us = 1e6 * np.sort(benchmark.stats.stats.data)
    benchmark.extra_info.update(
        conversion=conversion.name,
        library=library,
        p50_us=float(np.quantile(times_us, 0.5)),
        p99_us=float(np.quantile(times_us, 0.99)),
        snr_db=snr_db,
        rejection_db=rejection_db(conversion, make(conversion)),
        correct=is_correct,
    )
