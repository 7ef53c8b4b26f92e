"""The files on both ends of `voicelane talk`."""

from __future__ import annotations

import resource
from array import array
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cli_support import read_reply, write_wav
from voicelane.cli.audio_file import AudioInput, ReplyFile
from voicelane.cli.exit_codes import CommandError, ExitCode


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_chunks_keep_every_frame_and_do_not_drift(tmp_path: Path, rate_hz: int) -> None:
    pcm = array("h", range(rate_hz * 2 + 2)).tobytes() if rate_hz < 16_000 else bytes(rate_hz * 4)
    with AudioInput(write_wav(tmp_path / "in.wav", pcm, rate_hz, 2)) as audio:
        chunks = list(audio.chunks(20))
        num_frames = len(pcm) // 4
        assert b"".join(chunks) == pcm
        assert (audio.sample_rate_hz, audio.num_channels) == (rate_hz, 2)
        assert audio.duration_s == num_frames / rate_hz
    ends = np.cumsum([len(chunk) // 4 for chunk in chunks])[:-1]
    ideal = np.arange(1, len(chunks)) * rate_hz / 50
    assert np.all(np.abs(ends - ideal) < 1)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_float_samples_are_scaled_and_saturate(tmp_path: Path, subtype: str) -> None:
    samples = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5])
    soundfile.write(tmp_path / "float.wav", samples, 24_000, subtype=subtype)
    with AudioInput(tmp_path / "float.wav") as audio:
        found = array("h", b"".join(audio.chunks(20)))
    expected = [0, 16384, -16384, 32767, -32767, 32767, -32767]
    assert np.allclose(found, expected, atol=1)


def test_a_file_that_is_damaged_on_the_way_says_where(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 24_000, dtype=np.int16)
    soundfile.write(tmp_path / "whole.flac", noise, 24_000)
    whole = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    damaged = pytest.raises(CommandError, match=r"damaged, cannot be read after 0\.\d\d s")
    with AudioInput(tmp_path / "cut.flac") as audio, damaged as caught:
        list(audio.chunks(20))
    assert caught.value.exit_code is ExitCode.NOT_AUDIO


def test_a_reply_without_audio_leaves_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "reply.wav").write_bytes(b"older")
    ReplyFile(tmp_path / "reply.wav").close()
    assert (tmp_path / "reply.wav").read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reply_takes_its_name_at_the_end_and_is_valid_before(tmp_path: Path) -> None:
    (tmp_path / "reply.wav").write_bytes(b"older")
    reply = ReplyFile(tmp_path / "reply.wav")
    (part,) = tmp_path.glob("*.part")
    reply.write(b"\1\0" * 480)
    assert read_reply(part) == b"\1\0" * 480
    reply.write(b"\2\0" * 480)
    assert read_reply(part) == b"\1\0" * 480 + b"\2\0" * 480
    assert (tmp_path / "reply.wav").read_bytes() == b"older"
    reply.close()
    assert read_reply(tmp_path / "reply.wav") == b"\1\0" * 480 + b"\2\0" * 480
    assert reply.duration_s == 0.04
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reply_goes_where_a_link_points(tmp_path: Path) -> None:
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    reply = ReplyFile(tmp_path / "link.wav")
    reply.write(b"\1\0")
    reply.close()
    assert (tmp_path / "link.wav").is_symlink()
    assert read_reply(tmp_path / "real.wav") == b"\1\0"


def test_a_full_disk_is_one_clear_error_and_keeps_what_fits(tmp_path: Path) -> None:
    reply = ReplyFile(tmp_path / "reply.wav")
    reply.write(b"\1\0" * 480)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(
            CommandError, match=r"cannot write .*reply\.wav: File too large"
        ) as caught:
            reply.write(b"\2\0" * 4800)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code is ExitCode.OUTPUT
    reply.close()
    assert read_reply(tmp_path / "reply.wav").startswith(b"\1\0" * 480)
