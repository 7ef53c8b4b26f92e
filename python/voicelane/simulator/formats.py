"""The output audio formats, and encoding reply audio in them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Literal

from voicelane import CaptureEncoder

REPLY_RATE_HZ = 24_000

Encoding = Literal["pcm16", "g711_ulaw", "g711_alaw"]


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How reply audio is sent."""

    rate_hz: int
    encoding: Encoding = "pcm16"

    @property
    def frame_bytes(self) -> int:
        """Bytes per sample."""
        return 2 if self.encoding == "pcm16" else 1

    @property
    def bytes_per_ms(self) -> float:
        """Bytes per millisecond of audio."""
        return self.rate_hz * self.frame_bytes / 1000

    def encoded(self, pcm: bytes) -> bytes:
        """Return `pcm` (24 kHz, 16-bit) in this format, as long as it was and not delayed."""
        if (self.rate_hz, self.encoding) == (REPLY_RATE_HZ, "pcm16"):
            return pcm
        encoder = CaptureEncoder(
            REPLY_RATE_HZ, 1, target_rate_hz=self.rate_hz, encoding=self.encoding, quality="high"
        )
        audio = b"".join(map(base64.b64decode, (encoder.encode(pcm), encoder.flush())))
        delay_bytes = round(encoder.delay_ms * self.rate_hz / 1000) * self.frame_bytes
        num_frames = len(pcm) // 2 * self.rate_hz // REPLY_RATE_HZ
        return audio[delay_bytes : delay_bytes + num_frames * self.frame_bytes]


OUTPUT_FORMATS = {
    "pcm16": OutputFormat(REPLY_RATE_HZ),
    "pcm16_16000hz": OutputFormat(16_000),
    "pcm16_8000hz": OutputFormat(8_000),
    "g711_ulaw": OutputFormat(8_000, "g711_ulaw"),
    "g711_alaw": OutputFormat(8_000, "g711_alaw"),
    # Not documented; the service's own live tests ask for them with Azure voices.
    "pcm16_22050hz": OutputFormat(22_050),
    "pcm16_24000hz": OutputFormat(REPLY_RATE_HZ),
    "pcm16_44100hz": OutputFormat(44_100),
    "pcm16_48000hz": OutputFormat(48_000),
}
