"""`voicelane talk`, in a process of its own, with the simulator over a real socket."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from aiohttp import WSMsgType, web

from cli_support import (
    API_KEY,
    REPLIES,
    calling,
    interleaved,
    read_reply,
    speech,
    started,
    voicelane,
    write_wav,
)
from support import TIMEOUT_S, environment, service
from voicelane.cli import ExitCode
from voicelane.simulator import Reply, Simulator

SHORT_REPLY = Reply("Yes.", REPLIES[1][: 48 * 500])


@pytest.fixture
def question(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "question.wav", speech(0.4))


async def test_with_no_endpoint_it_talks_to_the_embedded_simulator_in_real_time(
    tmp_path: Path, question: Path
) -> None:
    ended = await voicelane("talk", question, "-o", tmp_path / "reply.wav")
    assert ended.exit_code == ExitCode.OK
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    first = (
        r"no AZURE_VOICE_LIVE_ENDPOINT set: talking to the embedded simulator at ws://127.0.0.1:\d+"
    )
    assert re.fullmatch(first, lines[0])
    assert read_reply(tmp_path / "reply.wav") == REPLIES[0]
    told = [line.partition(" s  ") for line in lines[1:-6]]
    events = [event for _, _, event in told]
    for event in (
        "user speaks",
        "user stops",
        "agent speaks",
        "agent: Hello, I can hear you well.",
    ):
        assert any(found.startswith(event) for found in events), event
    progress_s = [float(at) for at, _, event in told if event.endswith("s sent")]
    assert all(at_s >= 5 for at_s in progress_s), "the first progress line comes after 5 s"
    summary = dict(re.split(r"  +", line, maxsplit=1) for line in lines[-6:])
    assert summary["turns"] == "1, 1 answered"
    assert summary["heard"] == "0.40 s"
    assert summary["played"] == f"3.07 s ({tmp_path / 'reply.wav'})"
    assert re.fullmatch(r"p50 [\d.]+ ms, max [\d.]+ ms", summary["first reply"])
    assert summary["underruns"].isdecimal()
    assert re.fullmatch(r"[\d.]+ s, [\d.]+ % of a core, simulator included", summary["CPU"])


async def test_real_time_is_real_time(tmp_path: Path, question: Path) -> None:
    async with Simulator(api_key=API_KEY, replies=[SHORT_REPLY]) as simulator:
        ended = await voicelane(
            *("talk", question, "-o", tmp_path / "reply.wav", "--json"),
            **calling(simulator.endpoint),
        )
        sent_s = simulator.connections[0].audio_bytes / 48_000
    summary = json.loads(ended.stdout)
    assert read_reply(tmp_path / "reply.wav") == SHORT_REPLY.pcm
    # 0.4 s of speech, 0.5 s of silence that ends the turn, 0.5 s of reply.
    assert summary["wall_s"] >= 1.4
    assert 0.9 <= sent_s <= summary["wall_s"], "silence follows the file's end, no faster than time"
    assert 0 <= summary["first_reply_ms"]["p50"] <= summary["first_reply_ms"]["max"]


def write_flac(path: Path) -> tuple[int, int]:
    samples = np.frombuffer(speech(1.0), np.int16)
    at = np.arange(44_100) * (24_000 / 44_100)
    soundfile.write(path, np.interp(at, np.arange(24_000), samples).astype(np.int16), 44_100)
    return 44_100, 1


def write_six_channels(path: Path) -> tuple[int, int]:
    third = np.frombuffer(speech(1.0), np.int16)[::3].tobytes()
    write_wav(path, interleaved(third, 6), 8_000, 6)
    return 8_000, 6


def write_float(path: Path) -> tuple[int, int]:
    samples = np.frombuffer(speech(1.0), np.int16) / 32768
    soundfile.write(path, np.stack([samples, samples], 1), 24_000, subtype="FLOAT")
    return 24_000, 2


def write_ogg(path: Path) -> tuple[int, int]:
    soundfile.write(path, np.frombuffer(speech(1.0), np.int16), 24_000, format="OGG")
    return 24_000, 1


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("mono.flac", write_flac),
        ("surround.wav", write_six_channels),
        ("float.wav", write_float),
        ("voice.ogg", write_ogg),
    ],
)
async def test_every_format_is_heard_as_it_was_said(
    tmp_path: Path, name: str, write: object
) -> None:
    assert callable(write)
    write(tmp_path / name)
    async with Simulator(api_key=API_KEY, replies=[SHORT_REPLY]) as simulator:
        ended = await voicelane(
            *("talk", tmp_path / name, "-o", tmp_path / "reply.wav", "--fast", "--json"),
            **calling(simulator.endpoint),
        )
        heard = np.frombuffer(bytes(simulator.connections[0].audio), np.int16).astype(float)
    assert ended.exit_code == ExitCode.OK
    summary = json.loads(ended.stdout)
    assert (summary["turns"], summary["replies"], summary["underruns"]) == (1, 1, 0)
    assert summary["heard_s"] == pytest.approx(1.0, abs=0.001)
    assert read_reply(tmp_path / "reply.wav") == SHORT_REPLY.pcm
    said = np.frombuffer(speech(1.0), np.int16).astype(float)
    assert best_correlation(heard[: len(said) + 480], said) > 0.9


def best_correlation(heard: np.ndarray, said: np.ndarray) -> float:
    """1 where `heard` is `said` at some delay."""
    products = np.fft.irfft(np.fft.rfft(heard, 1 << 17) * np.conj(np.fft.rfft(said, 1 << 17)))
    return float(products.max() / np.sqrt((heard**2).sum() * (said**2).sum()))


async def test_a_later_turn_is_answered_to_its_end(tmp_path: Path) -> None:
    turn = speech(0.6) + bytes(48 * 700)
    path = write_wav(tmp_path / "two_turns.wav", turn + turn)
    # A minute, at the simulator's pace: it is not over before the second turn.
    replies = [Reply("First.", REPLIES[0] * 100), Reply("Second.", REPLIES[3])]
    async with Simulator(api_key=API_KEY, replies=replies) as simulator:
        ended = await voicelane(
            *("talk", path, "-o", tmp_path / "reply.wav", "--fast", "--json"),
            **calling(simulator.endpoint),
        )
    assert ended.exit_code == ExitCode.OK
    summary = json.loads(ended.stdout)
    assert summary["turns"] == 2
    # Faster than real time, the second turn cuts off the first reply.
    assert summary["replies"] == 1
    assert "response cancelled" in ended.stderr
    assert read_reply(tmp_path / "reply.wav").endswith(REPLIES[3])
    said = [said["text"] for said in summary["transcripts"] if said["role"] == "agent"]
    assert said[-1] == "Second."


async def test_json_is_one_object_and_the_rest_is_on_stderr(tmp_path: Path, question: Path) -> None:
    async with Simulator(api_key=API_KEY, replies=[SHORT_REPLY], audio_speed=1.0) as simulator:
        ended = await voicelane(
            *("talk", question, "-o", tmp_path / "reply.wav", "--fast", "--json"),
            **calling(simulator.endpoint),
        )
        endpoint = simulator.endpoint
    summary = json.loads(ended.stdout)
    assert summary["exit_code"] == ended.exit_code == ExitCode.OK
    assert summary["error"] is None
    assert summary["endpoint"] == endpoint
    assert summary["simulator"] is False
    assert summary["played_s"] == 0.5
    assert summary["underruns"] == 0, "what is read ahead of its time is no underrun"
    assert {"role": "agent", "text": "Yes."} in summary["transcripts"]
    assert ended.stderr.startswith(f"talking to {endpoint}\n")


async def test_quiet_prints_the_summary_alone(
    tmp_path: Path, question: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Simulator(api_key=API_KEY, replies=[SHORT_REPLY]) as simulator:
        ended = await voicelane(
            "talk", question, "--quiet", "--fast", **calling(simulator.endpoint)
        )
    assert ended.stdout.startswith("turns ")
    assert len(ended.stdout.splitlines()) == 6
    assert read_reply(tmp_path / "reply.wav") == SHORT_REPLY.pcm, "reply.wav is the default"


async def test_what_the_session_is_asked_for(tmp_path: Path, question: Path) -> None:
    async with Simulator(api_key=API_KEY, replies=[SHORT_REPLY]) as simulator:
        ended = await voicelane(
            *("talk", question, "-o", tmp_path / "r.wav", "--fast", "--endpoint"),
            *(simulator.endpoint, "--api-key-env", "MY_KEY", "--voice", "en-US-EmmaNeural"),
            *("--instructions", "Speak like a pirate.", "--model", "gpt-4o"),
            MY_KEY=API_KEY,
        )
        (connection,) = simulator.connections
    assert ended.exit_code == ExitCode.OK
    (update,) = [event for event in connection.received if event["type"] == "session.update"]
    assert update["session"]["instructions"] == "Speak like a pirate."
    assert update["session"]["voice"]["name"] == "en-US-EmmaNeural"


async def test_ctrl_c_keeps_the_reply_so_far(tmp_path: Path, question: Path) -> None:
    long_reply = Reply("A long story.", REPLIES[0] * 100)
    async with (
        Simulator(api_key=API_KEY, replies=[long_reply]) as simulator,
        started(
            *("talk", question, "-o", tmp_path / "reply.wav"), **calling(simulator.endpoint)
        ) as run,
    ):
        await run.line_with("agent speaks")
        run.process.send_signal(signal.SIGINT)
        ended = await run.end()
    assert ended.exit_code == ExitCode.INTERRUPTED
    kept = read_reply(tmp_path / "reply.wav")
    assert kept
    assert long_reply.pcm.startswith(kept)
    kept_s = f"{len(kept) / 48_000:.2f} s"
    assert ended.error == f"interrupted; {kept_s} of reply written to {tmp_path / 'reply.wav'}"
    assert f"played       {kept_s}" in ended.stdout
    assert "turns        1, 0 answered" in ended.stdout


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_while_connecting(question: Path, signum: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        endpoint = f"ws://127.0.0.1:{server.getsockname()[1]}"
        in_background = signum == signal.SIGTERM
        async with started(
            "talk", question, in_background=in_background, **calling(endpoint)
        ) as run:
            accepted, _ = await asyncio.get_running_loop().sock_accept(server)
            with accepted:
                run.process.send_signal(signum)
                ended = await run.end()
    assert ended.exit_code == ExitCode.INTERRUPTED
    assert ended.error == "interrupted"


async def test_a_reader_that_goes_away_ends_the_run(tmp_path: Path, question: Path) -> None:
    is_gone = asyncio.Event()

    async def speak(websocket: web.WebSocketResponse) -> None:
        await websocket.receive()  # session.update
        await is_gone.wait()
        await websocket.send_json({"type": "session.updated", "session": {"id": "s"}})
        await websocket.send_json({"type": "input_audio_buffer.speech_started", "item_id": "i"})
        while (await websocket.receive()).type is WSMsgType.TEXT:
            pass

    read_end, write_end = os.pipe()
    async with service(speak) as endpoint:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voicelane", "talk", question, "-o", tmp_path / "reply.wav"),
            *("--connect-timeout", str(TIMEOUT_S)),
            stdout=write_end,
            stderr=subprocess.PIPE,
            env=environment(**calling(endpoint)),
        )
        os.close(write_end)
        first_line = await asyncio.to_thread(os.read, read_end, 1000)
        os.close(read_end)
        is_gone.set()
        _, stderr = await process.communicate()
    assert first_line.decode() == f"talking to {endpoint}\n"
    assert (process.returncode, stderr) == (ExitCode.PIPE_CLOSED, b"")


async def test_output_does_not_depend_on_the_encoding(tmp_path: Path, question: Path) -> None:
    reply = Reply("Grüße, 東京! \x1b[31m\r\n", SHORT_REPLY.pcm)
    async with Simulator(api_key=API_KEY, replies=[reply]) as simulator:
        ended = await voicelane(
            *("talk", question, "-o", tmp_path / "reply.wav", "--fast"),
            **calling(simulator.endpoint),
            PYTHONIOENCODING="ascii",
        )
    assert ended.exit_code == ExitCode.OK
    assert "agent: Gr??e, ??! [31m\n" in ended.stdout
