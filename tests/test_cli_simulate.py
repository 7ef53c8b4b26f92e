"""`voicelane simulate`, and `voicelane talk` as its client."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path

import pytest

from cli_support import API_KEY, REPLIES, read_reply, speech, started, voicelane, write_wav
from voicelane.cli import ExitCode
from voicelane.simulator.local_speech import LocalSpeech

YES = REPLIES[1][: 48 * 400]


@pytest.fixture
def question(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "question.wav", speech(0.4))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_ctrl_c(
    tmp_path: Path, question: Path, signum: signal.Signals
) -> None:
    (tmp_path / "answers").mkdir()
    write_wav(tmp_path / "answers" / "b.wav", YES)
    (tmp_path / "answers" / "b.txt").write_text("Yes indeed.\n", encoding="utf-8")
    write_wav(tmp_path / "answers" / "c.wav", REPLIES[3])
    async with started(
        *("simulate", "--port", 0, "--replies", tmp_path / "answers"),
        in_background=signum == signal.SIGTERM,
    ) as simulator:
        first = await simulator.line_with("simulator of Azure Voice Live at ws://127.0.0.1:")
        exports = [await simulator.line_with("export AZURE_VOICE_LIVE_") for _ in range(2)]
        environment = dict(line.removeprefix("export ").split("=", 1) for line in exports)
        assert environment["AZURE_VOICE_LIVE_ENDPOINT"] in first
        talked = await voicelane(
            *("talk", question, "-o", tmp_path / "reply.wav", "--fast", "--json"), **environment
        )
        for event in ("opened", "turn 1 heard", "reply 1 sent", "closed (code 1000)"):
            line = await simulator.line_with(event)
            assert re.fullmatch(rf"\d\d:\d\d:\d\d  connection 1 {re.escape(event)}", line)
        simulator.process.send_signal(signum)
        ended = await simulator.end()
    assert talked.exit_code == ExitCode.OK
    said = json.loads(talked.stdout)["transcripts"]
    assert {"role": "agent", "text": "Yes indeed."} in said
    assert read_reply(tmp_path / "reply.wav") == YES
    assert (ended.exit_code, ended.stderr) == (ExitCode.OK, "")
    assert ended.stdout.endswith("\nsimulator stopped\n")


async def test_its_key_is_asked_for(question: Path) -> None:
    async with started("simulate", "--port", 0, "--api-key", "it's odd") as simulator:
        endpoint = (await simulator.line_with("export AZURE_VOICE_LIVE_ENDPOINT")).partition("=")[2]
        line = await simulator.line_with("export AZURE_VOICE_LIVE_API_KEY")
        assert line == """export AZURE_VOICE_LIVE_API_KEY='it'"'"'s odd'"""
        talked = await voicelane(
            *("talk", question, "--fast", "--endpoint", endpoint), AZURE_VOICE_LIVE_API_KEY=API_KEY
        )
    assert talked.exit_code == ExitCode.REFUSED


async def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = await voicelane("simulate", "--port", port)
    assert ended.exit_code == ExitCode.PORT_TAKEN
    assert ended.stdout == ""
    assert ended.error == f"cannot listen on 127.0.0.1:{port}: Address already in use"


async def test_a_host_that_is_not_of_this_machine() -> None:
    ended = await voicelane("simulate", "--port", 0, "--host", "192.0.2.1")
    assert ended.exit_code == ExitCode.PORT_TAKEN
    reason = ended.error.removeprefix("cannot listen on 192.0.2.1:0: ")
    assert reason.startswith(("Cannot assign requested address", "could not bind on any address"))


@pytest.mark.parametrize(
    ("name", "data", "exit_code", "reason"),
    [
        ("none.wav", None, ExitCode.NO_SUCH_FILE, "No such file or directory"),
        (".", None, ExitCode.NO_SUCH_FILE, "no .wav file in it"),
        ("text.wav", b"Dear diary", ExitCode.NOT_AUDIO, "not a PCM WAV file"),
        ("empty.wav", b"", ExitCode.NOT_AUDIO, "not a PCM WAV file"),
    ],
)
async def test_replies_that_cannot_be_said(
    tmp_path: Path, name: str, data: bytes | None, exit_code: ExitCode, reason: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    ended = await voicelane("simulate", "--port", 0, "--replies", path)
    assert ended.exit_code == exit_code
    assert ended.error.startswith(f"{path}: {reason}")


async def test_a_reply_of_another_rate(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "fast.wav", bytes(480), 48_000)
    ended = await voicelane("simulate", "--port", 0, "--replies", path)
    assert ended.exit_code == ExitCode.NOT_AUDIO
    assert "expected 24000 Hz, 1 channel, 16 bits" in ended.error


async def test_a_scenario_that_is_not_kept(tmp_path: Path, question: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(
        "turns:\n- say: Hello\nrepeat: true\nexpect:\n  events: [response.cancel]\n"
    )
    async with started(
        *("simulate", "--port", 0, "--scenario", scenario),
        *("--audio-speed", "inf", "--record", tmp_path / "runs"),
    ) as simulator:
        endpoint = (await simulator.line_with("export AZURE_VOICE_LIVE_ENDPOINT")).partition("=")[2]
        talked = await voicelane(
            *("talk", question, "-o", tmp_path / "reply.wav", "--fast", "--endpoint", endpoint),
            AZURE_VOICE_LIVE_API_KEY="simulator-key",
        )
        await simulator.line_with("connection 1 expected event 1, ")
        await simulator.line_with("connection 1 recorded in ")
        simulator.process.send_signal(signal.SIGINT)
        ended = await simulator.end()
    assert talked.exit_code == ExitCode.OK
    assert ended.exit_code == ExitCode.NOT_AS_EXPECTED
    assert "expected event 1" in ended.error


SPEECH_SCENARIO = """
turns:
- {user: Good bye., when: good bye, say: See you soon.}
expect: {events: [response.create]}
"""


async def test_a_simulator_that_understands_ends_as_any(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(SPEECH_SCENARIO)
    said = LocalSpeech().say("Good bye.")
    question = write_wav(tmp_path / "question.wav", bytes(24_000) + said)
    options = ("--scenario", scenario, "--speech", "--audio-speed", "inf")
    async with started("simulate", "--port", 0, *options) as simulator:
        endpoint = (await simulator.line_with("export AZURE_VOICE_LIVE_ENDPOINT")).partition("=")[2]
        talked = await voicelane(
            *("talk", question, "-o", tmp_path / "reply.wav", "--fast", "--json"),
            *("--endpoint", endpoint),
            AZURE_VOICE_LIVE_API_KEY="simulator-key",
        )
        # A spoken turn is answered without being asked for: the scenario expects otherwise.
        await simulator.line_with("connection 1 expected event 1, ")
        simulator.process.send_signal(signal.SIGINT)
        ended = await simulator.end()
    texts = [one["text"] for one in json.loads(talked.stdout)["transcripts"]]
    assert texts == ["Good bye.", "See you soon."]
    assert (talked.exit_code, ended.exit_code) == (ExitCode.OK, ExitCode.NOT_AS_EXPECTED)


async def test_speech_that_cannot_be_understood(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("turns:\n- {user: Voicelane for 4, say: Certainly}\n")
    command = ("simulate", "--port", 0, "--speech")
    ended = await voicelane(*command, "--scenario", scenario)
    assert ended.exit_code == ExitCode.BAD_SCENARIO
    assert "in pocketsphinx's dictionary, numbers spelled out" in ended.error
    ended = await voicelane(*command, PATH=str(tmp_path))  # where no program is
    assert ended.exit_code == ExitCode.MISSING_EXTRA
    assert ended.error.startswith("speech needs the program espeak-ng")


async def test_speech_that_runs_until_ctrl_c() -> None:
    async with started("simulate", "--port", 0, "--speech") as simulator:
        await simulator.line_with("export AZURE_VOICE_LIVE_API_KEY")
        simulator.process.send_signal(signal.SIGINT)
        ended = await simulator.end()
    assert (ended.exit_code, ended.stderr) == (ExitCode.OK, "")


async def test_a_scenario_that_cannot_be_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("turns:\n- sya: Hello\n")
    ended = await voicelane("simulate", "--port", 0, "--scenario", bad)
    assert ended.exit_code == ExitCode.BAD_SCENARIO
    assert ended.error.startswith(f"{bad}:2: turns[0]: expected one of")
    ended = await voicelane("simulate", "--port", 0, "--replay", tmp_path / "none.yaml")
    assert ended.exit_code == ExitCode.NO_SUCH_FILE
