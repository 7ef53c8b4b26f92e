"""What detectors of speech are tried on: synthetic speech in noise with its edges, and what is none.

24 kHz, mono, full scale is 1. There are two sets that share no voice, sentence, seed or pitch: one to
develop with, and one that nothing may be tuned on.
"""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from voicelane import Resampler

Signal = npt.NDArray[np.float64]
Truth = npt.NDArray[np.bool_]

RATE_HZ = 24_000
FRAME_MS = 20
FRAME = RATE_HZ * FRAME_MS // 1000
SNRS_DB = (30, 20, 10, 5)
_SPEECH_LEVEL = 10 ** (-26 / 20)
_PAUSE_S = 2.0
_NO_SPEECH_S = 60
# Of espeak's frames, louder ones are sound; gaps up to 200 ms are within a word or between two.
_SOUND_DB, _GAP_FRAMES = -35.0, 10


@dataclass(frozen=True)
class Speaker:
    """A voice of espeak-ng, and what it says."""

    voice: str
    words_per_minute: int
    pitch: int
    sentences: tuple[str, str]


SPEAKERS = {
    "develop": (
        Speaker("en-gb+m4", 150, 45, ("I have lost my luggage.", "Can you find it for me?")),
        Speaker("en-us+f4", 190, 60, ("What time does it open?", "Thank you so much.")),
        Speaker("nl+m6", 170, 35, ("Ik wil graag een kaartje.", "Hoe laat vertrekt de trein?")),
        Speaker("cs+f1", 160, 70, ("Dobrý den, mám dotaz.", "Kolik to stojí dohromady?")),
        Speaker("fi+m8", 200, 50, ("Haluaisin varata huoneen.", "Kiitos ja näkemiin.")),
        Speaker("el+f5", 140, 55, ("Καλημέρα, θέλω καφέ.", "Πού είναι το σπίτι;")),
    ),
    "held-out": (
        Speaker("de+m1", 130, 35, ("Guten Tag, wie geht es Ihnen?", "Ich hätte gern ein Zimmer.")),
        Speaker("fr-fr+f2", 190, 60, ("Bonjour, je voudrais réserver.", "Pour quatre personnes.")),
        Speaker("es+m3", 160, 40, ("Quisiera hablar con alguien.", "Muchas gracias y adiós.")),
        Speaker("it+Alicia", 200, 70, ("Vorrei un tavolo per due.", "A che ora chiudete?")),
        Speaker("pl+m7", 150, 30, ("Chciałbym zamówić taksówkę.", "Proszę na dworzec.")),
        Speaker("sv+Annie", 175, 55, ("Jag undrar över min räkning.", "Tack för hjälpen.")),
        Speaker("pt-br+m5", 220, 45, ("Onde fica o hospital?", "Preciso de um médico.")),
        Speaker("tr+Linda", 140, 65, ("Merhaba, bir sorum var.", "Uçak ne zaman gelecek?")),
        Speaker("ru+m2", 180, 50, ("Здравствуйте, это магазин?", "До которого часа вы открыты?")),
        Speaker("hi+belinda", 165, 60, ("नमस्ते, आप कैसे हैं?", "मुझे एक टिकट चाहिए।")),
        Speaker("en-gb-scotland+Andy", 120, 20, ("Is this the right number?", "Call me back.")),
        Speaker("en-029+grandma", 155, 80, ("My order has not arrived.", "It was last week.")),
    ),
}
_BABBLE = {
    "develop": ("en-us+m5", "nl+f2", "cs+m1", "fi+f3", "el+m2", "en-gb+f2"),
    "held-out": ("da+m6", "ro+f4", "hu+m4", "nb+f5", "sk+m8", "ca+f1", "et+m3", "hr+grandpa"),
}
_SEEDS = {"develop": 1, "held-out": 2}


@dataclass(frozen=True)
class Scene:
    """What is heard, and in which of its frames of 20 ms somebody speaks.

    Attributes:
        kind: What it is counted as, such as "pink 10 dB" or "siren".
    """

    kind: str
    signal: Signal
    is_speech: Truth


def spoken(which: str) -> Iterator[Scene]:
    """Each speaker of a set in silence, and in each noise at each distance."""
    for index, speaker in enumerate(SPEAKERS[which]):
        signal, truth = _said(speaker)
        yield Scene("clean", signal, truth)
        for name in ("white", "pink", "babble"):
            hiss = _noise(name, which, index, len(signal))
            for snr_db in SNRS_DB:
                mixed = signal + hiss * _SPEECH_LEVEL * 10 ** (-snr_db / 20)
                yield Scene(f"{name} {snr_db} dB", mixed, truth)


def unspoken(which: str) -> Iterator[Scene]:
    """A minute of each sound that is no speech."""
    for name, make in NO_SPEECH.items():
        dice = np.random.default_rng(_SEEDS[which])
        signal = make(dice)
        signal = signal[: _NO_SPEECH_S * RATE_HZ] * 0.1 / np.sqrt(np.mean(signal**2))
        yield Scene(name, signal, np.zeros(len(signal) // FRAME, dtype=bool))


def by_telephone(scenes: Iterable[Scene]) -> list[Scene]:
    """What is left of them at 8 kHz."""
    return [replace(scene, signal=_narrowed(scene.signal)) for scene in scenes]


def _narrowed(signal: Signal) -> Signal:
    pcm = np.clip(np.round(signal * 32767), -32768, 32767).astype("<i2").tobytes()
    for rates_hz in ((RATE_HZ, 8000), (8000, RATE_HZ)):
        resampler = Resampler(*rates_hz, quality="high")
        pcm = resampler.process(pcm) + resampler.flush()
    return np.frombuffer(pcm, dtype="<i2")[: len(signal)] / 32768


# --- speech --------------------------------------------------------------------------------------


@cache
def _synthesised(voice: str, words_per_minute: int, pitch: int, text: str) -> Signal:
    command = [
        "espeak-ng",
        "-v",
        voice,
        "-s",
        str(words_per_minute),
        "-p",
        str(pitch),
        "--stdin",
        "--stdout",
    ]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    with wave.open(BytesIO(done.stdout)) as file:
        pcm, rate_hz = file.readframes(file.getnframes()), file.getframerate()
    resampler = Resampler(rate_hz, RATE_HZ, quality="high")
    samples = np.frombuffer(resampler.process(pcm) + resampler.flush(), dtype="<i2")
    loud = np.flatnonzero(np.abs(samples) > 0)
    return samples[loud[0] : loud[-1] + 1] / 32768


def _said(speaker: Speaker) -> tuple[Signal, Truth]:
    """Both sentences with pauses around them, at -26 dBFS while there is sound."""
    pause = np.zeros(int(_PAUSE_S * RATE_HZ))
    parts = [pause]
    for text in speaker.sentences:
        parts += [_synthesised(speaker.voice, speaker.words_per_minute, speaker.pitch, text), pause]
    signal = np.concatenate(parts)
    signal = signal[: len(signal) // FRAME * FRAME]
    power = np.mean(signal.reshape(-1, FRAME) ** 2, axis=1)
    truth = power > power.max() * 10 ** (_SOUND_DB / 10)
    signal *= _SPEECH_LEVEL / np.sqrt(power[truth].mean())
    sounding = np.flatnonzero(truth)
    for before, after in pairwise(sounding):
        truth[before:after] = truth[before:after] | (after - before <= _GAP_FRAMES)
    return signal, truth


# --- noise ---------------------------------------------------------------------------------------


def _noise(name: str, which: str, index: int, num_samples: int) -> Signal:
    """Noise of an effective value of 1."""
    dice = np.random.default_rng((_SEEDS[which], index))
    if name == "babble":
        signal = np.sum([_chatter(voice, dice, num_samples) for voice in _BABBLE[which]], axis=0)
    else:
        signal = _coloured(dice, num_samples, 0.0 if name == "white" else -0.5)
    return np.asarray(signal / np.sqrt(np.mean(signal**2)))


def _coloured(dice: np.random.Generator, num_samples: int, exponent: float) -> Signal:
    """Noise of which the amplitude goes with the frequency to this power."""
    spectrum = np.fft.rfft(dice.standard_normal(num_samples))
    frequencies = np.maximum(np.fft.rfftfreq(num_samples, 1 / RATE_HZ), 20.0)
    return np.fft.irfft(spectrum * frequencies**exponent, num_samples)


def _chatter(voice: str, dice: np.random.Generator, num_samples: int) -> Signal:
    words = "tomorrow seven window garden people letter bridge summer " * 3
    said = _synthesised(voice, int(dice.integers(130, 200)), int(dice.integers(25, 75)), words)
    start = int(dice.integers(len(said)))
    signal = np.resize(np.roll(said, start), num_samples)
    return signal / np.sqrt(np.mean(signal**2))


# --- no speech -----------------------------------------------------------------------------------

Maker = Callable[[np.random.Generator], Signal]


def _seconds(duration_s: float) -> Signal:
    return np.arange(int(duration_s * RATE_HZ)) / RATE_HZ


def _tones(duration_s: float, *frequencies_hz: float, harmonics: int = 1) -> Signal:
    time_s = _seconds(duration_s)
    waves = (
        np.sin(2 * np.pi * f * k * time_s) / k
        for f in frequencies_hz
        for k in range(1, harmonics + 1)
    )
    return np.asarray(sum(waves))


def _swept(frequency_hz: Signal, harmonics: int = 1) -> Signal:
    phase = 2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ
    return np.asarray(sum(np.sin(k * phase) / k for k in range(1, harmonics + 1)))


def _filled(parts: Iterable[Signal]) -> Signal:
    """As many of them as it takes."""
    taken: list[Signal] = []
    total = 0
    for part in parts:
        taken.append(part)
        total += len(part)
        if total >= _NO_SPEECH_S * RATE_HZ:
            break
    return np.concatenate(taken)


def _keys(dice: np.random.Generator) -> Signal:
    while_on, while_off = dice.uniform(0.07, 0.2, 2)
    return _filled(
        np.concatenate(
            [
                _tones(
                    while_on, dice.choice([697, 770, 852, 941]), dice.choice([1209, 1336, 1477])
                ),
                np.zeros(int(while_off * RATE_HZ)),
            ]
        )
        for _ in iter(int, 1)
    )


def _rings(dice: np.random.Generator) -> Signal:
    tones_hz, on_s, off_s = ((440, 480), 2.0, 4.0) if dice.integers(2) else ((400, 450), 0.4, 0.2)
    ring = np.concatenate([_tones(on_s, *tones_hz), np.zeros(int(off_s * RATE_HZ))])
    return _filled(ring for _ in iter(int, 1))


def _melody(notes_per_s: float, harmonics: int) -> Maker:
    def make(dice: np.random.Generator) -> Signal:
        root_hz = dice.uniform(180, 420)
        fade = np.exp(-3 * _seconds(1 / notes_per_s))
        pitches = (root_hz * 2 ** (dice.integers(0, 20) / 12) for _ in iter(int, 1))
        return _filled(
            _tones(1 / notes_per_s, pitch, harmonics=harmonics) * fade for pitch in pitches
        )

    return make


def _vibrato(harmonics: int) -> Maker:
    def make(dice: np.random.Generator) -> Signal:
        def note() -> Signal:
            time_s = _seconds(dice.uniform(0.8, 2.0))
            swing = dice.uniform(0.4, 1.2) * np.sin(2 * np.pi * dice.uniform(4.5, 7) * time_s)
            return _swept(dice.uniform(200, 700) * 2 ** (swing / 12), harmonics)

        return _filled(note() for _ in iter(int, 1))

    return make


def _siren(dice: np.random.Generator) -> Signal:
    time_s = _seconds(_NO_SPEECH_S)
    low_hz, high_hz = dice.uniform(400, 700), dice.uniform(1100, 1700)
    sweep = (1 - np.cos(2 * np.pi * dice.uniform(0.2, 0.6) * time_s)) / 2
    return _swept(low_hz + (high_hz - low_hz) * sweep, harmonics=3)


def _two_tones(dice: np.random.Generator) -> Signal:
    low_hz = dice.uniform(380, 450)
    horn = [_tones(0.5, low_hz, harmonics=4), _tones(0.5, low_hz * 4 / 3, harmonics=4)]
    return _filled(np.concatenate(horn) for _ in iter(int, 1))


def _music(dice: np.random.Generator) -> Signal:
    """Chords, a melody above and a drum below."""
    beat_s = dice.uniform(0.4, 0.6)
    time_s = _seconds(beat_s)

    def beat() -> Signal:
        root_hz = 110 * 2 ** (dice.integers(0, 12) / 12)
        chord = _tones(beat_s, root_hz, root_hz * 1.26, root_hz * 1.5, harmonics=5) * np.exp(
            -2 * time_s
        )
        lead = _tones(beat_s, root_hz * 2 ** (dice.integers(12, 30) / 12), harmonics=3) * np.exp(
            -5 * time_s
        )
        drum = dice.standard_normal(len(time_s)) * np.exp(-30 * time_s)
        return chord + lead + drum

    return _filled(beat() for _ in iter(int, 1))


def _bursts(per_s: float, duration_s: float, decay: float, exponent: float) -> Maker:
    """Noise that begins at random times and dies away."""

    def make(dice: np.random.Generator) -> Signal:
        signal = 1e-4 * dice.standard_normal(_NO_SPEECH_S * RATE_HZ)
        time_s = _seconds(duration_s)
        for start in dice.integers(0, len(signal) - len(time_s), int(_NO_SPEECH_S * per_s)):
            burst = _coloured(dice, len(time_s), exponent) * np.exp(-decay * time_s)
            signal[start : start + len(time_s)] += (
                dice.uniform(0.3, 1) * burst / np.abs(burst).max()
            )
        return signal

    return make


def _hum(dice: np.random.Generator) -> Signal:
    return _tones(_NO_SPEECH_S, dice.choice([50.0, 60.0]), harmonics=15)


NO_SPEECH: dict[str, Maker] = {
    "white noise": lambda dice: dice.standard_normal(_NO_SPEECH_S * RATE_HZ),
    "pink noise": lambda dice: _coloured(dice, _NO_SPEECH_S * RATE_HZ, -0.5),
    "hum": _hum,
    "DTMF": _keys,
    "ring tone": _rings,
    "melody, sines, 3 a second": _melody(3, 1),
    "melody, sines, 8 a second": _melody(8, 1),
    "melody, 6 harmonics, 4 a second": _melody(4, 6),
    "vibrato, a sine": _vibrato(1),
    "vibrato, 8 harmonics": _vibrato(8),
    "siren": _siren,
    "two-tone horn": _two_tones,
    "chords, melody and drum": _music,
    "clicks": _bursts(4, 0.002, 0, 0.0),
    "keyboard": _bursts(7, 0.03, 120, 0.3),
    "door slams": _bursts(0.5, 0.8, 9, -1.0),
}
