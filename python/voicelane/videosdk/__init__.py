"""The drop-in for VideoSDK Agents: the names of ``videosdk.plugins.azure``, over voicelane.

    from voicelane.videosdk import AzureVoiceLive, AzureVoiceLiveConfig

    pipeline = Pipeline(llm=AzureVoiceLive(model="gpt-realtime"))             # videosdk-agents 1.x
    pipeline = RealTimePipeline(model=AzureVoiceLive(model="gpt-realtime"))   # videosdk-agents 0.x

The only part of voicelane that imports VideoSDK.

Raises:
    ImportError: VideoSDK Agents is not installed.
"""

from __future__ import annotations

try:
    import videosdk.agents as _agents
except ModuleNotFoundError as error:
    if error.name not in ("videosdk", "videosdk.agents"):
        raise
    raise ImportError(
        "voicelane.videosdk needs VideoSDK Agents: pip install 'voicelane[videosdk]'"
    ) from error

from ..config import AzureVoiceLiveConfig
from ..open_session import AzureVoiceLiveSession
from .model import AzureVoiceLive
from .paths import install, uninstall
from .track import AgentAudioTrack

del _agents

__all__ = [
    "AgentAudioTrack",
    "AzureVoiceLive",
    "AzureVoiceLiveConfig",
    "AzureVoiceLiveSession",
    "install",
    "uninstall",
]
