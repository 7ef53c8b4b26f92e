"""What the simulator takes for speech: recordings, alone and in noise, and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from audio import Float, from_bytes, noise, read_wav, to_pcm, tone
from voicelane import Resampler
from voicelane._core import VoiceActivity
from voicelane.simulator.speech import SpeechStarted, TurnDetector, TurnSettings

RATE_HZ = 8000
MINUTE = 60 * RATE_HZ


def heard(signal: Float) -> list[tuple[str, int]]:
    """Where speech starts and stops in the signal, in milliseconds."""
    detector = TurnDetector(VoiceActivity(RATE_HZ), TurnSettings(prefix_padding_ms=0), 0)
    return [
        ("start", edge.audio_start_ms)
        if isinstance(edge, SpeechStarted)
        else ("stop", edge.audio_end_ms)
        for edge in detector.feed(to_pcm(signal).tobytes())
    ]


def coloured(exponent: float) -> Float:
    """Noise of which the amplitude goes with the frequency to this power, at -20 dBFS."""
    spectrum = np.fft.rfft(noise(MINUTE).astype(np.float64))
    frequencies = np.maximum(np.fft.rfftfreq(MINUTE, 1 / RATE_HZ), 20.0)
    signal = np.fft.irfft(spectrum * frequencies**exponent, MINUTE)
    return np.asarray(3277 * signal / signal.std())


def hum() -> Float:
    return np.sum([tone(50.0 * k, RATE_HZ, MINUTE, 3000 / k) for k in range(1, 12)], axis=0)


def clicks() -> Float:
    signal = np.zeros(MINUTE)
    signal[np.random.default_rng(1).integers(0, MINUTE, 500)] = 30_000
    return signal


def chords() -> Float:
    """A chord of three tones every 400 ms."""
    pitches = 220 * 2 ** (np.random.default_rng(1).integers(0, 24, (150, 3)) / 12)
    fade = np.exp(-4 * np.arange(3200) / RATE_HZ)
    notes = [sum(tone(pitch, RATE_HZ, 3200, 3000) for pitch in chord) * fade for chord in pitches]
    return np.concatenate(notes)


NO_SPEECH = {
    "silence": lambda: np.zeros(MINUTE),
    "white": lambda: coloured(0.0),
    "pink": lambda: coloured(-0.5),
    "brown": lambda: coloured(-1.0),
    "quiet pink": lambda: coloured(-0.5) / 30,
    "hum": hum,
    "offset": lambda: np.full(MINUTE, 8000.0),
    "clicks": clicks,
    "tone": lambda: tone(1000, RATE_HZ, MINUTE, 5000),
    "chords": chords,
}


@pytest.mark.parametrize("name", NO_SPEECH)
def test_a_minute_without_speech_is_no_turn(name: str) -> None:
    assert heard(NO_SPEECH[name]()) == []


@pytest.mark.parametrize("exponent", [None, 0.0, -0.5, -1.0])
def test_speech_is_found_in_noise(exponent: float | None) -> None:
    rate_hz, samples = read_wav("question-48k-stereo.wav")
    resampler = Resampler(rate_hz, RATE_HZ, num_channels=2)
    voice = from_bytes(resampler.process(samples.tobytes())).astype(np.float64)
    signal = np.concatenate([np.zeros(16_000), voice, np.zeros(16_000)])
    if exponent is not None:
        signal += coloured(exponent)[: len(signal)] / 3277 * voice.std() / 10  # 20 dB below
    found = heard(signal)
    loud = np.flatnonzero(np.abs(voice) > 0.1 * np.abs(voice).max())
    onset_ms, end_ms = 2000 + loud[0] / 8, 2000 + loud[-1] / 8
    assert found[0][1] == pytest.approx(onset_ms, abs=120)
    assert found[-1][1] == pytest.approx(end_ms + 500, abs=250)
