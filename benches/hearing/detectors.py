"""The detectors: each tells of every 20 ms what it holds, as `voicelane._core.VoiceActivity` does."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from sounds import RATE_HZ

from voicelane import Resampler
from voicelane._core import VoiceActivity

WINDOW_MS = 20
QUIET, SPEECH = 0, 3
_PEER_RATE_HZ = 16_000
_EARSHOT_FRAME = 256

# The PCM of a scene, 24 kHz, to a byte for each window.
Detector = Callable[[bytes], bytes]


def ours(pcm: bytes) -> bytes:
    """The simulator's."""
    return VoiceActivity(RATE_HZ).classify(pcm, 0.5)


def webrtc(mode: int) -> Detector:
    """WebRTC's, by webrtcvad-wheels; a higher mode takes less for speech."""

    def classify(pcm: bytes) -> bytes:
        import webrtcvad

        vad, samples = webrtcvad.Vad(mode), _at_16_khz(pcm)
        step = 2 * _PEER_RATE_HZ * WINDOW_MS // 1000
        frames = (samples[at : at + step] for at in range(0, len(samples) - step + 1, step))
        return bytes(SPEECH if vad.is_speech(frame, _PEER_RATE_HZ) else QUIET for frame in frames)

    return classify


def earshot(pcm: bytes) -> bytes:
    """pyke's earshot, at its own threshold; its frames are of 16 ms, the last one in a window counts."""
    import earshot as library

    detector = library.Detector()
    samples = np.frombuffer(_at_16_khz(pcm), dtype="<i2")
    whole = samples[: len(samples) // _EARSHOT_FRAME * _EARSHOT_FRAME].reshape(-1, _EARSHOT_FRAME)
    scores = [detector.predict_i16(np.ascontiguousarray(frame)) for frame in whole]
    num_windows = len(samples) * 1000 // _PEER_RATE_HZ // WINDOW_MS
    frame_of = [max(0, (window + 1) * WINDOW_MS // 16 - 1) for window in range(num_windows)]
    return bytes(SPEECH if scores[min(at, len(scores) - 1)] >= 0.5 else QUIET for at in frame_of)


def _at_16_khz(pcm: bytes) -> bytes:
    resampler = Resampler(RATE_HZ, _PEER_RATE_HZ)
    return resampler.process(pcm) + resampler.flush()


DETECTORS: dict[str, Detector] = {
    "voicelane": ours,
    f"webrtcvad {version('webrtcvad-wheels')}, mode 1": webrtc(1),
    f"webrtcvad {version('webrtcvad-wheels')}, mode 3": webrtc(3),
    f"earshot {version('earshot')}": earshot,
}
