"""What is logged: with the fields that find it, and without secrets and audio."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from support import EventLog, read_all, speak, speech
from voicelane import AzureVoiceLive, AzureVoiceLiveConfig, MCPServer, ReconnectPolicy, errors
from voicelane.emitter import EventEmitter
from voicelane.logs import keep_frames_out
from voicelane.simulator import Faults, Reply, Simulator, ToolCall

KEY = "key-5e1f"
TOKEN = "token-77aa"
HIDDEN = "hidden-94c2"
QUICK = ReconnectPolicy(max_attempts=2, first_delay_s=0.001, max_delay_s=0.002)


class Records(logging.Handler):
    """Every record at DEBUG below `voicelane`."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def named(self, event_name: str) -> list[logging.LogRecord]:
        return [one for one in self.records if getattr(one, "event_name", None) == event_name]

    def everything(self) -> str:
        """Messages, tracebacks and every field."""
        text = logging.Formatter("%(message)s")
        return "\n".join(f"{text.format(one)} {one.__dict__!r}" for one in self.records)


@pytest.fixture
def records() -> Iterator[Records]:
    handler = Records()
    logger = logging.getLogger("voicelane")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


class Token:
    """A token credential, sync."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(TOKEN, 2**40)


def model_for(sim: Simulator, **arguments: Any) -> AzureVoiceLive:
    arguments = {"api_key": sim.api_key, "reconnect": QUICK, **arguments}
    return AzureVoiceLive(endpoint=sim.endpoint, model="gpt-realtime", **arguments)


def check_no_secret(records: Records, sim: Simulator) -> None:
    told = records.everything()
    assert len(records.records) > 5
    sent = [event for one in sim.connections for event in one.received]
    assert HIDDEN in json.dumps(sent), "the secret was given away where it belongs"
    for secret in (KEY, TOKEN, HIDDEN, "api-key", "Bearer"):
        assert secret not in told
    # Base64 of 20 ms of audio has 1280 characters; no word, id or path that is logged has 120.
    assert re.findall(r"[A-Za-z0-9+/=]{120,}", told) == []


@pytest.mark.parametrize("way", ["key", "token"])
async def test_neither_a_working_nor_a_failing_session_logs_secrets_texts_or_audio(
    records: Records, way: str
) -> None:
    def look_up(what: str) -> str:
        return HIDDEN + what

    server = MCPServer("crm", "https://crm.example/mcp", authorization=HIDDEN)
    config = AzureVoiceLiveConfig(query={"code": HIDDEN}, headers={"x-code": HIDDEN})
    who = {"api_key": KEY} if way == "key" else {"credential": Token()}
    pcm, _, _ = speech("question-48k-stereo.wav")
    script = [ToolCall("look_up", json.dumps({"what": HIDDEN})), Reply(HIDDEN)]
    simulator = Simulator(
        api_key=KEY,
        bearer_token=TOKEN,
        audio_speed=1000,
        replies=script,
        user_transcripts=[HIDDEN] * 9,
    )
    async with simulator as sim:
        model = model_for(sim, tools=[look_up, server], config=config, **who)
        async with model:
            log = EventLog(model)
            await speak(model, pcm[: len(pcm) // 4 * 4] + bytes(3840 * 50), chunk_bytes=3840)
            await model.send_text_message(HIDDEN)
            await log.wait_for("response_done", 2)
            await model.handle_audio_input(pcm[:3])
            await model.handle_audio_input(base64.b64encode(pcm[:4096]).decode())
            read_all(model)
            await sim.connections[0].abort()
            await log.wait_for("reconnected")
            sim.faults = Faults(refuse_with_status=503)
            await sim.connections[-1].abort()
            await log.wait_for("closed")
        sim.faults = Faults(refuse_with_status=401)
        with pytest.raises(errors.AuthenticationError):
            await model.connect()
        check_no_secret(records, sim)


async def test_records_say_which_session_and_which_response_they_are_about(
    records: Records,
) -> None:
    def fail() -> str:
        raise RuntimeError("the tool's own words")

    script = [ToolCall("fail", "{}"), Reply("Sorry.")]
    async with Simulator(audio_speed=1000, replies=script) as sim:
        one, other = model_for(sim, tools=[fail]), model_for(sim)
        async with one, other:
            log = EventLog(one)

            @one.on("response_done")
            def broken() -> None:
                raise RuntimeError("the handler's own words")

            await one.send_text_message("hello")
            await log.wait_for("response_done", 2)
            ids = [model._session.session_id for model in (one, other)]
        [tool] = [r for r in records.records if r.name == "voicelane.tool_runner"]
        assert tool.session_id == ids[0]
        assert tool.levelno == logging.ERROR
        handlers = [r for r in records.records if r.name == "voicelane.emitter"]
        assert [record.session_id for record in handlers] == [ids[0]] * 2
        begun = [record.response_id for record in records.named("response_begun")]
        done = records.named("response_done")
        assert [record.response_id for record in done] == begun
        assert begun == [payload["response_id"] for payload in log.all("response_done")]
        assert [record.session_id for record in done] == [ids[0]] * 2
        assert [record.session_id for record in records.named("connected")] == ids
        closed = records.named("closed")
        assert [record.session_id for record in closed] == ids[::-1]
        assert {record.levelno for record in closed} == {logging.INFO}
        # Outside of the sessions' tasks a record is nobody's.
        emitter = EventEmitter()
        emitter.on("own", broken)
        emitter.emit("own")
        assert not hasattr(records.records[-1], "session_id")


async def test_levels_say_how_bad_it_is(records: Records) -> None:
    async with Simulator(audio_speed=1000) as sim, model_for(sim) as model:
        log = EventLog(model)
        await model.send_text_message("hello")
        await log.wait_for("response_done")
        working = [(record.event_name, record.levelno) for record in records.records]
        assert [name for name, level in working if level > logging.DEBUG] == ["connected"]
        records.records.clear()
        await sim.connections[0].abort()
        await log.wait_for("reconnected")
        await sim.connections[1].close(1008, "policy")
        await log.wait_for("closed")
        await model.wait_closed()
    told = [(r.event_name, r.levelname) for r in records.records if r.levelno > logging.DEBUG]
    assert told == [
        ("error", "WARNING"),
        ("reconnecting", "INFO"),
        ("connected", "INFO"),
        ("reconnected", "INFO"),
        ("error", "WARNING"),
        ("closed", "INFO"),
    ]


async def test_the_clients_frames_are_kept_out_where_that_is_asked_for(transport: str) -> None:
    client = logging.getLogger("azure.ai.voicelive.aio._patch")
    root = logging.getLogger("azure")
    handler, levels = Records(), (client.level, root.level)
    root.addHandler(handler)
    try:
        root.setLevel(logging.DEBUG)
        for kept_out in (False, True):
            handler.records.clear()
            if kept_out:
                keep_frames_out()
            config = AzureVoiceLiveConfig(query={"code": HIDDEN})
            async with Simulator() as sim, model_for(sim, config=config) as model:
                await model.send_text_message("hello")
            # The reason for it: the URL, with what it carries. The engine logs none.
            is_logged = transport == "sdk" and not kept_out
            assert (HIDDEN in handler.everything()) is is_logged
        assert client.isEnabledFor(logging.WARNING)
    finally:
        root.removeHandler(handler)
        client.setLevel(levels[0])
        root.setLevel(levels[1])
