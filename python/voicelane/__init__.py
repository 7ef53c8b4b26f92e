"""Real-time voice sessions with Azure Voice Live: a Rust audio core with a thin Python face.

The audio: `CaptureEncoder` (microphone to event text), `Resampler`, `PlaybackBuffer` (service to
speaker). The session: `AzureVoiceLive`. Nothing here needs numpy.
"""

from __future__ import annotations

from . import errors, events
from ._core import (
    AudioDelta,
    CaptureEncoder,
    PlaybackBuffer,
    PlaybackPosition,
    Resampler,
    __version__,
    build_info,
)
from .config import AzureVoiceLiveConfig
from .playback import PlaybackTrack
from .reconnect import ReconnectPolicy
from .reply import Reply
from .session import AzureVoiceLive, AzureVoiceLiveSession

__all__ = [
    "AudioDelta",
    "AzureVoiceLive",
    "AzureVoiceLiveConfig",
    "AzureVoiceLiveSession",
    "CaptureEncoder",
    "PlaybackBuffer",
    "PlaybackPosition",
    "PlaybackTrack",
    "ReconnectPolicy",
    "Reply",
    "Resampler",
    "__version__",
    "build_info",
    "errors",
    "events",
]
