"""What a gateway is told once, and what it tells the session factory of each call."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from ..config import AzureVoiceLiveConfig
from ..session import AzureVoiceLive
from ..transport.handshake import is_loopback

DEFAULT_VOICES = (
    "en-US-AvaNeural",
    "en-US-AndrewNeural",
    "en-GB-SoniaNeural",
    "de-DE-KatjaNeural",
    "fr-FR-DeniseNeural",
    "es-ES-ElviraNeural",
)
TURN_DETECTIONS = (
    "server_vad",
    "azure_semantic_vad",
    "azure_semantic_vad_multilingual",
    "none",
)

Encoding = Literal["g711_ulaw", "g711_alaw"]


@dataclass(frozen=True, slots=True)
class PhoneStream:
    """What the bridge says of a telephone's call.

    Attributes:
        stream_id: its `streamSid`.
        call_id: its `callSid`, "" where it has none.
        encoding: of the audio both ways, 8 kHz. A session that has it too (`CallRequest.config`)
            passes it on as it is.
        parameters: its `customParameters` but for the token.
    """

    stream_id: str
    call_id: str
    encoding: Encoding
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call that is to begin.

    Attributes:
        kind: which entry it came by: `/ws` or `/media-stream`.
        voice: one of `GatewaySettings.voices`.
        turn_detection: the name of a type, or "none" for push-to-talk.
        input_sample_rate_hz: of the mono audio that the client will send.
        stream: of a call by telephone.
    """

    kind: Literal["browser", "phone"]
    voice: str
    turn_detection: str
    input_sample_rate_hz: int
    stream: PhoneStream | None = None

    def config(self, **settings: Any) -> AzureVoiceLiveConfig:
        """What the client asked for, and what else is given, as the session's settings.

        Raises:
            ValueError, TypeError: as `AzureVoiceLiveConfig` does.
        """
        asked: dict[str, Any] = {"voice": self.voice, "turn_detection": self.turn_detection}
        if self.stream is not None:
            asked["input_audio_format"] = asked["output_audio_format"] = self.stream.encoding
            asked["input_audio_sampling_rate"] = self.input_sample_rate_hz
        return AzureVoiceLiveConfig(**{**asked, **settings})


# Makes the session of a call, not yet connected. The gateway connects and closes it.
SessionFactory = Callable[[CallRequest], AzureVoiceLive | Awaitable[AzureVoiceLive]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Limits and what a call may choose.

    Attributes:
        token: what clients must bring; None lets everybody in, which is for loopback alone.
        origins: whose pages may call beside the gateway's own ("https://shop.example"). Without a token
            the gateway's own are those on loopback alone.
        voices: what a call may choose; the first is the default.
        turn_detections: the same for turn detection.
        max_calls: how many calls may be open at once.
        max_greeting: how many connections may be open that have not said what they want.
        hello_timeout_s: within which they must.
        idle_timeout_s: a call ends when nobody spoke or wrote for so long.
        max_call_s: how long a call may last.
        lead_ms: how far the audio in the client may be ahead of its play head.
        drain_s: how long calls may go on when the gateway stops.
        is_simulator: told to the page.

    Raises:
        ValueError: the token is empty.
    """

    token: str | None = None
    origins: frozenset[str] = frozenset()
    voices: tuple[str, ...] = DEFAULT_VOICES
    turn_detections: tuple[str, ...] = TURN_DETECTIONS
    max_calls: int = 200
    max_greeting: int = 100
    hello_timeout_s: float = 5.0
    idle_timeout_s: float = 300.0
    max_call_s: float = 3600.0
    lead_ms: int = 160
    drain_s: float = 120.0
    is_simulator: bool = False

    def __post_init__(self) -> None:
        # As an environment variable without a value gives it: it would let everybody in.
        if self.token == "":
            raise ValueError("token: expected None or at least one character, got ''")

    def accepts(self, token: str) -> bool:
        """Whether who brings this token may call; takes as long whether it is nearly right or not."""
        return self.token is None or hmac.compare_digest(
            token.encode("utf-8", "surrogatepass"), self.token.encode()
        )

    def accepts_origin(self, origin: str, host: str) -> bool:
        """Whether a page from there may call a gateway that it knows by this host and port."""
        if origin in self.origins:
            return True
        try:
            url = urlsplit(origin)
        except ValueError:
            return False
        # Anybody can have a name of theirs lead to loopback (DNS rebinding): a token they have not.
        return url.netloc == host and (self.token is not None or is_loopback(url.hostname or ""))
