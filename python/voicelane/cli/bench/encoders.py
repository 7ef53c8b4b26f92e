"""From microphone samples to base64 text: voicelane, and what else is used for it.

A library that has no downmix gets the quickest exact one that numpy has, one without base64 the
quickest that is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from voicelane import CaptureEncoder

from .conversions import Conversion
from .libraries import CannotDo, Library, by_name, fast_base64, module

Encode = Callable[[bytes], str]
MakeEncoder = Callable[[Conversion], Encode]
Resample = Callable[[Any], bytes]
"""From mono numpy int16 to bytes of the same."""


def _voicelane(quality: Literal["low_delay", "high"]) -> MakeEncoder:
    def make(conversion: Conversion) -> Encode:
        return CaptureEncoder(
            conversion.source_hz,
            conversion.channels,
            target_rate_hz=conversion.target_hz,
            encoding="g711_ulaw" if conversion.is_ulaw else "pcm16",
            quality=quality,
        ).encode

    return make


def _over_numpy(conversion: Conversion, resample: Resample) -> Encode:
    np, to_text = module("numpy"), _to_text(conversion)
    if conversion.channels == 1:
        return lambda pcm: to_text(resample(np.frombuffer(pcm, np.int16)))

    def encode(pcm: bytes) -> str:
        samples = np.frombuffer(pcm, np.int16)
        # `mean(axis=1)` alone takes 20 us.
        mono = ((samples[::2].astype(np.int32) + samples[1::2]) >> 1).astype(np.int16)
        return to_text(resample(mono))

    return encode


def _to_text(conversion: Conversion) -> Encode:
    base64 = fast_base64()
    if not conversion.is_ulaw:
        return base64
    lin2ulaw = module("audioop").lin2ulaw
    return lambda pcm: base64(lin2ulaw(pcm, 2))


def _soxr(conversion: Conversion) -> Encode:
    stream = module("soxr").ResampleStream(
        conversion.source_hz, conversion.target_hz, 1, dtype="int16", quality="HQ"
    )
    return _over_numpy(conversion, lambda mono: bytes(stream.resample_chunk(mono)))


def _samplerate(conversion: Conversion) -> Encode:
    np = module("numpy")
    resampler = module("samplerate").Resampler("sinc_fastest", channels=1)
    ratio = conversion.target_hz / conversion.source_hz

    def resample(mono: Any) -> bytes:
        output = resampler.process(mono.astype(np.float32), ratio)
        return bytes(np.clip(np.rint(output), -32_768, 32_767).astype(np.int16))

    return _over_numpy(conversion, resample)


def _resample_poly(conversion: Conversion) -> Encode:
    np, resample_poly = module("numpy"), module("scipy.signal").resample_poly

    def resample(mono: Any) -> bytes:
        output = resample_poly(mono.astype(np.float32), conversion.target_hz, conversion.source_hz)
        return bytes(np.clip(np.rint(output), -32_768, 32_767).astype(np.int16))

    return _over_numpy(conversion, resample)


def _livekit(conversion: Conversion) -> Encode:
    resampler = module("livekit.rtc").AudioResampler(
        conversion.source_hz, conversion.target_hz, num_channels=1
    )

    def resample(mono: Any) -> bytes:
        return b"".join(bytes(frame.data) for frame in resampler.push(bytearray(mono)))

    return _over_numpy(conversion, resample)


def _pyav(conversion: Conversion) -> Encode:
    av, to_text = module("av"), _to_text(conversion)
    layout = "stereo" if conversion.channels == 2 else "mono"
    resampler = av.AudioResampler(format="s16", layout="mono", rate=conversion.target_hz)

    def encode(pcm: bytes) -> str:
        frames = len(pcm) // 2 // conversion.channels
        frame = av.AudioFrame(format="s16", layout=layout, samples=frames)
        frame.planes[0].update(pcm)
        frame.sample_rate = conversion.source_hz
        # A plane may be padded beyond its samples.
        output = (bytes(out.planes[0])[: 2 * out.samples] for out in resampler.resample(frame))
        return to_text(b"".join(output))

    return encode


def _audioop(conversion: Conversion) -> Encode:
    audioop, to_text = module("audioop"), _to_text(conversion)
    state = None

    def encode(pcm: bytes) -> str:
        nonlocal state
        mono = audioop.tomono(pcm, 2, 0.5, 0.5) if conversion.channels == 2 else pcm
        rates = conversion.source_hz, conversion.target_hz
        output, state = audioop.ratecv(mono, 2, 1, *rates, state)
        return to_text(output)

    return encode


def _audio_resampler(conversion: Conversion) -> Encode:
    to_text = _to_text(conversion)
    convert = (
        module("audio_resampler")
        .Converter(conversion.source_hz, conversion.channels, conversion.target_hz, 1, "i16")
        .process
    )
    return lambda pcm: to_text(convert(pcm))


def _plugin(conversion: Conversion) -> Encode:
    """The plugin's own `handle_audio_input`, over a connection that keeps what it is given."""
    model = module("videosdk.plugins.azure.voice_live").AzureVoiceLive(
        api_key="x", endpoint="ws://127.0.0.1", model="bench"
    )
    faults: list[str] = []
    model.on("error", faults.append)
    microphone = _Microphone()
    model._session = microphone
    model.session_ready = True
    if hasattr(model, "_audio"):
        # 1.0.30 follows what its host says that it hears.
        formats = module("videosdk.agents").audio_format
        formats.publish(conversion.source_hz, conversion.channels)
    declared = (model.target_sample_rate, False)
    is_fixed = not hasattr(model, "_audio") and (conversion.source_hz, conversion.channels) != (
        model.input_sample_rate,
        2,
    )
    if is_fixed or declared != (conversion.target_hz, conversion.is_ulaw):
        raise CannotDo(f"does not do {conversion.name}")

    def encode(pcm: bytes) -> str:
        microphone.sent = ""
        run_now(model.handle_audio_input(pcm))
        if faults:
            raise RuntimeError(faults[0])
        return microphone.sent

    return encode


class _Microphone:
    """What the plugin takes for its session, connection and input buffer."""

    def __init__(self) -> None:
        self.sent = ""
        self.connection = self.input_audio_buffer = self

    async def append(self, *, audio: str) -> None:
        self.sent = audio


def run_now(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("expected a coroutine that waits for nothing")


ENCODERS: Mapping[str, Library[MakeEncoder]] = by_name(
    Library("voicelane", (), _voicelane("low_delay")),
    Library("voicelane, high", (), _voicelane("high")),
    Library("soxr HQ", ("soxr", "numpy"), _soxr),
    Library("PyAV", ("av",), _pyav),
    Library("samplerate", ("samplerate", "numpy"), _samplerate),
    Library("scipy resample_poly", ("scipy.signal", "numpy"), _resample_poly),
    Library("audioop", ("audioop", "numpy"), _audioop),
    Library("livekit", ("livekit.rtc", "numpy"), _livekit),
    Library("audio-resampler", ("audio_resampler",), _audio_resampler),
    Library("videosdk-plugins-azure", ("videosdk.plugins.azure",), _plugin),
)
