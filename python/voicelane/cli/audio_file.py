"""Audio files: the recording that stands in for a microphone, and the reply that is kept."""

from __future__ import annotations

import os
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from .exit_codes import CommandError, ExitCode

MAX_CHANNELS = 8
REPLY_RATE_HZ = 24_000

# libsndfile's numbers for a header that says 0 channels, and for one that says more than it takes.
_ZERO_CHANNELS, _TOO_MANY_CHANNELS = 32, 33
_FLOAT_SUBTYPES = ("FLOAT", "DOUBLE")


class AudioInput:
    """A WAV, FLAC or OGG file of any rate and 1 to 8 channels, read as 16-bit PCM."""

    def __init__(self, path: Path) -> None:
        try:
            import soundfile
        except ImportError as error:
            raise missing_extra(error) from error
        try:
            path.open("rb").close()  # libsndfile calls each of these faults "System error."
        except OSError as error:
            raise CommandError(ExitCode.NO_SUCH_FILE, f"{path}: {error.strerror}") from error
        try:
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            if error.code == _ZERO_CHANNELS:
                raise bad_channels(path, "0 channels") from error
            if error.code == _TOO_MANY_CHANNELS:
                raise bad_channels(path, f"more than {MAX_CHANNELS} channels") from error
            reason = error.error_string.rstrip(".") or f"libsndfile error {error.code}"
            raise CommandError(ExitCode.NOT_AUDIO, f"{path}: not audio ({reason})") from error
        self.path = path
        self.sample_rate_hz: int = self._file.samplerate
        self.num_channels: int = self._file.channels
        self.duration_s: float = self._file.frames / self.sample_rate_hz
        if self.num_channels > MAX_CHANNELS:
            self._file.close()
            raise bad_channels(path, f"{self.num_channels} channels")
        if self._file.frames == 0:
            self._file.close()
            raise CommandError(ExitCode.EMPTY_AUDIO, f"{path}: empty, holds 0 frames of audio")
        self._read_error = soundfile.LibsndfileError

    def chunks(self, chunk_ms: int) -> Iterator[bytes]:
        """The file in chunks of `chunk_ms`, cut where no rate makes the time drift."""
        start_frame = index = 0
        while True:
            index += 1
            end_frame = index * chunk_ms * self.sample_rate_hz // 1000
            chunk = self._read(end_frame - start_frame, at_frame=start_frame)
            if not chunk:
                return
            yield chunk
            start_frame = end_frame

    def _read(self, num_frames: int, *, at_frame: int) -> bytes:
        try:
            if self._file.subtype not in _FLOAT_SUBTYPES:
                return bytes(self._file.buffer_read(num_frames, dtype="int16"))
            # Asked for int16, libsndfile does not scale float samples: +-1.0 would come out as +-1.
            samples = array("f", bytes(self._file.buffer_read(num_frames, dtype="float32")))
        except self._read_error as error:
            at_s = at_frame / self.sample_rate_hz
            message = f"{self.path}: damaged, cannot be read after {at_s:.2f} s"
            raise CommandError(ExitCode.NOT_AUDIO, message) from error
        return array("h", (round(32767 * min(1.0, max(-1.0, x))) for x in samples)).tobytes()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


class ReplyFile:
    """What the agent said, as a 24 kHz mono WAV.

    It grows in a file beside `path`, valid after each write, and takes the name `path` when it is
    closed. With nothing written, an older file at `path` stays as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        target = path.resolve()  # a rename onto a symbolic link would replace the link
        if target.exists() and not target.is_file():
            raise CommandError(ExitCode.OUTPUT, f"cannot write {path}: not a regular file")
        if target.exists() and not os.access(target, os.W_OK):
            raise CommandError(ExitCode.OUTPUT, f"cannot write {path}: it is read-only")
        self._target = target
        self._part = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            self._file = self._part.open("xb")
        except OSError as error:
            raise self._cannot_write(error) from error
        self._wave = wave.Wave_write(self._file)
        self._wave.setnchannels(1)
        self._wave.setsampwidth(2)
        self._wave.setframerate(REPLY_RATE_HZ)
        self._num_frames = 0

    @property
    def duration_s(self) -> float:
        return self._num_frames / REPLY_RATE_HZ

    def write(self, pcm: bytes) -> None:
        try:
            self._wave.writeframes(pcm)
            self._file.flush()
        except OSError as error:
            raise self._cannot_write(error) from error
        self._num_frames += len(pcm) // 2

    def close(self) -> None:
        try:
            self._wave.close()
            self._file.close()
            if self._num_frames:
                self._part.replace(self._target)
            else:
                self._part.unlink()
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> CommandError:
        return CommandError(ExitCode.OUTPUT, f"cannot write {self.path}: {error.strerror}")


def bad_channels(path: Path, found: str) -> CommandError:
    message = f"{path}: {found}, expected 1 to {MAX_CHANNELS}"
    return CommandError(ExitCode.BAD_CHANNELS, message)


def missing_extra(error: ImportError) -> CommandError:
    """One line that says how to install what is missing."""
    message = f"{error.name} is not installed: pip install 'voicelane[cli]'"
    return CommandError(ExitCode.MISSING_EXTRA, message)
