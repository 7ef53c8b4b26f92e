"""Tools of MCP servers, which the service calls: approvals, and when the model goes on."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest

from support import until
from tool_talk import LONDON, SPOKEN, Call, get_weather, session, tool_tasks
from voicelane import (
    AzureVoiceLiveConfig,
    MCPApprovalRequest,
    MCPServer,
)

REQUEST = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "docs", "name": "search"}


def docs(on_approval: Callable[[MCPApprovalRequest], Any] | None, **more: Any) -> MCPServer:
    return MCPServer("docs", "https://example.com/mcp", on_approval=on_approval, **more)


async def approval(call: Call) -> dict[str, Any]:
    await call.until_sent("mcp_approval_response")
    items = [event.get("item", {}) for event in call.service.received]
    (answer,) = [item for item in items if item.get("type") == "mcp_approval_response"]
    return dict(answer)


async def test_an_approval_is_asked_for_once_with_all_that_is_known() -> None:
    asked: list[MCPApprovalRequest] = []

    async def on_approval(request: MCPApprovalRequest) -> bool:
        asked.append(request)
        return True

    async with session(docs(on_approval)) as call:
        assert call.service.received[0]["session"]["tools"] == call.model.tools
        whole = {**REQUEST, "arguments": '{"query": "a"}'}
        # Without arguments first: nobody can approve what is not known.
        await call.says("conversation.item.created", item={**REQUEST, "arguments": ""})
        await call.says("response.output_item.done", response_id="r1", item=whole)
        await call.says("conversation.item.created", item=whole)
        answer = await approval(call)
        await call.settle()
        assert asked == [MCPApprovalRequest("mcpr_1", "docs", "search", '{"query": "a"}')]
        expected = {"approval_request_id": "mcpr_1", "approve": True}
        assert answer == {"type": "mcp_approval_response", **expected}
        # What was approved is called by the service; only then there is something to say.
        assert "response.create" not in call.sent()
        await call.says("response.mcp_call.in_progress", item_id="m1", output_index=0)
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.until_sent("response.create")


def denies(_request: MCPApprovalRequest) -> bool:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()  # a sync one is on a thread
    return False


async def never_decides(_request: MCPApprovalRequest) -> bool:
    await asyncio.Event().wait()
    return True


def fails_to_decide(_request: MCPApprovalRequest) -> bool:
    raise LookupError("no one there")


def says_yes_in_words(_request: MCPApprovalRequest) -> Any:
    return "no"


@pytest.mark.parametrize(
    "on_approval", [None, denies, never_decides, fails_to_decide, says_yes_in_words]
)
async def test_in_doubt_the_answer_is_no_and_the_model_speaks_on(on_approval: Any) -> None:
    async with session(docs(on_approval, approval_timeout_s=0.05)) as call:
        await call.says("conversation.item.created", item={**REQUEST, "arguments": "{}"})
        assert (await approval(call))["approve"] is False
        await call.until_sent("response.create")
        assert call.log.all("error") == []


@pytest.mark.parametrize("tools", [[], [docs(denies)]])
async def test_a_request_of_a_server_of_somebody_else_is_let_be(
    tools: list[MCPServer], caplog: pytest.LogCaptureFixture
) -> None:
    async with session(*tools) as call:
        other = {**REQUEST, "server_label": "other", "arguments": "{}"}
        await call.says("conversation.item.created", item=other)
        await call.settle()
        assert "mcp_approval_response" not in call.sent()
        await until(lambda: tool_tasks() == [])
        gc.collect()  # a task that failed unseen would be logged now
        # But what asyncio says of a slow machine, where it is asked to.
        assert [
            r for r in caplog.records if r.name != "asyncio" or r.levelno > logging.WARNING
        ] == []


async def test_calls_of_servers_that_an_agent_brings_are_answered_by_the_agent() -> None:
    async with session(get_weather) as call:
        await call.says("response.mcp_call.in_progress", item_id="m1", output_index=0)
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.settle()
        assert "response.create" not in call.sent()


@pytest.mark.parametrize("end", ["completed", "failed"])
async def test_after_the_last_call_of_mcp_servers_one_response_is_asked_for(end: str) -> None:
    async with session(docs(None)) as call:
        await call.says("response.created", response={"id": "r1"})
        for item_id in ("m1", "m2"):
            await call.says("response.mcp_call.in_progress", item_id=item_id, output_index=0)
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.says("response.done", response={"id": "r1", "status": "completed"})
        await call.settle()
        assert "response.create" not in call.sent()
        await call.says(f"response.mcp_call.{end}", item_id="m2", output_index=0)
        await call.hears("agent_speech_ended")
        await call.settle()
        assert call.sent().count("response.create") == 1


async def test_after_an_interrupt_no_response_is_asked_for_what_mcp_servers_bring() -> None:
    async with session(docs(None)) as call:
        await call.says("response.mcp_call.in_progress", item_id="m1", output_index=0)
        await call.settle()
        await call.model.interrupt()
        await call.says("response.mcp_call.completed", item_id="m1", output_index=0)
        await call.settle()
        assert "response.create" not in call.sent()


async def test_closing_cancels_an_approval_that_is_open() -> None:
    async with session(docs(never_decides)) as call:
        await call.says("conversation.item.created", item={**REQUEST, "arguments": "{}"})
        await until(lambda: len(tool_tasks()) == 1)
        await call.model.aclose()
        assert tool_tasks() == []
        assert "mcp_approval_response" not in call.sent()


async def test_text_only_sessions_call_tools_too() -> None:
    config = AzureVoiceLiveConfig(modalities=["text"])
    async with session(get_weather, replies=[LONDON, SPOKEN], config=config) as call:
        await call.model.send_text_message("What is the weather?")
        assert (await call.log.wait_for("text_response"))["text"] == SPOKEN.text
