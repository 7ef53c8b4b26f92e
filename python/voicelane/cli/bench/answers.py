"""Whether an encoder's answer is right: held against tones in float64, whose conversion is known exactly."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from .conversions import Conversion, chunks, tone_pcm
from .encoders import Encode

LEAST_SNR_DB = 30.0
"""8-bit code words leave 38 dB."""
LEAST_REJECTION_DB = 20.0
MOST_HELD_BACK_MS = 20.0
"""Who answers later than one frame is late for the next."""
_AMPLITUDE = 16_000.0
_SECONDS = 0.7
_SETTLED_S, _COMPARED_S = 0.15, 0.4
_CHUNK_MS = 20
_PULSE_S = 0.003


@dataclass(frozen=True)
class Answer:
    """What came out.

    Attributes:
        snr_db: of a 997 Hz tone against that tone in float64, at the phase that fits best.
        rejection_db: how far a tone at 1.125 of the lower Nyquist frequency is below what went in; None
            where there is no such tone.
        missing_ms: input that had no output at the end; negative where there was too much.
        held_back_ms: the most that was due and not there after a call.
        delay_ms: how late a pulse stands in the output, held back or not.
    """

    snr_db: float
    rejection_db: float | None
    missing_ms: float
    held_back_ms: float
    delay_ms: float

    @property
    def fault(self) -> str | None:
        """Why it is not ranked; None where it is right and in time."""
        if self.missing_ms < -1.0:
            return f"wrong: {-self.missing_ms:.0f} ms more than went in"
        if self.snr_db < LEAST_SNR_DB:
            return f"wrong: {self.snr_db:.0f} dB SNR"
        if self.rejection_db is not None and self.rejection_db < LEAST_REJECTION_DB:
            return f"wrong: an alias at -{max(0.0, self.rejection_db):.0f} dB"
        if self.held_back_ms > MOST_HELD_BACK_MS:
            return f"late: holds {self.held_back_ms:.0f} ms back"
        return None


def answer_of(conversion: Conversion, make: Callable[[Conversion], Encode]) -> Answer:
    """Sends tones and a pulse through, 20 ms a call."""
    rate_hz = conversion.target_hz
    output, held_back_ms = _through(conversion, make, 997.0)
    due = round(_SECONDS * rate_hz)
    settled = output[round(_SETTLED_S * rate_hz) :][: round(_COMPARED_S * rate_hz)]
    edge_hz = 1.125 * min(conversion.source_hz, rate_hz) / 2
    rejection_db = None
    if edge_hz < conversion.source_hz / 2:
        alias, _ = _through(conversion, make, edge_hz)
        rejection_db = _rejection_db(alias[round(_SETTLED_S * rate_hz) :])
    return Answer(
        snr_db=_snr_db(settled, 997.0, rate_hz) if len(settled) > 100 else 0.0,
        rejection_db=rejection_db,
        missing_ms=(due - len(output)) / rate_hz * 1000,
        held_back_ms=held_back_ms,
        delay_ms=_delay_ms(conversion, make(conversion)),
    )


def _through(
    conversion: Conversion, make: Callable[[Conversion], Encode], frequency_hz: float
) -> tuple[array[int], float]:
    """What comes out of a tone, and the most that was held back, in milliseconds."""
    encode = make(conversion)
    pcm = tone_pcm(conversion, frequency_hz, _SECONDS, _AMPLITUDE)
    output = array("h")
    held_back_ms, fed_frames = 0.0, 0
    for chunk in chunks(conversion, pcm, conversion.frames_of(_CHUNK_MS)):
        output += conversion.samples_of(encode(chunk))
        fed_frames += conversion.frames_of(_CHUNK_MS)
        lag_s = fed_frames / conversion.source_hz - len(output) / conversion.target_hz
        held_back_ms = max(held_back_ms, lag_s * 1000)
    return output, held_back_ms


def _snr_db(samples: array[int], frequency_hz: float, rate_hz: int) -> float:
    """Against the best-fitting sine: least squares on its sine and cosine."""
    step = 2 * math.pi * frequency_hz / rate_hz
    sines = [math.sin(step * n) for n in range(len(samples))]
    cosines = [math.cos(step * n) for n in range(len(samples))]
    ss, cc = sum(s * s for s in sines), sum(c * c for c in cosines)
    sc = sum(map(_product, sines, cosines))
    ys, yc = sum(map(_product, samples, sines)), sum(map(_product, samples, cosines))
    scale = ss * cc - sc * sc
    a, b = (ys * cc - yc * sc) / scale, (yc * ss - ys * sc) / scale
    fit = [a * s + b * c for s, c in zip(sines, cosines, strict=True)]
    noise = sum((y - f) ** 2 for y, f in zip(samples, fit, strict=True))
    return 10 * math.log10(max(sum(f * f for f in fit), 1e-9) / max(noise, 1e-9))


def _product(one: float, other: float) -> float:
    return one * other


def _rejection_db(samples: array[int]) -> float:
    rms = math.sqrt(sum(y * y for y in samples) / max(1, len(samples)))
    return 20 * math.log10(_AMPLITUDE / math.sqrt(2) / max(rms, 0.1))


def _delay_ms(conversion: Conversion, encode: Encode) -> float:
    """From the middle of a Gaussian pulse to the middle of what it became."""
    middle_s = 0.110  # of a call, where nothing meets an edge
    rate_hz = conversion.source_hz
    pulse = [
        _AMPLITUDE * math.exp(-0.5 * ((n / rate_hz - middle_s) / (_PULSE_S / 6)) ** 2)
        for n in range(rate_hz // 2)
    ]
    output = array("h")
    for chunk in chunks(conversion, conversion.pcm_of(pulse), conversion.frames_of(_CHUNK_MS)):
        output += conversion.samples_of(encode(chunk))
    energy = sum(y * y for y in output)
    moment = sum(n * y * y for n, y in enumerate(output))
    return (moment / max(energy, 1) / conversion.target_hz - middle_s) * 1000
