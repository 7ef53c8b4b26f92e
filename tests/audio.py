"""Signals and measures for the audio tests; numpy in float64 throughout."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

DATA = Path(__file__).parent.parent / "examples" / "audio"
RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)

Pcm = npt.NDArray[np.int16]
Float = npt.NDArray[np.float64]


def read_wav(name: str) -> tuple[int, Pcm]:
    """Return the rate and the samples, (frames, channels)."""
    with wave.open(str(DATA / name), "rb") as wav:
        samples = np.frombuffer(wav.readframes(wav.getnframes()), dtype=np.int16)
        return wav.getframerate(), samples.reshape(-1, wav.getnchannels())


def tone(frequency_hz: float, rate_hz: int, num_frames: int, amplitude: float = 20_000.0) -> Float:
    return amplitude * np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(num_frames))


def to_pcm(signal: Float) -> Pcm:
    return np.clip(np.round(signal), -32768, 32767).astype(np.int16)


def noise(num_samples: int, seed: int = 1) -> Pcm:
    return np.random.default_rng(seed).integers(-32768, 32768, num_samples).astype(np.int16)


def from_bytes(pcm: bytes) -> Pcm:
    return np.frombuffer(pcm, dtype="<i2")


def snr_db(expected: Float, actual: npt.NDArray[np.generic]) -> float:
    error = actual.astype(np.float64) - expected
    return float(10 * np.log10(np.sum(expected**2) / np.sum(error**2)))


def resampled(signal: Float, source_hz: int, target_hz: int, delay_ms: float) -> Float:
    """The signal at the target rate, `delay_ms` late, by a sinc of 2 x 2000 frames: the reference.

    Band-limits to the lower of both Nyquist frequencies.
    """
    half_len = 2000
    num_output = -(-len(signal) * target_hz // source_hz)
    times = (np.arange(num_output) / target_hz - delay_ms / 1000) * source_hz
    padded = np.pad(signal, half_len + 1)
    cutoff = min(1.0, target_hz / source_hz)
    offsets = np.arange(-half_len, half_len)
    output = np.empty(num_output)
    for block in np.array_split(np.arange(num_output), max(1, num_output // 256)):
        newest = np.floor(times[block]).astype(int)
        distance = (times[block] - newest)[:, None] - offsets
        window = np.kaiser(2 * half_len + 1, 12.0)
        weights = cutoff * np.sinc(cutoff * distance)
        weights *= np.interp(distance, np.arange(-half_len, half_len + 1), window)
        taken = padded[np.clip(newest[:, None] + offsets + half_len + 1, 0, len(padded) - 1)]
        output[block] = np.sum(weights * taken, axis=1)
    return output
