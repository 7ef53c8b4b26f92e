"""What a session asks of the service: `AzureVoiceLiveConfig` and the objects that go into it."""

from __future__ import annotations

from .connect import FoundryAgent
from .input_audio import EchoCancellation, Encoding, Transcription
from .output import Animation, LlmInterimResponse, StaticInterimResponse, ToolChoiceFunction
from .settings import (
    AZURE_VOICE_LIVE_SAMPLE_RATE,
    DEFAULT_INSTRUCTIONS,
    AzureVoiceLiveConfig,
)
from .turn_detection import (
    AzureSemanticVad,
    AzureSemanticVadEn,
    AzureSemanticVadMultilingual,
    EndOfUtterance,
    ServerVad,
)
from .voices import (
    AvatarSyncVoice,
    AzureCustomVoice,
    AzurePersonalVoice,
    AzureRealtimeNativeVoice,
    AzureStandardVoice,
    OpenAIVoice,
)
from .wire import Option, SupportsAsDict

__all__ = [
    "AZURE_VOICE_LIVE_SAMPLE_RATE",
    "DEFAULT_INSTRUCTIONS",
    "Animation",
    "AvatarSyncVoice",
    "AzureCustomVoice",
    "AzurePersonalVoice",
    "AzureRealtimeNativeVoice",
    "AzureSemanticVad",
    "AzureSemanticVadEn",
    "AzureSemanticVadMultilingual",
    "AzureStandardVoice",
    "AzureVoiceLiveConfig",
    "EchoCancellation",
    "Encoding",
    "EndOfUtterance",
    "FoundryAgent",
    "LlmInterimResponse",
    "OpenAIVoice",
    "Option",
    "ServerVad",
    "StaticInterimResponse",
    "SupportsAsDict",
    "ToolChoiceFunction",
    "Transcription",
]
