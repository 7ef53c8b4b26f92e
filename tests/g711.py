"""G.711 by its definition, sample by sample: what the simulator's formats are held against."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable


def pcm16_samples(pcm: bytes) -> array[int]:
    """Return the samples of 16-bit little-endian PCM of whole samples."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _ulaw_sample(code: int) -> int:
    """ITU-T G.711 mu-law, 14-bit range scaled to 16."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return 0x84 - magnitude if code & 0x80 else magnitude - 0x84


def _alaw_sample(code: int) -> int:
    """ITU-T G.711 A-law, 13-bit range scaled to 16."""
    code ^= 0x55
    exponent = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + 8
    if exponent:
        magnitude = (magnitude + 0x100) << (exponent - 1)
    return magnitude if code & 0x80 else -magnitude


_ULAW = tuple(map(_ulaw_sample, range(256)))
_ALAW = tuple(map(_alaw_sample, range(256)))


def ulaw_samples(encoded: bytes) -> array[int]:
    """Return the samples of G.711 mu-law bytes."""
    return array("h", map(_ULAW.__getitem__, encoded))


def alaw_samples(encoded: bytes) -> array[int]:
    """Return the samples of G.711 A-law bytes."""
    return array("h", map(_ALAW.__getitem__, encoded))


DECODERS: dict[str, Callable[[bytes], array[int]]] = {
    "pcm16": pcm16_samples,
    "g711_ulaw": ulaw_samples,
    "g711_alaw": alaw_samples,
}
