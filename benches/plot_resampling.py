"""Measures and draws the pictures of docs/resampling.md.

    python benches/plot_resampling.py [directory, default docs/img]

Everything is measured through the public classes and the peers' own, with 16-bit samples in and
out, in calls of 20 ms. A tone's level is its projection through a Blackman-Harris window; faint
noise (3 steps rms, far below the tone) keeps the 16-bit output from rounding small tones to
silence. The floor of such a measurement is about -125 dB.
"""

import base64
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import scipy.signal

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import matplotlib.pyplot as plt

from audio import Float, from_bytes, to_pcm, tone
from voicelane import Resampler
from voicelane.cli.bench.conversions import Conversion, chunks
from voicelane.cli.bench.encoders import ENCODERS, MakeEncoder

SOURCE_HZ, TARGET_HZ = 48_000, 24_000
CONVERSION = Conversion(SOURCE_HZ, 1, TARGET_HZ)
AMPLITUDE = 25_000.0
COLOURS = {
    "voicelane low_delay": "#0b6e4f",
    "voicelane high": "#1f78b4",
    "soxr HQ": "#888888",
    "PyAV": "#e08a00",
    "original (scipy)": "#c0392b",
    "audio-resampler": "#8e44ad",
}

Process = Callable[[Float], Float]


def resampler(quality: str, source_hz: int = SOURCE_HZ, target_hz: int = TARGET_HZ) -> Process:
    def process(signal: Float) -> Float:
        stream = Resampler(source_hz, target_hz, quality=quality)  # type: ignore[arg-type]
        return from_bytes(stream.process(to_pcm(signal))).astype(np.float64)

    return process


def original(_: Conversion) -> Callable[[bytes], str]:
    """The plugin of 0.0.60, restated, whose packages clash with ours: one FFT for each chunk."""

    def encode(pcm: bytes) -> str:
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        output = scipy.signal.resample(samples, len(samples) * TARGET_HZ // SOURCE_HZ)
        return base64.b64encode(np.clip(output, -32_768, 32_767).astype(np.int16)).decode()

    return encode


def peer(make: MakeEncoder) -> Process:
    def process(signal: Float) -> Float:
        encode = make(CONVERSION)
        calls = chunks(CONVERSION, to_pcm(signal).tobytes(), SOURCE_HZ // 50)
        texts = map(encode, calls)
        return np.concatenate([CONVERSION.samples_of(text) for text in texts]).astype(np.float64)

    return process


PROCESSES: dict[str, Process] = {
    "voicelane low_delay": resampler("low_delay"),
    "voicelane high": resampler("high"),
    "soxr HQ": peer(ENCODERS["soxr HQ"].make),
    "PyAV": peer(ENCODERS["PyAV"].make),
    "original (scipy)": peer(original),
    "audio-resampler": peer(ENCODERS["audio-resampler"].make),
}


def level_db(process: Process, frequency_hz: float, source_hz: int, target_hz: int) -> float:
    """The level of a tone in the output, relative to the input; an alias where it folds to."""
    noise = np.random.default_rng(1).normal(0, 3, source_hz)
    output = process(tone(frequency_hz, source_hz, source_hz, AMPLITUDE) + noise)[target_hz // 10 :]
    window = scipy.signal.windows.blackmanharris(len(output))
    turns = np.exp(-2j * np.pi * frequency_hz / target_hz * np.arange(len(output)))
    return float(20 * np.log10(2 * abs(np.sum(window * turns * output)) / window.sum() / AMPLITUDE))


def magnitude_response(ax: plt.Axes, zoom: plt.Axes) -> None:
    # Off the folding frequency, where a tone meets its own alias.
    frequencies = np.concatenate([np.linspace(211, 9_900, 30), np.linspace(10_003, 15_011, 140)])
    for name in ("voicelane low_delay", "voicelane high"):
        levels = [level_db(PROCESSES[name], f, SOURCE_HZ, TARGET_HZ) for f in frequencies]
        for axes in (ax, zoom):
            axes.plot(frequencies / 1000, levels, color=COLOURS[name], label=name, lw=1.3)
    for edge_khz, floor_db, name in ((13.2, -80, "low_delay"), (12.24, -100, "high")):
        colour = COLOURS[f"voicelane {name}"]
        ax.plot([edge_khz, 15], [floor_db, floor_db], "--", color=colour, lw=0.9)
    ax.set(xlim=(0, 15), ylim=(-135, 5), ylabel="level in the output, dB")
    ax.set_title("dashed: what each quality promises", fontsize=9)
    zoom.set(xlim=(0, 12), ylim=(-0.3, 0.1), title="passband")
    zoom.axhspan(-0.1, 0.1, color="#0b6e4f", alpha=0.08)
    ax.legend(loc="lower left")


def alias_sweep(ax: plt.Axes) -> None:
    frequencies = np.concatenate([np.linspace(12_053, 15_917, 60), np.linspace(16_111, 23_877, 40)])
    for name, process in PROCESSES.items():
        levels = [level_db(process, f, SOURCE_HZ, TARGET_HZ) for f in frequencies]
        ax.plot(frequencies / 1000, levels, color=COLOURS[name], label=name, lw=1.3)
    ax.set(xlim=(12, 24), ylim=(-135, 5), ylabel="level of the alias, dB")
    ax.legend(loc="upper right")


def chunk_edges(ax: plt.Axes) -> None:
    for name in ("original (scipy)", "voicelane low_delay"):
        output = PROCESSES[name](tone(997.0, SOURCE_HZ, SOURCE_HZ, AMPLITUDE))[2400:14400]
        window = scipy.signal.windows.blackmanharris(len(output))
        spectrum = np.abs(np.fft.rfft(window * output)) * 2 / window.sum() / AMPLITUDE
        frequencies = np.fft.rfftfreq(len(output), 1 / TARGET_HZ)
        levels = 20 * np.log10(np.maximum(spectrum, 1e-9))
        ax.plot(frequencies / 1000, levels, color=COLOURS[name], label=name, lw=0.7)
    ax.set(xlim=(0, 12), ylim=(-135, 5), ylabel="dB of the tone")
    ax.set_title("a 997 Hz tone in calls of 20 ms: what is not at 997 Hz was added", fontsize=9)
    ax.legend(loc="upper right")


def step_response(ax: plt.Axes) -> None:
    step = np.where(np.arange(4800) < 2400, 0.0, 10_000.0)
    for name in ("voicelane low_delay", "voicelane high"):
        output = PROCESSES[name](step) / 10_000
        times_ms = (np.arange(len(output)) / TARGET_HZ - 2400 / SOURCE_HZ) * 1000
        ax.plot(times_ms, output, ".-", color=COLOURS[name], label=name, lw=1, ms=4)
    ax.axvline(0, color="#444444", lw=0.8)
    ax.set(xlim=(-0.5, 6), ylabel="output")
    ax.set_title(
        "the step comes in at 0 ms; each output stands where its call returned it", fontsize=9
    )
    ax.legend(loc="lower right")


def save(figure: plt.Figure, path: Path, x_label: str) -> None:
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        axes.set_xlabel(x_label)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(path)


def main(directory: Path) -> None:
    mpl.rcParams.update({"svg.hashsalt": "voicelane", "font.size": 9, "figure.dpi": 100})
    directory.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    magnitude_response(*axes)
    save(figure, directory / "magnitude.svg", "frequency in, kHz (48 to 24 kHz)")
    for name, draw, x_label in (
        ("alias", alias_sweep, "frequency in, kHz (48 to 24 kHz)"),
        ("chunk-edges", chunk_edges, "frequency out, kHz (48 to 24 kHz)"),
        ("step", step_response, "time, ms (48 to 24 kHz)"),
    ):
        figure, ax = plt.subplots(figsize=(9, 3.6))
        draw(ax)
        save(figure, directory / f"{name}.svg", x_label)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/img"))
