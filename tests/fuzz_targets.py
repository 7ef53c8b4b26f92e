"""The entries of Python that take bytes from outside, as a fuzzer sees them: what comes, and what must hold.

Each check returns how many bytes it tried, of audio how many were taken. To add one is to add a strategy and
a check to `TARGETS`; `tests/test_fuzz.py` and `make fuzz` then run it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import tempfile
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from aiohttp import web
from hypothesis import strategies as st

from cli_support import wav_bytes
from voicelane import AzureVoiceLive, CaptureEncoder, PlaybackBuffer, Resampler, protocol
from voicelane.actions import Action
from voicelane.cli.audio_file import MAX_CHANNELS, AudioInput
from voicelane.cli.exit_codes import CommandError, ExitCode
from voicelane.gateway.browser import BrowserCall
from voicelane.gateway.call import CallParts
from voicelane.gateway.close_codes import CallEndedError, CloseCode
from voicelane.gateway.metrics import GatewayMetrics
from voicelane.gateway.outbox import Outbox
from voicelane.gateway.settings import CallRequest, GatewaySettings
from voicelane.reply import Reply
from voicelane.simulator.conversation import Conversation
from voicelane.simulator.events import Ids
from voicelane.simulator.record import Record
from voicelane.simulator.responder import Responder, Voice

_VOICE = Voice(100)
_HEAD = SimpleNamespace(item_id="i", content_index=0, audio_end_ms=5)
_REFUSALS = (ExitCode.NOT_AUDIO, ExitCode.EMPTY_AUDIO, ExitCode.BAD_CHANNELS)
_MESSAGES = [
    b'{"type":"session.update","session":{"voice":"alloy","turn_detection":{"type":"server_vad"}}}',
    b'{"type":"input_audio_buffer.append","audio":"AAABAAIA"}',
    b'{"type":"input_audio_buffer.commit"}',
    b'{"type":"conversation.item.create","item":{"type":"message","role":"user","content":'
    b'[{"type":"input_text","text":"hello"}]}}',
    b'{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":9}',
    b'{"type":"response.create","response":{"modalities":["text"]}}',
    b'{"type":"response.cancel"}',
]
_AUDIO = base64.b64encode(bytes(range(24)))
_AUDIO_TEXTS = [
    _AUDIO,
    b"AAA=",
    b'{"type":"response.audio.delta","response_id":"r","item_id":"i","delta":"%b"}' % _AUDIO,
]
_EVENTS = [
    b'{"type":"session.updated","session":{"id":"s","expires_at":9,"turn_detection":{"type":"server_vad"}}}',
    b'{"type":"response.created","response":{"id":"r"}}',
    b'{"type":"response.output_item.done","response_id":"r","item":{"id":"i","type":"function_call",'
    b'"call_id":"c","name":"f","arguments":"{}"}}',
    b'{"type":"response.audio_transcript.delta","response_id":"r","item_id":"i","delta":"Hel"}',
    b'{"type":"response.audio_transcript.done","response_id":"r","item_id":"i","transcript":"Hello"}',
    b'{"type":"response.done","response":{"id":"r","status":"completed","output":[{"id":"i",'
    b'"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}}',
    b'{"type":"response.done","response":{"id":"r","status":"failed","status_details":{"error":{"code":"x"}}}}',
    b'{"type":"input_audio_buffer.speech_started","item_id":"u"}',
    b'{"type":"conversation.item.created","item":{"id":"u","type":"message","role":"user","content":'
    b'[{"type":"input_text","text":"hello"}]}}',
    b'{"type":"conversation.item.input_audio_transcription.completed","item_id":"u","transcript":"hello"}',
    b'{"type":"conversation.item.created","item":{"id":"a","type":"mcp_approval_request",'
    b'"server_label":"m","name":"f","arguments":"{}"}}',
    b'{"type":"response.mcp_call.in_progress","item_id":"m"}',
    b'{"type":"error","error":{"type":"x","code":"y","message":"z","event_id":"e","param":"p"}}',
]
_FROM_BROWSERS = [
    b'{"type":"text","text":"hello"}',
    b'{"type":"mute","muted":true}',
    b'{"type":"talk","talking":true}',
    b'{"type":"talk","talking":false}',
    b'{"type":"interrupt"}',
    b'{"type":"options","voice":"en-US-AvaNeural","turn_detection":"none"}',
    b'{"type":"played","clear":0,"frames":12000}',
    b'{"type":"played","clear":0,"frames":1%b}' % (b"0" * 400),
    b'{"type":"ping","id":7}',
    bytes(960),
]
_ASKED_OF_SESSIONS = (
    "handle_audio_input",
    "send_text_message",
    "interrupt",
    "clear_audio",
    "commit_audio",
    "update_session",
)
# What a field may hold in the place of what it should.
_VALUES = [b"null", b"true", b"-1", b"1e999", b'"x"', b"[]", b'{"a":[]}', b"9" * 400]


@st.composite
def variants(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the seeds, with a value exchanged, and a few bytes changed, cut out or put in."""
    text = draw(st.sampled_from(seeds))
    if (values := list(re.finditer(rb':("[^"]*"|[^,{}\[\]]+|\[[^\]]*\])', text))) and draw(
        st.booleans()
    ):
        start, end = draw(st.sampled_from(values)).span(1)
        text = text[:start] + draw(st.sampled_from(_VALUES)) + text[end:]
    for _ in range(draw(st.sampled_from([0, 0, 1, 4]))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(st.binary(max_size=12)) + text[end:]
    return text


@st.composite
def audio(draw: st.DrawFn) -> Any:
    """Samples as a caller may hold them, of any item, shape and stride; mostly whole stereo frames."""
    num_bytes = draw(
        st.one_of(st.integers(0, 300).map(lambda frames: 8 * frames), st.integers(0, 99))
    )
    data = draw(st.binary(min_size=num_bytes, max_size=num_bytes))
    return draw(st.sampled_from(_HOLDERS if num_bytes % 8 == 0 else _HOLDERS_OF_BYTES))(data)


_HOLDERS_OF_BYTES: list[Callable[[bytes], Any]] = [
    bytes,
    bytearray,
    memoryview,
    lambda data: memoryview(b"x" + data)[1:],
    lambda data: memoryview(data)[::-1],
    lambda data: data.decode("latin-1"),
    len,
]
_HOLDERS: list[Callable[[bytes], Any]] = [
    *_HOLDERS_OF_BYTES,
    lambda data: memoryview(data).cast("h"),
    lambda data: array("h", data),
    lambda data: np.frombuffer(data, np.int16),
    lambda data: np.frombuffer(data, np.int16).reshape(-1, 2),
    lambda data: np.frombuffer(data, np.int16)[::2],
    lambda data: np.frombuffer(data, ">i2"),
    lambda data: np.frombuffer(data, np.float32),
]


def check_audio(given: Any) -> int:
    """It is taken whole, or refused by name and nothing of it is taken."""
    playback, encoder = PlaybackBuffer(num_channels=2), CaptureEncoder(44_100, 2)
    resampler = Resampler(44_100, 24_000, num_channels=2)
    writers: list[Callable[[Any], Any]] = [playback.write, encoder.encode_event, resampler.process]
    taken = [_is_taken(write, given) for write in writers]
    assert len(set(taken)) == 1, taken
    taken_bytes = memoryview(given).nbytes if taken[0] else 0
    assert playback.stats()["written_frames"] == taken_bytes // 4
    _is_taken(playback.read_into, given)
    return (
        memoryview(given).nbytes if hasattr(given, "__len__") and not isinstance(given, str) else 0
    )


def _is_taken(write: Callable[[Any], Any], given: Any) -> bool:
    try:
        write(given)
    except (TypeError, ValueError) as error:
        assert str(error)  # noqa: PT017
        return False
    return True


def check_audio_text(text: bytes) -> int:
    """Base64 is taken as Python reads it or refused, and an event changes nothing if it is refused."""
    playback = PlaybackBuffer()
    if _is_taken(playback.write_base64, text):
        pcm = base64.b64decode(text, validate=True)
        assert playback.read(len(pcm) // 2) == pcm
    before = playback.stats()["written_frames"]
    if not _is_taken(playback.write_event, text):
        assert playback.stats()["written_frames"] == before
    return len(text)


def check_wav(data: bytes) -> int:
    """A file is read to its end in whole frames, or refused with an exit code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.wav"
        path.write_bytes(data)
        try:
            with AudioInput(path) as audio:
                assert 1 <= audio.num_channels <= MAX_CHANNELS
                for chunk in audio.chunks(20):
                    assert len(chunk) % (2 * audio.num_channels) == 0
        except CommandError as error:
            assert error.exit_code in _REFUSALS, error  # noqa: PT017
    return len(data)


def check_messages(messages: list[bytes]) -> int:
    """Whatever a client sends, the simulator answers with events or an error."""
    conversation = Conversation(
        model="m",
        responder=Responder(_VOICE),
        ids=Ids(0),
        expires_at_s=1,
        audio_speed=1e6,
        record=Record(1000),
    )
    conversation.open()
    for message in messages:
        # As its websocket hands them over: text, or the bytes of a binary message.
        for one in (message, message.decode("utf-8", "replace")):
            json.dumps(conversation.receive(one, 0.0))  # type: ignore[arg-type]
            while conversation.due_s is not None:
                conversation.advance(conversation.due_s)
    return sum(map(len, messages))


def check_events(events: list[bytes]) -> int:
    """Whatever the service says, the conversation makes actions of it."""
    conversation = protocol.Conversation(lambda: _HEAD, sample_rate_hz=24_000)
    conversation.request_response(Reply())
    for text in events:
        with suppress(ValueError):
            if isinstance(event := json.loads(text), dict):
                assert all(isinstance(one, Action) for one in conversation.handle(event))
    conversation.interrupt()
    conversation.abandon()
    return sum(map(len, events))


def check_browser(messages: list[bytes]) -> int:
    """Whatever a browser says is obeyed, or ends its call with a reason that fits into a close frame."""
    asyncio.run(_hear_browser(messages))
    return sum(map(len, messages))


async def _hear_browser(messages: list[bytes]) -> None:
    session = SimpleNamespace(playback=PlaybackBuffer(), session_id=None, on=lambda *_: None)
    for name in _ASKED_OF_SESSIONS:
        setattr(session, name, _obey)
    settings = GatewaySettings()
    request = CallRequest("browser", settings.voices[0], settings.turn_detections[0], 48_000)
    outbox = Outbox(web.WebSocketResponse())
    parts = CallParts(cast(AzureVoiceLive, session), outbox, request, settings, GatewayMetrics())
    call = BrowserCall(parts)
    try:
        for message in messages:
            # As its websocket hands them over; it checks itself that a text is UTF-8.
            await call.take(message.decode("utf-8", "replace"))
            call.tick(asyncio.get_running_loop().time())
            await call.take(message + bytes(len(message) % 2))
    except CallEndedError as ended:
        assert ended.code in CloseCode  # noqa: PT017
        assert 0 < len(ended.reason.encode()) <= 123  # noqa: PT017


async def _obey(*_what: Any, **_more: Any) -> None:
    """In the place of a session's methods: it is done at once."""


TARGETS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], int]]] = {
    "audio_buffer": (audio(), check_audio),
    "audio_text": (variants(_AUDIO_TEXTS), check_audio_text),
    "audio_file": (variants([wav_bytes(1, 40), wav_bytes(2, 10)]), check_wav),
    "simulator": (st.lists(variants(_MESSAGES), max_size=6), check_messages),
    "protocol": (st.lists(variants(_EVENTS), max_size=8), check_events),
    "gateway": (st.lists(variants(_FROM_BROWSERS), max_size=8), check_browser),
}
