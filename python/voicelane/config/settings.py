"""The settings of a session: the one class that holds them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import Annotated, Any, Literal, cast

from .changes import REPLACES, VAD_FIELDS, changed_keys, check_changes
from .checks import Checked, Flag, integer, list_of, number, one_of, plain, text, text_map
from .combinations import check_for_model, check_settings, has_agent, transcriber_for
from .connect import (
    BYOM_PROFILES,
    FoundryAgent,
    agent_of,
    check_api_version,
    check_headers,
    check_scopes,
)
from .input_audio import (
    ECHO_CANCELLATIONS,
    ENCODINGS,
    G711_RATE_HZ,
    NOISE_REDUCTIONS,
    PCM_RATES_HZ,
    Encoding,
)
from .output import (
    INCLUDES,
    INTERIM_RESPONSES,
    OUTPUT_FORMATS,
    REASONING_EFFORTS,
    TOOL_CHOICES,
)
from .turn_detection import TURN_DETECTION_TYPES
from .voices import voice_of
from .wire import SupportsAsDict, mapping, object_of, wire, wire_object

AZURE_VOICE_LIVE_SAMPLE_RATE = 24_000

DEFAULT_INSTRUCTIONS = (
    "You are a helpful voice assistant that can answer questions and help with tasks."
)

# An option of voicelane.config, a model of azure.ai.voicelive.models, or a mapping.
AnyObject = SupportsAsDict | Mapping[str, Any]

_DURATION_MS = integer(0, 60_000)
_TOKENS = integer(1, 4096)
# Sent under their own names, where they are set.
_SENT_AS_THEY_ARE = (
    "temperature", "tool_choice", "parallel_tool_calls", "reasoning_effort", "include", "metadata",
    "output_audio_timestamp_types", "animation", "avatar",
)  # fmt: skip
# The same, but a text alone may stand for their type.
_SENT_AS_OBJECTS = (
    "input_audio_noise_reduction", "input_audio_echo_cancellation", "interim_response",
)  # fmt: skip
# voicelane acts on these itself: behind its back they would only break the audio.
_NOT_EXTRA = (
    "model", "modalities", "input_audio_format", "input_audio_sampling_rate",
    "output_audio_format", "input_audio_echo_cancellation",
)  # fmt: skip


def _tokens(name: str, value: Any) -> None:
    if isinstance(value, str):
        one_of("inf")(name, value)
    else:
        _TOKENS(name, value)


def _turn_detection(name: str, value: Any) -> None:
    if value != "none":
        wire_object(name, value, choices=TURN_DETECTION_TYPES)


def _tool_choice(name: str, value: Any) -> None:
    (one_of(*TOOL_CHOICES) if isinstance(value, str) else mapping)(name, value)


def _extra_session(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a mapping, got a {type(value).__name__}")
    taken = [key for key in wire(name, dict(value)) if key in _NOT_EXTRA]
    if taken:
        raise ValueError(f"{name}: expected {taken[0]!r} as a setting of its own, got it in here")


@dataclass
class AzureVoiceLiveConfig(Checked):
    """The settings of a session, sent in its first ``session.update``.

    Plain strings, enumerations and models of ``azure.ai.voicelive.models``, the options of
    `voicelane.config` and mappings in the service's own form are equally good. What is None is not sent:
    the service takes its own default. What cannot work together is refused, here or, where it
    depends on the model, by `session_update`. The one way around that is `extra_session`.

    Attributes:
        voice: an Azure voice ("en-US-AvaNeural"), an OpenAI one ("alloy"), or an object:
            `AzureStandardVoice`, `AzureCustomVoice`, `AzurePersonalVoice`, ...
        modalities: "text" and "audio", or "text" alone; "animation" and "avatar" beside them.
        input_audio_format: what is sent: "pcm16", "g711_ulaw" or "g711_alaw".
        output_audio_format: what is received: "pcm16" (24 kHz), "pcm16_16000hz", "pcm16_8000hz",
            "g711_ulaw" or "g711_alaw" (8 kHz).
        turn_detection_threshold: server VAD, 0 to 1.
        turn_detection_prefix_padding_ms: audio kept from before the speech.
        turn_detection_silence_duration_ms: silence that ends a turn.
        temperature: of the model, 0 to 1.2; not every model takes all of it.
        max_completion_tokens: `max_response_output_tokens` by its older name.
        input_audio_transcription: a `Transcription`, or the name of the model that transcribes the user;
            "auto" takes one that goes with the session's model, None asks for no transcripts of the user.
        turn_detection: a `ServerVad`, `AzureSemanticVad`, ... or the name of a type. "server_vad", the
            default, is made of the three settings above; None and "none" leave it to you to commit.
        input_audio_sampling_rate: Hz of what is sent: 8000, 16000, 24000 (the default) or 44100 with
            "pcm16", 8000 with G.711.
        input_audio_noise_reduction: "azure_deep_noise_suppression", "near_field" or "far_field".
        input_audio_echo_cancellation: an `EchoCancellation`, or "server_echo_cancellation".
        output_audio_timestamp_types: ["word"] says when each word is spoken. Azure voices only.
        animation: an `Animation`: visemes, blend shapes.
        avatar: the avatar's settings, passed through.
        interim_response: a `StaticInterimResponse` or an `LlmInterimResponse`.
        tool_choice: "auto", "none", "required", or a `ToolChoiceFunction`.
        parallel_tool_calls: whether the model may call several tools at once.
        max_response_output_tokens: per response, 1 to 4096, or "inf".
        reasoning_effort: "none", "minimal", "low", "medium", "high" or "xhigh".
        include: what comes in addition: "item.input_audio_transcription.logprobs",
            "item.input_audio_transcription.phrases", "file_search_call.results".
        metadata: 16 pairs at most, keys of up to 64 and values of up to 512 characters.
        agent: a `FoundryAgent` that answers in the model's place. It has its own instructions: none are
            sent. An empty model name is then sent as none.
        byom_profile: the model is your own deployment: "byom-azure-openai-realtime",
            "byom-azure-openai-chat-completion" or "byom-foundry-anthropic-messages".
        foundry_resource_override: the resource where the agent or the deployment is.
        api_version: of the service, "2026-07-15"; default the client's.
        query: more parameters of the URL; they win over all others.
        headers: more HTTP headers; they win over the client's.
        credential_scopes: what a token is asked for; default the client's.
        extra_session: merged into the session last and unchecked: what the service gets tomorrow.
    """

    voice: Annotated[str | AnyObject, voice_of] = "en-US-AvaNeural"
    modalities: Annotated[Sequence[str], list_of("text", "audio", "animation", "avatar")] = field(
        default_factory=lambda: ["text", "audio"]
    )
    input_audio_format: Annotated[str, one_of(*ENCODINGS)] = "pcm16"
    output_audio_format: Annotated[str, one_of(*OUTPUT_FORMATS)] = "pcm16"
    turn_detection_threshold: Annotated[float, number(0, 1)] = 0.5
    turn_detection_prefix_padding_ms: Annotated[int, _DURATION_MS] = 300
    turn_detection_silence_duration_ms: Annotated[int, _DURATION_MS] = 500
    # The client's documents say 0 to 1, the service's 0.6 to 1.2.
    temperature: Annotated[float | None, number(0, 1.2)] = None
    max_completion_tokens: Annotated[int | None, _TOKENS] = None
    input_audio_transcription: Annotated[str | AnyObject | None, object_of("model")] = "auto"
    _: KW_ONLY
    turn_detection: Annotated[str | AnyObject | None, _turn_detection] = "server_vad"
    input_audio_sampling_rate: Annotated[int | None, one_of(*PCM_RATES_HZ)] = None
    input_audio_noise_reduction: Annotated[
        str | AnyObject | None, object_of(choices=NOISE_REDUCTIONS)
    ] = None
    input_audio_echo_cancellation: Annotated[
        str | AnyObject | None, object_of(choices=ECHO_CANCELLATIONS)
    ] = None
    output_audio_timestamp_types: Annotated[Sequence[str] | None, list_of("word")] = None
    animation: Annotated[AnyObject | None, mapping] = None
    # An avatar's settings hold the passwords of its ICE servers.
    avatar: Annotated[AnyObject | None, mapping] = field(default=None, repr=False)
    interim_response: Annotated[str | AnyObject | None, object_of(choices=INTERIM_RESPONSES)] = None
    tool_choice: Annotated[str | AnyObject | None, _tool_choice] = None
    parallel_tool_calls: Flag = None
    max_response_output_tokens: Annotated[int | Literal["inf"] | None, _tokens] = None
    reasoning_effort: Annotated[str | None, one_of(*REASONING_EFFORTS)] = None
    include: Annotated[Sequence[str] | None, list_of(*INCLUDES, least=0)] = None
    metadata: Annotated[
        Mapping[str, str] | None, text_map(most=16, key_length=64, value_length=512)
    ] = None
    agent: Annotated[FoundryAgent | Mapping[str, str] | None, agent_of] = None
    byom_profile: Annotated[str | None, one_of(*BYOM_PROFILES)] = None
    foundry_resource_override: Annotated[str | None, text] = None
    api_version: Annotated[str | None, check_api_version] = None
    query: Annotated[Mapping[str, str], text_map()] = field(default_factory=dict, repr=False)
    headers: Annotated[Mapping[str, str], check_headers] = field(default_factory=dict, repr=False)
    credential_scopes: Annotated[str | Sequence[str] | None, check_scopes] = None
    extra_session: Annotated[Mapping[str, Any], _extra_session] = field(
        default_factory=dict, repr=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not {"text", "audio"} & {plain(one) for one in self.modalities}:
            raise ValueError(f"modalities: expected 'text' or 'audio', got {self.modalities!r}")
        self._check_doubles()
        check_settings(self._settings(""))

    # --- the audio ---------------------------------------------------------------------------

    @property
    def has_audio(self) -> bool:
        """Whether the session hears and speaks."""
        return "audio" in map(plain, self.modalities)

    @property
    def input_encoding(self) -> Encoding:
        """How microphone audio is sent."""
        return cast(Encoding, plain(self.input_audio_format))

    @property
    def input_rate_hz(self) -> int:
        """The rate at which it is sent: G.711 is 8 kHz."""
        if self.input_audio_sampling_rate is not None:
            return self.input_audio_sampling_rate
        return AZURE_VOICE_LIVE_SAMPLE_RATE if self.input_encoding == "pcm16" else G711_RATE_HZ

    @property
    def input_channels(self) -> int:
        """Channels that are sent: 2 is the microphone and, interleaved with it, what is played."""
        return (self._object("input_audio_echo_cancellation") or {}).get("channels") or 1

    @property
    def output_encoding(self) -> Encoding:
        """How the agent's audio arrives."""
        return OUTPUT_FORMATS[plain(self.output_audio_format)].encoding

    @property
    def output_rate_hz(self) -> int:
        """The rate at which it arrives."""
        return OUTPUT_FORMATS[plain(self.output_audio_format)].rate_hz

    # --- the connection ----------------------------------------------------------------------

    def connect_query(self, model: str) -> dict[str, str]:
        """The URL's parameters. Without `api_version`, the client adds its own."""
        given = {
            "api-version": self.api_version,
            "model": model,
            **(agent_of("agent", self.agent).query() if self.agent is not None else {}),
            "profile": self.byom_profile,
            "foundry-resource-override": self.foundry_resource_override,
            "features": "client_ec_reference:true" if self.input_channels == 2 else None,
        }
        return {name: value for name, value in given.items() if value} | dict(self.query)

    # --- the session -------------------------------------------------------------------------

    def session_update(self, *, model: str, instructions: str) -> dict[str, Any]:
        """The ``session`` object of the first ``session.update``.

        Raises:
            ValueError, TypeError: a setting does not go with the model, or was assigned a bad value.
        """
        self.__post_init__()  # a setting may have been assigned since
        query = self.connect_query(model)
        settings = self._settings(model)
        if not self.has_audio:
            settings.pop("input_audio_transcription", None)
        check_for_model(settings, model, query)
        if not has_agent(query):
            settings["instructions"] = instructions
        settings |= wire("extra_session", dict(self.extra_session))
        return settings

    def session_changes(
        self, *, session_model: str | None = None, agent_has_spoken: bool = False, **changes: Any
    ) -> dict[str, Any]:
        """The ``session`` object of a ``session.update`` in the course of a session.

        Args:
            session_model: the session's model, to refuse what does not go with it.
            agent_has_spoken: then the voice is fixed.
            changes: settings by the names of this class, and ``instructions``. None goes back to the
                service's default.

        Raises:
            ValueError, TypeError: a value is bad, or the setting cannot change during a session. The
                text begins with its name.
        """
        check_changes(changes, known=[item.name for item in fields(self)])
        if agent_has_spoken and "voice" in changes:
            raise ValueError("voice: expected no change once the agent has spoken, got one")
        instructions = {key: changes.pop(key) for key in ("instructions",) if key in changes}
        if instructions and has_agent(self.connect_query("")):
            raise ValueError(
                "instructions: expected none with an agent, which has its own, got some"
            )
        after = self.with_changes(**changes)
        if after.input_channels != self.input_channels:
            raise ValueError(
                "input_audio_echo_cancellation: expected as many channels as the session began with, "
                f"{self.input_channels}, got {after.input_channels}"
            )
        if changes.get("input_audio_transcription") == "auto" and session_model is None:
            raise ValueError("input_audio_transcription: expected the name of a model, got 'auto'")
        settings = after._settings(session_model or "")
        if session_model is not None:
            check_for_model(settings, session_model, self.connect_query(session_model))
        extra: dict[str, Any] = wire("extra_session", dict(changes.pop("extra_session", {})))
        return instructions | changed_keys(settings, changes) | extra

    def with_changes(self, **changes: Any) -> AzureVoiceLiveConfig:
        """A config with these settings changed; what they take the place of is as by default.

        `extra_session` is merged into what was there.

        Raises:
            ValueError, TypeError: a value is bad.
        """
        replaced = {other for name in changes for other in REPLACES.get(name, ())}
        defaults = {item.name: item.default for item in fields(self) if item.name in replaced}
        new: dict[str, Any] = defaults | changes
        after = replace(self, **new)
        kept = {key: value for key, value in self.extra_session.items() if key not in changes}
        after.extra_session = kept | dict(changes.get("extra_session", {}))
        return after

    def _check_doubles(self) -> None:
        if self.turn_detection != "server_vad":
            for name in VAD_FIELDS:
                value = getattr(self, name)
                if value != getattr(AzureVoiceLiveConfig, name):
                    raise ValueError(
                        f"{name}: expected only with turn_detection='server_vad', got {value!r} beside "
                        "another turn_detection: set it there"
                    )
        limits = {self.max_completion_tokens, self.max_response_output_tokens} - {None}
        if len(limits) > 1:
            raise ValueError(
                "max_completion_tokens: expected the same as max_response_output_tokens or None, "
                f"got {self.max_completion_tokens!r} and {self.max_response_output_tokens!r}"
            )

    def _settings(self, model: str) -> dict[str, Any]:
        """The session, but for instructions and extras."""
        transcriber = transcriber_for(model, self.connect_query(model))
        settings = {
            "modalities": [plain(one) for one in self.modalities],
            "voice": voice_of("voice", self.voice),
            "input_audio_format": self.input_encoding,
            "input_audio_sampling_rate": self.input_rate_hz,
            "output_audio_format": plain(self.output_audio_format),
            "turn_detection": self._turn_detection(),
            "max_response_output_tokens": (
                self.max_response_output_tokens or self.max_completion_tokens
            ),
            "input_audio_transcription": (
                {"model": transcriber}
                if self.input_audio_transcription == "auto"
                else self._object("input_audio_transcription", key="model")
            ),
            **{name: self._object(name) for name in _SENT_AS_OBJECTS},
            **{name: wire(name, getattr(self, name)) for name in _SENT_AS_THEY_ARE},
        }
        # None is "not set" for all but the turn detection: there it is "none".
        return {
            name: value
            for name, value in settings.items()
            if value is not None or name == "turn_detection"
        }

    def _object(self, name: str, *, key: str = "type") -> dict[str, Any] | None:
        value = getattr(self, name)
        return None if value is None else wire_object(name, value, key=key)

    def _turn_detection(self) -> dict[str, Any] | None:
        if self.turn_detection is None or self.turn_detection == "none":
            return None
        if self.turn_detection != "server_vad":
            return wire_object("turn_detection", self.turn_detection)
        return {
            "type": "server_vad",
            "threshold": self.turn_detection_threshold,
            "prefix_padding_ms": self.turn_detection_prefix_padding_ms,
            "silence_duration_ms": self.turn_detection_silence_duration_ms,
        }
