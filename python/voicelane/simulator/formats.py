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
    def bytes_per_ms(self) -> int:
        """Bytes per millisecond of audio."""
        return self.rate_hz // 1000 * (2 if self.encoding == "pcm16" else 1)

    def encoded(self, pcm: bytes) -> bytes:
        """Return `pcm` (24 kHz, 16-bit) in this format, as long as it was and not delayed."""
        if self == OUTPUT_FORMATS["pcm16"]:
            return pcm
        encoder = CaptureEncoder(
            REPLY_RATE_HZ, 1, target_rate_hz=self.rate_hz, encoding=self.encoding, quality="high"
        )
        audio = b"".join(map(base64.b64decode, (encoder.encode(pcm), encoder.flush())))
        frame_bytes = self.bytes_per_ms * 1000 // self.rate_hz
        delay_bytes = round(encoder.delay_ms * self.rate_hz / 1000) * frame_bytes
        num_frames = len(pcm) // 2 * self.rate_hz // REPLY_RATE_HZ
        return audio[delay_bytes : delay_bytes + num_frames * frame_bytes]


OUTPUT_FORMATS = {
    "pcm16": OutputFormat(REPLY_RATE_HZ),
    "pcm16_16000hz": OutputFormat(16_000),
    "pcm16_8000hz": OutputFormat(8_000),
    "g711_ulaw": OutputFormat(8_000, "g711_ulaw"),
    "g711_alaw": OutputFormat(8_000, "g711_alaw"),
}
