"""A telephone's call, in the shape of Twilio's Media Streams: docs/gateway.md."""

from __future__ import annotations

import json
from typing import Any

from .._core import CaptureEncoder, PlaybackBuffer
from ..errors import VoiceLiveError
from .call import BYTES_PER_FRAME, Call, CallParts
from .close_codes import CallEndedError, CloseCode
from .messages import bad_message, field, parsed
from .settings import CallRequest, Encoding, GatewaySettings, PhoneStream

RATE_HZ = 8_000
_ENCODINGS: dict[str, Encoding] = {"audio/x-mulaw": "g711_ulaw", "audio/x-alaw": "g711_alaw"}
_KEYS = frozenset("0123456789*#ABCD")
_MAX_KEYS = 64
# How often the bridge is asked what was heard.
_MARK_S = 0.1
# Of the numbers in a mark.
_MAX_DIGITS = 12


class PhoneCall(Call):
    """A session and a bridge to a telephone.

    A mark that the gateway sends is named for what it stands behind: the clears so far, and the frames
    sent since the last of them. The bridge sends it back when it was played.
    """

    # It speaks at once, and the session is there a moment later.
    waits_for_greeting = False
    # 50 media messages of 20 ms, the marks and a network that stumbled.
    messages_per_s = 100

    def __init__(self, parts: CallParts) -> None:
        super().__init__(parts)
        stream = parts.request.stream
        assert stream is not None, "a call by telephone has a stream"
        encoding = stream.encoding
        self._stream_id = stream.stream_id
        self._decoder = PlaybackBuffer(RATE_HZ, encoding=encoding)
        self._encoder = CaptureEncoder(self._rate_hz, 1, encoding=encoding)
        self._marked_frames = 0
        self._keys = ""

    @classmethod
    def opening(cls, data: str | bytes, settings: GatewaySettings) -> CallRequest | None:
        """What `start` says, after `connected`."""
        message = _parsed(data)
        if message["event"] == "connected":
            return None
        if message["event"] != "start":
            raise bad_message("connected or start first", "another message")
        start = field(message, "start", dict)
        parameters = {
            str(name): str(value)
            for name, value in field(start, "customParameters", dict, {}).items()
        }
        if not settings.accepts(parameters.pop("token", "")):
            raise CallEndedError(CloseCode.UNAUTHORIZED, "the token is missing or wrong")
        media_format = field(start, "mediaFormat", dict)
        name = field(media_format, "encoding", str)
        rate_hz, channels = (
            field(media_format, "sampleRate", int),
            field(media_format, "channels", int),
        )
        if name not in _ENCODINGS or (rate_hz, channels) != (RATE_HZ, 1):
            raise bad_message(
                f"{' or '.join(_ENCODINGS)}, {RATE_HZ} Hz, 1 channel", "another format"
            )
        return CallRequest(
            "phone",
            settings.voices[0],
            settings.turn_detections[0],
            RATE_HZ,
            PhoneStream(
                field(start, "streamSid", str),
                field(start, "callSid", str, ""),
                _ENCODINGS[name],
                parameters,
            ),
        )

    # --- from the bridge ---------------------------------------------------------------------

    async def take(self, data: str | bytes) -> None:
        """A JSON message. Events that are not known are let pass: the protocol is not ours."""
        self._admit_message()
        message = _parsed(data)
        match message["event"]:
            case "media":
                await self._take_audio(field(message, "media", dict))
            case "mark":
                self._played(field(field(message, "mark", dict), "name", str))
            case "dtmf":
                await self._take_key(field(field(message, "dtmf", dict), "digit", str))
            case "start":
                raise bad_message("one start", "another")
            case "stop":
                raise CallEndedError(CloseCode.NORMAL, "the caller hung up")

    async def _take_audio(self, media: dict[str, Any]) -> None:
        if field(media, "track", str, "inbound") != "inbound":
            return
        try:
            frames = self._decoder.write_base64(field(media, "payload", str))
        except ValueError:
            raise bad_message("a payload in base64", "another") from None
        self._admit_audio(frames * BYTES_PER_FRAME)
        await self._session.handle_audio_input(self._decoder.read(frames))

    def _played(self, mark: str) -> None:
        clear, _, frames = mark.partition(":")
        if not (_is_count(clear) and _is_count(frames)):
            raise bad_message("a mark that was sent", "another")
        self._lead.reported(int(clear), int(frames), self._time())

    async def _take_key(self, key: str) -> None:
        """The agent is told the keys once # ends them."""
        if key not in _KEYS:
            raise bad_message("one of the sixteen keys", "another")
        self._active_s = self._time()
        if key != "#":
            self._keys = (self._keys + key)[-_MAX_KEYS:]
            return
        keys, self._keys = self._keys, ""
        try:
            await self._session.send_text_message(f"[The caller pressed the keys {keys}#]")
        except VoiceLiveError as error:
            self._tell_error("service", str(error))

    # --- to the bridge -----------------------------------------------------------------------

    def _tell_audio(self, pcm: bytes) -> None:
        payload = self._encoder.encode(pcm)
        self._outbox.put_audio(self._event("media", {"payload": payload}))
        sent = self._lead.sent_frames
        if sent - self._marked_frames >= _MARK_S * self._rate_hz:
            self._marked_frames = sent
            self._outbox.put_audio(self._event("mark", {"name": f"{self._lead.num_clears}:{sent}"}))

    def greet(self) -> None:
        """Nothing: the bridge knows of no beginning but its own."""

    def _tell(self, message: dict[str, Any]) -> None:
        if message["type"] != "clear":
            return
        self._encoder.reset()
        self._marked_frames = 0
        self._outbox.put({"event": "clear", "streamSid": self._stream_id})

    def _event(self, name: str, content: dict[str, str]) -> str:
        return json.dumps({"event": name, "streamSid": self._stream_id, name: content})


def _parsed(data: str | bytes) -> dict[str, Any]:
    if isinstance(data, bytes):
        raise bad_message("JSON texts", "binary")
    return parsed(data, "event")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
