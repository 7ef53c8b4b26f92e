"""A recorded barge-in: docs/audio/barge-in.wav and its spectrogram, by `python benches/record_barge_in.py`.

The agent speaks, is interrupted, and speaks again: first with a fade of 20 ms, then, for comparison,
with none. 24 kHz go in, 48 kHz come out. Speech at 24 kHz has nothing above 12 kHz: what stands there is
a click.
"""

import wave
from importlib.resources import files
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

from voicelane import PlaybackBuffer

ROOT = Path(__file__).parent.parent
RATE_HZ = 48_000
BARGE_INS = ((0.70, 20, "fade_ms=20"), (1.70, 0, "fade_ms=0"))  # where, how, and its name
NEXT_AFTER_S = 0.30
LENGTH_S = 2.6


def speech(name: str) -> bytes:
    with (files("voicelane.simulator") / "voice" / name).open("rb") as file, wave.open(file) as wav:
        return wav.readframes(wav.getnframes())


def record() -> np.ndarray:
    """20 ms a read; the first reply goes on after each barge-in with what a new response would bring."""
    playback = PlaybackBuffer(24_000, output_rate_hz=RATE_HZ)
    replies = [speech(name)[9_600:] for name in ("weather.wav", "booking.wav", "welcome.wav")]
    playback.write(replies.pop(0), item_id="first")
    events = []
    for at_s, fade_ms, _ in BARGE_INS:
        events += [(at_s, lambda fade_ms=fade_ms: playback.interrupt(fade_ms=fade_ms))]
        events += [(at_s + NEXT_AFTER_S, lambda: playback.write(replies.pop(0), item_id="next"))]
    heard = bytearray()
    while len(heard) < LENGTH_S * RATE_HZ * 2:
        while events and events[0][0] * RATE_HZ * 2 <= len(heard):
            events.pop(0)[1]()
        heard += playback.read(RATE_HZ // 50)
    return np.frombuffer(heard, np.int16)


def level_above_13_khz_db(samples: np.ndarray, at_s: float) -> float:
    """The loudest 5 ms within 40 ms of a barge-in, above 13 kHz, in dB of full scale."""
    frames = RATE_HZ // 200
    start = round(at_s * RATE_HZ) - frames
    window = np.hanning(frames)
    levels = []
    for first in range(start, start + 9 * frames, frames // 4):
        spectrum = np.fft.rfft(samples[first : first + frames] / 32_768 * window)
        high = spectrum[np.fft.rfftfreq(frames, 1 / RATE_HZ) > 13_000]
        levels.append(np.sqrt(2 * np.sum(np.abs(high) ** 2) / frames / np.sum(window**2)))
    return float(20 * np.log10(max(levels) + 1e-9))


def draw(samples: np.ndarray, levels_db: list[float], path: Path) -> None:
    figure, (wave_axes, axes) = plt.subplots(
        2, 1, figsize=(9, 4.6), sharex=True, height_ratios=(1, 2), layout="constrained"
    )
    wave_axes.plot(np.arange(len(samples)) / RATE_HZ, samples / 32_768, lw=0.4, color="#0072b2")
    wave_axes.set(ylabel="samples", ylim=(-1, 1), title="Barge-in: 24 kHz speech, heard at 48 kHz")
    with np.errstate(divide="ignore"):  # silence is exact
        *_, image = axes.specgram(
            samples / 32_768, NFFT=512, Fs=RATE_HZ, noverlap=448, vmin=-160, vmax=-50, cmap="magma"
        )
    axes.set(xlabel="seconds", ylabel="Hz (the level told is that above 13 kHz)", ylim=(0, 24_000))
    figure.colorbar(image, ax=axes, label="dB")
    for (at_s, _, name), level_db in zip(BARGE_INS, levels_db, strict=True):
        axes.annotate(
            f"{name}: {level_db:.0f} dB",
            (at_s, 15_000),
            (at_s - 0.62, 20_500),
            color="white",
            arrowprops={"arrowstyle": "->", "color": "white"},
        )
    figure.savefig(path, dpi=80, metadata={"Software": None})


def main() -> None:
    samples = record()
    levels_db = [level_above_13_khz_db(samples, at_s) for at_s, *_ in BARGE_INS]
    audio = ROOT / "docs/audio"
    audio.mkdir(exist_ok=True)
    with wave.open(str(audio / "barge-in.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    draw(samples, levels_db, ROOT / "docs/img/playback-barge-in.png")
    for (at_s, _, name), level_db in zip(BARGE_INS, levels_db, strict=True):
        print(f"{name} at {at_s} s: {level_db:.1f} dB of full scale above 13 kHz")


if __name__ == "__main__":
    main()
