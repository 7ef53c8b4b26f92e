"""The entries of Python that take bytes from outside, as a fuzzer sees them: what comes, and what must hold.

Each check returns how many bytes it tried. To add one (a gateway's input, say) is to add a strategy and a
check to `TARGETS`; `tests/test_fuzz.py` and `make fuzz` then run it.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cli_support import wav_bytes
from voicelane import CaptureEncoder, PlaybackBuffer, Resampler
from voicelane.cli.audio_file import MAX_CHANNELS, AudioInput
from voicelane.cli.exit_codes import CommandError, ExitCode
from voicelane.simulator.conversation import Conversation
from voicelane.simulator.events import Ids
from voicelane.simulator.record import Record
from voicelane.simulator.responder import Responder, Voice
from voicelane.simulator.scenario import Scenario

_VOICE = Voice(100)
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


@st.composite
def variants(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the seeds, with a few bytes changed, cut out or put in."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(st.binary(max_size=12)) + text[end:]
    return text


@st.composite
def buffers(draw: st.DrawFn) -> Any:
    """What a caller may take for samples: of any length, item, shape and stride."""
    data = draw(st.binary(max_size=600))
    even = data[: len(data) // 8 * 8]
    kinds: list[Any] = [
        data,
        bytearray(data),
        memoryview(data),
        memoryview(data)[1:],
        memoryview(bytearray(data))[::2],
        memoryview(data)[::-1],
        memoryview(even).cast("h"),
        memoryview(even).cast("d"),
        array("h", even),
        array("i", even),
        np.frombuffer(even, np.int16)[::2],
        np.frombuffer(even, np.int16).reshape(-1, 2),
        np.frombuffer(even, ">i2"),
        data.decode("latin-1"),
        None,
        len(data),
    ]
    return kinds[draw(st.integers(0, len(kinds) - 1))]


def check_buffer(given: Any) -> int:
    """It is taken whole, or refused by name and nothing of it is taken."""
    playback, encoder = PlaybackBuffer(num_channels=2), CaptureEncoder(44_100, 2)
    resampler = Resampler(44_100, 24_000, num_channels=2)
    writers: list[Callable[[Any], Any]] = [playback.write, encoder.encode_event, resampler.process]
    taken = [_is_taken(write, given) for write in writers]
    assert len(set(taken)) == 1, taken
    num_bytes = memoryview(given).nbytes if taken[0] else 0
    assert playback.stats()["written_frames"] == num_bytes // 4
    texts = PlaybackBuffer()
    for write_text in (texts.write_base64, texts.write_event):
        _is_taken(write_text, given)
    _is_taken(texts.read_into, given)
    return num_bytes


def _is_taken(write: Callable[[Any], Any], given: Any) -> bool:
    try:
        write(given)
    except (TypeError, ValueError) as error:
        assert str(error)  # noqa: PT017
        return False
    return True


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
        responder=Responder(_VOICE, Scenario()),
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


TARGETS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], int]]] = {
    "audio_buffer": (buffers(), check_buffer),
    "audio_file": (variants([wav_bytes(1, 40), wav_bytes(2, 10)]), check_wav),
    "simulator": (st.lists(variants(_MESSAGES), max_size=6), check_messages),
}
