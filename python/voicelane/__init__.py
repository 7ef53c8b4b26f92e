"""Real-time voice sessions with Azure Voice Live: a Rust audio core with a thin Python face.

The audio: `CaptureEncoder` (microphone to event text), `Resampler`, `PlaybackBuffer` (service to
speaker). The session: `AzureVoiceLive`. What the model may call: functions, `Tool`, `MCPServer`.
Nothing here needs numpy.
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
    read_many,
)
from .actions import MCPApprovalRequest
from .config import AzureVoiceLiveConfig
from .engine import configure_engine
from .many import feed_many
from .open_session import AzureVoiceLiveSession
from .playback import PlaybackTrack
from .reconnect import ReconnectPolicy
from .reply import Reply
from .session import AzureVoiceLive
from .tools import MCPServer, Tool, ToolSet

__all__ = [
    "AudioDelta",
    "AzureVoiceLive",
    "AzureVoiceLiveConfig",
    "AzureVoiceLiveSession",
    "CaptureEncoder",
    "MCPApprovalRequest",
    "MCPServer",
    "PlaybackBuffer",
    "PlaybackPosition",
    "PlaybackTrack",
    "ReconnectPolicy",
    "Reply",
    "Resampler",
    "Tool",
    "ToolSet",
    "__version__",
    "build_info",
    "configure_engine",
    "errors",
    "events",
    "feed_many",
    "read_many",
]
