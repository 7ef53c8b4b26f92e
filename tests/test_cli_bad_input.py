"""What `voicelane talk` cannot do ends with one line on stderr and an exit code of its own."""

from __future__ import annotations

import importlib
import re
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from cli_support import (
    API_KEY,
    REPLIES,
    Ended,
    calling,
    names_in,
    read_reply,
    speech,
    voicelane,
    wav_bytes,
    write_wav,
)
from support import deaf_port, service
from voicelane import __version__
from voicelane.cli import ExitCode, main
from voicelane.cli.audio_file import AudioInput
from voicelane.cli.exit_codes import CommandError
from voicelane.cli.service import Service
from voicelane.errors import SessionNotReadyError
from voicelane.simulator import Faults, Reply, Simulator, ToolCall

FAST = ("--fast", "-o")


@pytest.fixture
def question(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "question.wav", speech(0.4))


async def failing(*args: object, **environment: str) -> Ended:
    """A run that never comes to a call: nothing but the line on stderr."""
    ended = await voicelane("talk", *args, **environment)
    assert ended.stdout == ""
    return ended


# --- the input file -------------------------------------------------------------------------


def no_file(path: Path) -> None:
    pass


def a_folder(path: Path) -> None:
    path.mkdir()


def holding(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


@pytest.mark.parametrize(
    ("make", "exit_code", "reason"),
    [
        (no_file, ExitCode.NO_SUCH_FILE, "No such file or directory"),
        (a_folder, ExitCode.NO_SUCH_FILE, "Is a directory"),
        (holding(b""), ExitCode.NOT_AUDIO, "not audio (Format not recognised)"),
        (holding(b"Dear diary, " * 50), ExitCode.NOT_AUDIO, "not audio (Format not recognised)"),
        (holding(wav_bytes(1, 10)[:40]), ExitCode.NOT_AUDIO, "not audio (Error in WAV file. No"),
        (holding(wav_bytes(1, 0)), ExitCode.EMPTY_AUDIO, "empty, holds 0 frames of audio"),
        (holding(wav_bytes(0, 10)), ExitCode.BAD_CHANNELS, "0 channels, expected 1 to 8"),
        (holding(wav_bytes(9, 10)), ExitCode.BAD_CHANNELS, "9 channels, expected 1 to 8"),
        (holding(wav_bytes(5000, 10)), ExitCode.BAD_CHANNELS, "more than 8 channels"),
    ],
)
async def test_an_input_that_is_no_audio(
    tmp_path: Path, make: Callable[[Path], None], exit_code: ExitCode, reason: str
) -> None:
    path = tmp_path / "in.wav"
    make(path)
    ended = await failing(path, *FAST, tmp_path / "reply.wav")
    assert ended.exit_code == exit_code
    assert ended.error.startswith(f"{path}: {reason}")
    assert not names_in(tmp_path, "reply*")


async def test_a_sample_rate_beyond_the_core(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(wav_bytes(1, 10, rate_hz=1))
    ended = await voicelane("talk", path, *FAST, tmp_path / "reply.wav")
    assert ended.exit_code == ExitCode.BAD_SAMPLE_RATE
    assert str(path) in ended.error


# --- the reply file -------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["none/reply.wav", "question.wav/reply.wav", ".", "/dev/null"])
async def test_an_output_that_cannot_be_written_makes_no_call(
    tmp_path: Path, question: Path, output: str
) -> None:
    async with Simulator(api_key=API_KEY) as simulator:
        ended = await failing(question, "-o", tmp_path / output, **calling(simulator.endpoint))
        assert not simulator.connections
    assert ended.exit_code == ExitCode.OUTPUT
    assert "cannot write" in ended.error


@pytest.mark.parametrize("output", ["question.wav", "./../{}/question.wav", "link.wav"])
async def test_the_input_is_not_overwritten(tmp_path: Path, question: Path, output: str) -> None:
    (tmp_path / "link.wav").symlink_to(question)
    before = read_reply(question)
    ended = await failing(question, *FAST, tmp_path / output.format(tmp_path.name))
    assert ended.exit_code == ExitCode.OUTPUT
    assert "is the input file" in ended.error
    assert read_reply(question) == before


# --- arguments and the environment ----------------------------------------------------------


async def test_an_endpoint_without_a_key_names_the_variable(question: Path) -> None:
    ended = await failing(question, "--endpoint", "https://example.invalid")
    assert ended.exit_code == ExitCode.NO_CREDENTIAL
    assert "set AZURE_VOICE_LIVE_API_KEY" in ended.error
    ended = await failing(question, "--api-key-env", "MY_KEY", **calling("https://example.invalid"))
    assert ended.exit_code == ExitCode.NO_CREDENTIAL
    assert "set MY_KEY" in ended.error


@pytest.mark.parametrize(
    "endpoint", ["example.com", "ftp://example.com", "https://", "//host?key=x"]
)
async def test_an_endpoint_that_is_no_url(question: Path, endpoint: str) -> None:
    ended = await failing(question, **calling(endpoint))
    assert ended.exit_code == ExitCode.USAGE
    assert "AZURE_VOICE_LIVE_ENDPOINT: expected https://HOST or wss://HOST" in ended.error
    assert "key=x" not in ended.error


async def test_a_key_for_another_machine_needs_tls_or_a_word(
    tmp_path: Path, question: Path
) -> None:
    environment = calling("ws://user:s3cret@voice.invalid/?code=s3cret")
    ended = await failing(question, "-o", tmp_path / "r.wav", **environment)
    assert ended.exit_code == ExitCode.USAGE
    assert "expected wss:// to voice.invalid, got ws://; --allow-insecure allows it" in ended.error
    ended = await voicelane(
        *("talk", question, *FAST, tmp_path / "r.wav", "--allow-insecure"), **environment
    )
    assert ended.exit_code == ExitCode.NO_ANSWER
    assert "s3cret" not in ended.stdout + ended.error


async def test_entra_needs_an_endpoint(question: Path) -> None:
    ended = await failing(question, "--credential", "default")
    assert ended.exit_code == ExitCode.USAGE
    assert "--credential needs an endpoint" in ended.error


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == ExitCode.OK
    assert capsys.readouterr().out == f"voicelane {__version__}\n"


@pytest.mark.parametrize("command", ["talk", "simulate"])
def test_help_holds_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == ExitCode.OK
    shown = capsys.readouterr().out
    for code in ExitCode:
        assert re.search(rf"^  {code.value} +{re.escape(code.meaning)}$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["talk"],
        ["sing", "in.wav"],
        ["talk", "in.wav", "--reply-timeout", "0"],
        ["talk", "in.wav", "--connect-timeout", "soon"],
        ["talk", "in.wav", "--quiet", "--json"],
        ["talk", "in.wav", "--api-key", "never-on-a-command-line"],
        ["simulate", "--port", "65536"],
    ],
)
def test_wrong_arguments(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == ExitCode.USAGE
    assert "usage: voicelane" in capsys.readouterr().err


def test_a_missing_soundfile_says_how_to_get_it(
    question: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(CommandError, match=r"pip install 'voicelane\[cli\]'") as caught:
        AudioInput(question)
    assert caught.value.exit_code == ExitCode.MISSING_EXTRA


def test_a_missing_rich_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "voicelane.cli.live_view", raising=False)
    with pytest.raises(CommandError, match=r"pip install 'voicelane\[cli\]'") as caught:
        importlib.import_module("voicelane.cli.live_view")
    assert caught.value.exit_code == ExitCode.MISSING_EXTRA


# --- the service ----------------------------------------------------------------------------


async def test_a_wrong_key_names_its_variable(tmp_path: Path, question: Path) -> None:
    async with Simulator(api_key="the right one") as simulator:
        ended = await voicelane(
            *("talk", question, *FAST, tmp_path / "reply.wav", "--api-key-env", "MY_KEY"),
            AZURE_VOICE_LIVE_ENDPOINT=f"{simulator.endpoint}/?api-key={API_KEY}",
            MY_KEY=API_KEY,
        )
        assert ended.error == f"{simulator.endpoint} refused the key (HTTP 401): check MY_KEY"
    assert ended.exit_code == ExitCode.REFUSED
    assert not names_in(tmp_path, "reply*")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "check AZURE_VOICE_LIVE_API_KEY"), (429, "HTTP 429"), (503, "HTTP 503")],
)
async def test_a_refusal_says_its_status(
    tmp_path: Path, question: Path, status: int, reason: str
) -> None:
    async with Simulator(api_key=API_KEY, faults=Faults(refuse_with_status=status)) as simulator:
        environment = calling(simulator.endpoint)
        ended = await voicelane("talk", question, *FAST, tmp_path / "r.wav", **environment)
    assert ended.exit_code == ExitCode.REFUSED
    assert reason in ended.error


async def test_entra_without_anybody_signed_in(tmp_path: Path, question: Path) -> None:
    async with Simulator(api_key=API_KEY) as simulator:
        ended = await voicelane(
            *("talk", question, *FAST, tmp_path / "r.wav", "--credential", "default"),
            AZURE_TOKEN_CREDENTIALS="EnvironmentCredential",  # and it is not set
            **calling(simulator.endpoint),
        )
        assert not simulator.connections, "the key of the environment was used"
    assert ended.exit_code == ExitCode.REFUSED
    assert "az login" in ended.error


async def test_an_endpoint_where_nobody_listens(tmp_path: Path, question: Path) -> None:
    with deaf_port() as port:
        environment = calling(f"ws://127.0.0.1:{port}")
        ended = await voicelane("talk", question, *FAST, tmp_path / "r.wav", **environment)
    assert ended.exit_code == ExitCode.NO_ANSWER
    assert f"cannot reach 127.0.0.1:{port}" in ended.error


async def test_a_host_that_does_not_exist(tmp_path: Path, question: Path) -> None:
    ended = await voicelane(
        *("talk", question, *FAST, tmp_path / "r.wav", "--connect-timeout", "1"),
        **calling("https://voicelane.invalid"),
    )
    assert ended.exit_code == ExitCode.NO_ANSWER
    assert "voicelane.invalid" in ended.error


async def test_an_endpoint_that_accepts_and_says_nothing(tmp_path: Path, question: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        ended = await voicelane(
            *("talk", question, *FAST, tmp_path / "r.wav", "--connect-timeout", "0.2"),
            **calling(f"ws://127.0.0.1:{silent.getsockname()[1]}"),
        )
    assert ended.exit_code == ExitCode.NO_ANSWER
    assert "did not answer within 0.2 s" in ended.error


def test_a_session_that_does_not_start_is_no_answer() -> None:
    failure = Service("wss://voice.test", "key").not_connected(SessionNotReadyError("not ready"))
    assert (failure.exit_code, str(failure)) == (ExitCode.NO_ANSWER, "not ready")


@pytest.mark.parametrize(
    ("speed", "close_code", "shown"),
    [([], 1011, 1011), (["--fast"], 1008, 1008), (["--fast"], None, 1006)],
    ids=["real-time", "fast", "cut"],
)
async def test_a_close_in_mid_turn_keeps_what_was_received(
    tmp_path: Path, question: Path, speed: list[str], close_code: int | None, shown: int
) -> None:
    faults = Faults(close_after_deltas=5, close_code=close_code)
    (tmp_path / "reply.wav").write_bytes(b"older")
    async with Simulator(api_key=API_KEY, faults=faults) as simulator:
        ended = await voicelane(
            *("talk", question, "-o", tmp_path / "reply.wav", *speed),
            **calling(simulator.endpoint),
        )
    assert ended.exit_code == ExitCode.CONNECTION_LOST
    assert f"code {shown}" in ended.error
    assert "in turn 1" in ended.error
    assert ended.error.endswith(f"0.50 s of reply written to {tmp_path / 'reply.wav'}")
    assert ended.error.count("code") == 1, "the fault is said once"
    assert read_reply(tmp_path / "reply.wav") == REPLIES[0][: 500 * 48]
    assert "played       0.50 s" in ended.stdout


async def test_a_close_before_the_session_keeps_the_older_file(
    tmp_path: Path, question: Path
) -> None:
    (tmp_path / "reply.wav").write_bytes(b"older")
    async with Simulator(api_key=API_KEY, faults=Faults(close_after_deltas=0)) as simulator:
        ended = await voicelane(
            *("talk", question, *FAST, tmp_path / "reply.wav"), **calling(simulator.endpoint)
        )
    assert ended.exit_code == ExitCode.CONNECTION_LOST
    assert "code 1011" in ended.error
    assert (tmp_path / "reply.wav").read_bytes() == b"older"


async def test_a_file_without_speech_gets_no_reply(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "silence.wav", bytes(24_000))
    ended = await voicelane("talk", path, *FAST, tmp_path / "r.wav", "--reply-timeout", "0.3")
    assert ended.exit_code == ExitCode.NO_REPLY
    assert "heard no speech within 0.3 s of the file's end" in ended.error
    assert ended.error.endswith("; no reply audio was received")
    assert not (tmp_path / "r.wav").exists()


async def test_a_reply_without_audio_is_no_reply(tmp_path: Path, question: Path) -> None:
    async with Simulator(api_key=API_KEY, replies=[ToolCall("hang_up")]) as simulator:
        ended = await voicelane(
            *("talk", question, *FAST, tmp_path / "r.wav"), **calling(simulator.endpoint)
        )
    assert ended.exit_code == ExitCode.NO_REPLY
    assert "the reply held no audio" in ended.error


def service_that(*events: dict[str, Any]) -> AbstractAsyncContextManager[str]:
    """A service that hears a turn of speech, sends these events and then says nothing."""
    turn = ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped")

    async def talk(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()  # session.update
        for event in ({"type": "session.updated", "session": {"id": "s"}}, *events):
            await websocket.send_json(event)
            if event["type"] == "session.updated":
                for kind in turn:
                    await websocket.send_json({"type": kind, "item_id": "i"})
        while (await websocket.receive()).type is WSMsgType.TEXT:
            pass

    return service(talk)


async def test_a_reply_that_fails_is_no_reply(tmp_path: Path, question: Path) -> None:
    details = {"type": "failed", "error": {"message": "no capacity"}}
    failed = {"id": "r", "status": "failed", "status_details": details}
    async with service_that(
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.done", "response": failed},
    ) as endpoint:
        ended = await voicelane(
            *("talk", question, *FAST, tmp_path / "reply.wav"), **calling(endpoint)
        )
    assert ended.exit_code == ExitCode.NO_REPLY
    assert ended.error.startswith("the reply to turn 1 failed; last error: Azure Voice")
    assert not names_in(tmp_path, "reply*")


async def test_a_damaged_file_ends_the_call_and_keeps_the_reply(tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    turn = speech(0.6) + bytes(48 * 700)
    frames = np.frombuffer(turn + speech(), np.int16)
    soundfile.write(tmp_path / "in.flac", frames, 24_000)
    data = (tmp_path / "in.flac").read_bytes()
    (tmp_path / "in.flac").write_bytes(data[: len(data) * 3 // 4])
    async with Simulator(api_key=API_KEY, replies=[Reply("ok", REPLIES[0])]) as simulator:
        ended = await voicelane(
            *("talk", tmp_path / "in.flac", "-o", tmp_path / "r.wav", "--fast"),
            **calling(simulator.endpoint),
        )
    assert ended.exit_code == ExitCode.NOT_AUDIO
    assert "damaged, cannot be read after" in ended.error
