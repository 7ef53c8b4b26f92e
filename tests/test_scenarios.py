"""Scenario files, expectations and recordings, each through a real session."""

from __future__ import annotations

import base64
import json
import math
import re
import wave
from pathlib import Path
from typing import Any

import pytest

from support import EventLog, read_all
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig
from voicelane.simulator import (
    Connection,
    Expect,
    Faults,
    McpCall,
    Reply,
    Scenario,
    ScenarioError,
    Simulator,
    ToolCall,
    Turn,
    read_scenario,
)
from voicelane.simulator.record import APPEND, Record
from voicelane.simulator.recording import Frame, read_recording
from voicelane.simulator.replay import Replay

EXAMPLES = Path(__file__).parent.parent / "examples" / "scenarios"


def session(sim: Simulator, **arguments: Any) -> AzureVoiceLive:
    return AzureVoiceLive(
        model="gpt-realtime", endpoint=sim.endpoint, api_key=sim.api_key, **arguments
    )


async def ask(model: AzureVoiceLive, log: EventLog, *questions: str) -> list[str]:
    """What the agent answers."""
    for question in questions:
        count = len(log.finals("agent"))
        await model.send_text_message(question)
        await log.wait_until(lambda count=count: len(log.finals("agent")) > count)  # type: ignore[misc]
    return log.finals("agent")


async def ended(sim: Simulator) -> Connection:
    connection = sim.connections[-1]
    await connection.wait_until(lambda one: one.close_code is not None)
    return connection


@pytest.mark.parametrize(
    ("table", "answer"),
    [("table 7", "You have a table tonight."), ("no table", "I am sorry, we are full tonight.")],
)
async def test_a_booking(table: str, answer: str) -> None:
    def find_table(guests: int) -> str:
        """A free table."""
        return table if guests == 4 else "wrong"

    async with Simulator(scenario=EXAMPLES / "booking.yaml", audio_speed=math.inf) as sim:
        model = session(sim, tools=[find_table])
        log = EventLog(model)
        async with model:
            said = await ask(model, log, "A table for four.", "Tonight.")
        await ended(sim)
        assert said == ["For which evening?", answer]
        sim.check()


async def test_answers_by_words() -> None:
    async with Simulator(scenario=EXAMPLES / "by_words.yaml", audio_speed=math.inf) as sim:
        model = session(sim)
        log = EventLog(model)
        async with model:
            said = await ask(model, log, "Will it RAIN?", "Hello", "Goodbye", "The weather")
        assert said == [
            "It will be sunny.",
            "What can I do for you?",
            "Good bye.",
            "It will be sunny.",
        ]
        sim.check()


async def test_a_wav_file_is_heard_after_its_delay(tmp_path: Path) -> None:
    pcm = bytes(range(256)) * 100
    with wave.open(str(tmp_path / "yes.wav"), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(pcm)
    path = tmp_path / "s.yaml"
    path.write_text("turns:\n- say: Certainly.\n  wav: yes.wav\n  delay_ms: 150\n")

    async def answer(sim: Simulator) -> bytes:
        model = session(sim)
        log = EventLog(model)
        async with model:
            await model.send_text_message("May I?")
            await log.wait_for("response_done")
            heard = read_all(model)
        await ended(sim)
        return heard[-len(pcm) :]

    async with Simulator(scenario=path, record=tmp_path, audio_speed=math.inf) as sim:
        assert await answer(sim) == pcm
    frames = [one for one in read_recording(tmp_path / "connection-1.yaml") if one.at_ms]
    first = {one.data["type"]: one.at_ms or 0 for one in reversed(frames)}
    assert first["response.audio.delta"] - first["response.create"] >= 149

    async with Simulator(replay=tmp_path / "connection-1.yaml") as sim:  # its sound, too
        assert await answer(sim) == pcm
        sim.check()


def test_faults_are_those_of_python() -> None:
    faults = read_scenario(EXAMPLES / "lost_call.yaml").faults
    assert faults == Faults(close_after_deltas=3, close_code=1011, first_connections=1)
    assert Simulator(scenario=EXAMPLES / "lost_call.yaml").faults == faults


async def test_what_a_client_does_not_do_is_told() -> None:
    expect = Expect(
        events=({"type": "response.create"}, {"type": "response.cancel"}),
        never=({"type": "conversation.item.create"},),
        session={"turn_detection": {"threshold": {"between": [0.8, 0.9]}}},
    )
    scenario = Scenario(turns=(Turn(Reply("Yes.")),), expect=expect)
    async with Simulator(scenario=scenario, audio_speed=math.inf) as sim:
        model = session(sim)
        log = EventLog(model)
        async with model:
            await ask(model, log, "One", "Two")
        connection = await ended(sim)
        with pytest.raises(AssertionError) as caught:
            sim.check()
        text = str(caught.value)
        assert "expected event 2, " in text
        assert "response.cancel" in text
        assert "expected never" in text
        assert "session.turn_detection.threshold: expected" in text
        assert "no turn that answers 'Two'" in text
        connection.assert_sent("session.update", "response.create", never=["response.cancel"])
        with pytest.raises(AssertionError, match="expected event 1"):
            connection.assert_sent("response.cancel")


def test_a_scenario_in_python_is_the_one_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("turns:\n- call: f\n  arguments: {a: 1}\n  then:\n  - {when: x, say: Sure}\n")
    call = ToolCall("f", '{"a": 1}')
    assert read_scenario(path) == Scenario(turns=(Turn(call, then=(Turn(Reply("Sure"), "x"),)),))


SEVERAL_PARTS = """
turns:
- user: What is open?
  parts:
  - {call: clock, delay_ms: 10}
  - {call: shops, arguments: {city: Łódź}}
  then:
  - say: The baker's.
- user: null
  call: find
  server: docs
  arguments: {q: bread}
  output: page 3
- parts:
  - say: I look.
  - {call: find, server: docs, error: no such page}
"""


def test_parallel_calls_mcp_calls_and_a_failed_transcription_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SEVERAL_PARTS)
    calls = (ToolCall("clock", delay_ms=10), ToolCall("shops", '{"city": "Łódź"}'))
    assert read_scenario(path) == Scenario(
        turns=(
            Turn(calls, then=(Turn(Reply("The baker's.")),)),
            Turn(McpCall("docs", "find", '{"q": "bread"}', output="page 3")),
            Turn((Reply("I look."), McpCall("docs", "find", error="no such page"))),
        ),
        user_transcripts=("What is open?", None),
    )


async def test_parallel_calls_of_a_file_are_made_by_a_session(tmp_path: Path) -> None:
    def clock() -> str:
        """The time."""
        return "noon"

    def shops(city: str) -> str:
        """The open shops."""
        return f"all of {city}"

    path = tmp_path / "s.yaml"
    path.write_text(SEVERAL_PARTS)
    async with Simulator(scenario=path, audio_speed=math.inf) as sim:
        model = session(sim, tools=[clock, shops])
        log = EventLog(model)
        async with model:
            assert await ask(model, log, "What is open?") == ["The baker's."]
        outputs = [event.get("item", {}).get("output") for event in (await ended(sim)).received]
        assert {one for one in outputs if one} == {"noon", "all of Łódź"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "1: expected a mapping, but got an empty file"),
        ("turns: 5", "1: turns: expected a list, but got 5"),
        ("turns:\n- sya: Hello", "2: turns[0]: expected one of arguments, call"),
        ("turns:\n- say: A\n- say: 3", "3: turns[1].say: expected a text, but got 3"),
        (
            "turns:\n- say: A\n  call: f",
            "2: turns[0]: expected either 'say' or 'call', but got both",
        ),
        ("turns:\n- when: '('\n  say: A", "2: turns[0]: expected a turn, but got when: '(' is no"),
        ("turns:\n- say: A\n  delay_ms: yes", "3: turns[0].delay_ms: expected milliseconds"),
        ("turns:\n- say: A\n  wav: none.wav", "3: turns[0].wav: expected a WAV file"),
        ("turns:\n- say: A\n  output: x", "3: turns[0].output: expected 'server' beside it"),
        ("turns:\n- say: A\n  parts: []", "2: turns[0].say: expected it within 'parts'"),
        ("turns:\n- parts: []", "2: turns[0]: expected a turn, but got answer: expected at least"),
        ("turns:\n- parts:\n  - {when: x}", "3: turns[0].parts[0]: expected one of arguments"),
        ("turns:\n- say: A\n  user: 3", "3: turns[0].user: expected a text or null, but got 3"),
        ("faults:\n  close: 1", "2: faults: expected one of accept_silently"),
        (
            "faults:\n  close_code: 1011\n  latency_ms: soon",
            "3: faults.latency_ms: expected a number, but got 'soon'",
        ),
        (
            "faults:\n  close_code: yes",
            "2: faults.close_code: expected a whole number or null, but got True",
        ),
        (
            "faults:\n  drop_events:\n  - error\n  - 5",
            "4: faults.drop_events[1]: expected an event's type, but got 5",
        ),
        (
            "faults: {latency_ms: -1}",
            "1: faults: expected the fields of Faults, but got latency_ms",
        ),
        ("repeat: true\nrepeat: true", "2: expected each key once, but got 'repeat' again"),
        ("expect:\n  events:\n  - {a: {}, b: {}}", "3: expect.events[0]: expected one event, but"),
        ("turns: [", "2: expected YAML, but got"),
    ],
)
def test_a_bad_file(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read_scenario(path)
    assert str(caught.value).startswith(f"{path}:{error}")


async def test_a_run_is_recorded_and_replayed(tmp_path: Path) -> None:
    async def run(sim: Simulator, question: str) -> list[str]:
        model = session(sim, config=AzureVoiceLiveConfig(max_completion_tokens=500))
        log = EventLog(model)
        async with model:
            said = await ask(model, log, question)
            await log.wait_for("response_done")
        await ended(sim)
        return said

    async with Simulator(record=tmp_path / "a", audio_speed=math.inf) as sim:
        said = await run(sim, "Hello \U0001f600\x85")
        assert sim.api_key not in (tmp_path / "a" / "connection-1.yaml").read_text()
    recorded = tmp_path / "a" / "connection-1.yaml"
    async with Simulator(replay=recorded, record=tmp_path / "b", replay_timing=True) as sim:
        assert await run(sim, "Hello \U0001f600\x85") == said
        sim.check()
        assert await run(sim, "Something else") == said
        with pytest.raises(AssertionError, match=r"text: expected .*Hello.*Something else"):
            sim.check()
    again = read_recording(tmp_path / "b" / "connection-1.yaml")
    server_events = [
        [frame.data for frame in frames if frame.direction == "received"]
        for frames in (read_recording(recorded), again)
    ]
    kinds = [[event["type"] for event in events] for events in server_events]
    assert kinds[0] == kinds[1]
    assert server_events[0][-1] == server_events[1][-1]


def test_a_replay_waits_for_as_much_audio_as_was_recorded() -> None:
    def append(audio: bytes) -> dict[str, str]:
        return {"type": APPEND, "audio": base64.b64encode(audio).decode()}

    stopped = {"type": "input_audio_buffer.speech_stopped"}
    frames = (
        Frame("sent", append(bytes(4))),
        Frame("sent", append(bytes(6))),
        Frame("received", stopped),
    )
    replay = Replay(frames, Record(0), keeps_time=False)
    replay.receive(json.dumps(append(bytes(8))), 0.0)  # cut otherwise than recorded
    assert (replay.due_s, replay.missing()) == (None, ["expected 2 more bytes of audio"])
    replay.receive(json.dumps(append(bytes(2))), 0.1)
    assert (replay.due_s, replay.advance(0.1), replay.missing()) == (0.0, [stopped], [])


async def test_secrets_are_not_recorded(tmp_path: Path) -> None:
    from voicelane import MCPServer

    server = MCPServer("docs", "https://example.org", authorization="s3cret")
    async with Simulator(record=tmp_path) as sim:
        async with session(sim, tools=[server]):
            pass
        await ended(sim)
    text = (tmp_path / "connection-1.yaml").read_text()
    assert "session.updated" in text
    assert "s3cret" not in text


def test_the_scenarios_of_the_guide_are_read(tmp_path: Path) -> None:
    guide = (EXAMPLES.parent.parent / "docs" / "testing-with-the-simulator.md").read_text()
    num_turns = []
    for text in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL):
        (tmp_path / "s.yaml").write_text(text)
        num_turns.append(len(read_scenario(tmp_path / "s.yaml").turns))
    assert num_turns == [3, 3]
