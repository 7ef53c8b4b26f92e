"""Every example runs, as its reader would run it."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiohttp import ClientSession

from cli_support import calling, running
from support import TIMEOUT_S, deaf_port, environment, reply_pcm
from voicelane.gateway.close_codes import CloseCode

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples"
FAKE_DEVICES = f"{Path(__file__).parent / 'fake_devices'}{os.pathsep}{Path(__file__).parent}"
PYTHON = (sys.executable, "-W", "error")

# The arguments of each, and what it says.
EXAMPLES = {
    "barge_in.py": ([], "[service] truncates item_"),
    "configured_session.py": ([], "heard 3.1 s of the agent"),
    "custom_transport.py": ([], "user: Who is a good bird?\nagent: WHO IS A GOOD BIRD?\n"),
    "events.py": ([], " s of audio sent, 0 errors\nfirst audio after "),
    "many_sessions.py": (
        ["--sessions", "5"],
        "\nand 3.1 s or more heard of each agent\n",
    ),
    "phone_bridge.py": (
        ["--token", "secret"],
        "hung up, the gateway closed with 1000\nreply.wav: ",
    ),
    "push_to_talk.py": ([], "\nagent: Hello, I can hear you well. How can I help?\n"),
    "reconnect.py": ([], "[told again] user: My name is Ada.\n"),
    "standalone.py": ([], "heard 3.1 s of the agent"),
    "text_only.py": ([], "user: And this?\n\ragent: The"),
    "tools.py": (
        [],
        'find_table({"guests": 40}) -> {"error": "there is no table for more than 12"}',
    ),
    "wav_batch.py": (
        [*map(str, sorted((FOLDER / "audio").glob("*.wav"))), "--output", "answers"],
        "barge-in-48k-mono.wav: Hello, I can hear you well. How can I help?\n",
    ),
}
# These go on until Ctrl-C.
ENDLESS = {"microphone.py", "phone_server.py"}
# VideoSDK has environments of its own: tests/drop_in/test_example.py.
ELSEWHERE = {"videosdk_agent.py"}


def names() -> set[str]:
    return {path.name for path in FOLDER.glob("*.py")} - {"shared.py"}


def test_each_is_tested_and_in_the_table() -> None:
    assert names() == set(EXAMPLES) | ENDLESS | ELSEWHERE
    table = (FOLDER / "README.md").read_text()
    assert [name for name in names() if f"| `{name}` |" not in table] == []


def test_they_run(tmp_path: Path) -> None:
    def run(name: str) -> subprocess.CompletedProcess[bytes]:
        command = [*PYTHON, FOLDER / name, *EXAMPLES[name][0]]
        return subprocess.run(
            command,
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=environment(),
            timeout=6 * TIMEOUT_S,  # pytest's own does not reach the threads
        )

    with ThreadPoolExecutor(len(EXAMPLES)) as pool:  # they wait for a loudspeaker, most of the time
        runs = dict(zip(EXAMPLES, pool.map(run, EXAMPLES), strict=True))
    for name, (_, said) in EXAMPLES.items():
        assert runs[name].returncode == 0, f"{name}: {runs[name].stderr.decode()}"
        assert said in runs[name].stdout.decode(), name
        assert b"Error" not in runs[name].stderr, name
    with wave.open(str(tmp_path / "answers" / "question-48k-stereo-answer.wav")) as answer:
        assert answer.readframes(answer.getnframes()) == reply_pcm(0), "all of it, and nothing else"


@pytest.mark.parametrize("name", sorted(names() - ELSEWHERE))
def test_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / name), run_name="__main__")
    assert ended.value.code == 0
    assert f"    python examples/{name}" in capsys.readouterr().out


def test_what_goes_wrong_is_said_without_a_traceback(tmp_path: Path) -> None:
    command = [*PYTHON, FOLDER / "text_only.py"]
    with deaf_port() as port:
        nobody = environment(**calling(f"ws://127.0.0.1:{port}"))
        run = subprocess.run(command, capture_output=True, check=False, env=nobody, text=True)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(f"ConnectError: cannot reach 127.0.0.1:{port}: ")
    assert "Traceback" not in run.stderr

    (tmp_path / "song.wav").write_bytes(b"no audio")
    command = [*PYTHON, FOLDER / "wav_batch.py", tmp_path / "song.wav", "--output", tmp_path]
    run = subprocess.run(command, capture_output=True, check=False, env=environment(), text=True)
    assert run.returncode == 1
    assert "song.wav: Error: file does not start with RIFF id" in run.stdout
    assert run.stderr == "1 of 1 files have no answer\n"


async def test_one_talks_by_microphone_and_speaker_until_ctrl_c() -> None:
    async with running(*PYTHON, FOLDER / "microphone.py", PYTHONPATH=FAKE_DEVICES) as talk:
        await talk.line_with("agent: Hello, I can hear you well. How can I help?")
        talk.process.send_signal(signal.SIGINT)
        ended = await talk.end()
    assert (ended.exit_code, ended.stderr) == (130, "")


async def test_a_telephone_calls_an_application_with_a_gateway_in_it() -> None:
    async with running(
        *PYTHON, FOLDER / "phone_server.py", "--port", 0, "--token", "secret"
    ) as server:
        url = (await server.line_with("http://")).partition(",")[0]
        async with ClientSession() as http:
            async with http.post(f"{url}/incoming-call") as answer:
                stream = url.removeprefix("http://") + "/voice/media-stream"
                twiml = await answer.text()
                assert (
                    f'<Stream url="wss://{stream}"><Parameter name="token" value="secret"/>'
                    in twiml
                )
            async with http.ws_connect(f"ws://{stream}") as call:
                media = {"encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1}
                start = {"streamSid": "MZ1", "mediaFormat": media}
                await call.send_json({"event": "start", "start": start})
                assert (await call.receive()).data == CloseCode.UNAUTHORIZED
        server.process.send_signal(signal.SIGINT)
        ended = await server.end()
    assert (ended.exit_code, ended.stderr) == (130, "")


def test_the_tests_of_an_agent_pass() -> None:
    command = [*(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")]
    run = subprocess.run(
        [*command, FOLDER / "agent_tests"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=environment(),
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout


async def test_a_bridge_says_why_it_has_no_call() -> None:
    async with running(
        *PYTHON, FOLDER / "phone_server.py", "--port", 0, "--token", "secret"
    ) as server:
        url = (await server.line_with("http://")).partition(",")[0]
        bridge = (*PYTHON, FOLDER / "phone_bridge.py", "--url")
        async with running(*bridge, f"{url}/voice", "--token", "wrong") as call:
            ended = await call.end()
        assert (ended.exit_code, ended.stderr) == (1, "the gateway ended the call with 4401\n")
        async with running(*bridge, f"{url}/nowhere") as call:
            ended = await call.end()
        assert (ended.exit_code, ended.stderr[:27]) == (1, "WSServerHandshakeError: 404")
