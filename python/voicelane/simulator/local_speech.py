"""Understanding and speaking on this machine: pocketsphinx and espeak-ng, each a program of its own."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import threading
import wave
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import Literal

from voicelane._core import CaptureEncoder, Resampler

from .formats import REPLY_RATE_HZ
from .input_audio import Clip
from .recogniser import RATE_HZ, unknown_words

_SYNTHESISER = ("espeak-ng", "-v", "en-us+f3", "-s", "165", "--stdin", "--stdout")
_SYNTHESIS_TIMEOUT_S = 30.0
_MAX_TEXTS_KEPT = 256


class LocalSpeech:
    """Hears words and says texts, in English; from any thread, and it blocks.

    One recogniser serves all sessions, a clip after the other. It starts with the first clip.

    Args:
        phrases: What users say; the one that is most like what is heard is told. Without any, every
            word is listened for, and many are got wrong.

    Raises:
        ImportError: pocketsphinx or espeak-ng is not installed.
        ValueError: The recogniser's dictionary lacks a word of the phrases.
    """

    def __init__(self, phrases: Sequence[str] = ()) -> None:
        try:
            unknown = unknown_words(phrases)
        except ImportError as error:
            message = "speech needs pocketsphinx: pip install 'voicelane[simulator-speech]'"
            raise ImportError(message) from error
        if shutil.which(_SYNTHESISER[0]) is None:
            message = (
                "speech needs the program espeak-ng, such as from Debian's package of that name"
            )
            raise ImportError(message)
        if unknown:
            raise ValueError(
                "speech: expected phrases of words in pocketsphinx's dictionary, numbers spelled out, "
                f"but got {', '.join(map(repr, unknown))}"
            )
        self._phrases = list(phrases)
        self._lock = threading.Lock()  # held from a clip to its words
        self._process: subprocess.Popen[bytes] | None = None
        self._is_open = False
        self.say = lru_cache(_MAX_TEXTS_KEPT)(_synthesised)

    def open(self) -> None:
        """Allow the recogniser to start."""
        self._is_open = True

    def close(self) -> None:
        """End the recogniser; who waits for it gets a RuntimeError."""
        self._is_open = False
        if self._process is not None:
            self._process.kill()
        with self._lock:
            if self._process is not None:
                self._process.communicate()
                self._process = None

    def hear(self, clip: Clip) -> str:
        """Return the words of a clip, "" where there are none.

        Raises:
            RuntimeError: The recogniser ended.
        """
        with self._lock:
            if not self._is_open:
                raise RuntimeError("the recogniser was closed")
            if self._process is None:
                self._process = self._started()
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin is not None
            assert stdout is not None
            try:
                stdin.write(base64.b64encode(_mono_16_khz(clip)) + b"\n")
                stdin.flush()
                line = stdout.readline()
            except BrokenPipeError:
                line = b""
            if not line:
                raise RuntimeError(f"the recogniser ended with code {self._process.wait()}")
            return str(json.loads(line))

    def _started(self) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", "voicelane.simulator.recogniser")
        return subprocess.Popen(
            (*command, json.dumps(self._phrases)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the simulator, which ends it
        )


def _synthesised(text: str) -> bytes:
    """The sound of a text: 24 kHz, mono, 16 bits; RuntimeError if the program fails."""
    spoken = subprocess.run(
        _SYNTHESISER,
        input=text.encode(),
        capture_output=True,
        timeout=_SYNTHESIS_TIMEOUT_S,
        check=False,
    )
    if spoken.returncode != 0:
        raise RuntimeError(f"espeak-ng ended with {spoken.returncode}: {spoken.stderr.decode()}")
    if not spoken.stdout:
        return b""
    with wave.open(BytesIO(spoken.stdout)) as wav:
        pcm = wav.readframes(wav.getnframes())
        return _resampled(pcm, wav.getframerate(), REPLY_RATE_HZ)


def _resampled(pcm: bytes, source_rate_hz: int, target_rate_hz: int) -> bytes:
    resampler = Resampler(source_rate_hz, target_rate_hz, quality="high")
    return resampler.process(pcm) + resampler.flush()


def _mono_16_khz(clip: Clip) -> bytes:
    frames = memoryview(clip.audio)
    if clip.encoding == "pcm16":
        samples = frames.cast("h")[:: clip.num_channels].tobytes()
    else:
        levels = _levels(clip.encoding)
        samples = b"".join(levels[code] for code in frames[:: clip.num_channels])
    return _resampled(samples, clip.rate_hz, RATE_HZ)


@lru_cache
def _levels(encoding: Literal["g711_ulaw", "g711_alaw"]) -> dict[int, bytes]:
    """A sample for each code word of G.711, found by encoding every sample."""
    samples = range(-32768, 32768)
    pcm = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    encoder = CaptureEncoder(8000, 1, target_rate_hz=8000, encoding=encoding)
    codes = base64.b64decode(encoder.encode(pcm)) + base64.b64decode(encoder.flush())
    return {code: pcm[2 * i : 2 * i + 2] for i, code in enumerate(codes)}
