"""What a model calls in the simulator: parallel functions, and MCP servers."""

from __future__ import annotations

from typing import Any

import pytest

from simulator_talk import (
    CANCELLED,
    REPLY_EVENTS,
    VOICE,
    Talk,
    audio_of,
    mcp,
    of_type,
    order,
    the,
    types,
)
from voicelane.simulator import McpCall, Reply, Scenario, ToolCall, Turn

# Several outputs


def test_parallel_calls_are_outputs_of_one_response() -> None:
    calls = (ToolCall("clock"), ToolCall("weather", '{"city":"Graz"}'))
    after = (Turn(Reply("It is noon and sunny.")),)
    talk = Talk(scenario=Scenario(turns=(Turn(calls, then=after),)))
    events = talk.say("Time and weather?") + talk.play()
    added = of_type(events, "response.output_item.added")
    assert [(event["output_index"], event["item"]["name"]) for event in added] == [
        (0, "clock"),
        (1, "weather"),
    ]
    done = of_type(events, "response.function_call_arguments.done")
    assert [(event["output_index"], event["arguments"]) for event in done] == [
        (0, "{}"),
        (1, '{"city":"Graz"}'),
    ]
    output = the(events, "response.done")["response"]["output"]
    assert [item["status"] for item in output] == ["completed", "completed"]
    for item in output:
        answer = {"type": "function_call_output", "call_id": item["call_id"], "output": "1"}
        talk.send("conversation.item.create", item=answer)
    events = talk.send("response.create") + talk.play()
    said = the(events, "response.audio_transcript.done")["transcript"]
    assert said == "It is noon and sunny."


def test_a_message_before_a_call() -> None:
    talk = Talk(replies=[(Reply("One moment."), ToolCall("clock"))])
    events = talk.say("Time?") + talk.play()
    assert audio_of(events) == VOICE.bundled[0].pcm
    output = the(events, "response.done")["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]


def test_what_has_not_begun_is_not_in_a_cancelled_response() -> None:
    talk = Talk(replies=[(Reply("One moment."), ToolCall("clock"))])
    talk.say("Time?")
    talk.play(1)
    events = talk.send("response.cancel")
    assert types(events) == CANCELLED
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["status"]) == ("message", "incomplete")


def test_max_output_tokens_makes_a_response_incomplete() -> None:
    talk = Talk()
    talk.send("session.update", session={"max_response_output_tokens": 20})
    done = the(talk.say("Hello") + talk.play(), "response.done")["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert 20 <= done["usage"]["output_tokens"] <= 24  # a delta has two


# MCP


def mcp_talk(call: McpCall, **fields: Any) -> Talk:
    talk = Talk(replies=[call, Reply("Found it.")])
    talk.send("session.update", session={"tools": [mcp(**fields)]})
    return talk


@pytest.mark.parametrize(
    ("url", "end", "tools"),
    [("https://mcp.example", "completed", ["find"]), ("mcp.example", "failed", [])],
)
def test_mcp_tools_are_listed_once(url: str, end: str, tools: list[str]) -> None:
    talk = Talk()
    session = {"tools": [mcp(server_url=url, allowed_tools=["find"])]}
    events = talk.send("session.update", session=session)
    assert types(events) == [
        "session.updated",
        "conversation.item.created",
        "mcp_list_tools.in_progress",
        f"mcp_list_tools.{end}",
    ]
    item_id = events[-1]["item_id"]
    (retrieved,) = talk.send("conversation.item.retrieve", item_id=item_id)
    assert [tool["name"] for tool in retrieved["item"]["tools"]] == tools
    assert types(talk.send("session.update", session=session)) == ["session.updated"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"allowed_tools": 5}, "allowed_tools"),
        ({"allowed_tools": [5]}, "allowed_tools[0]"),
        ({"require_approval": "sometimes"}, "require_approval"),
        ({"require_approval": {"never": 5}}, "require_approval.never"),
    ],
)
def test_mcp_servers_that_are_refused(fields: dict[str, Any], param: str) -> None:
    error = Talk().error("session.update", session={"tools": [mcp(**fields)]})
    assert error["param"] == f"session.tools[0].{param}"


@pytest.mark.parametrize(("error", "end"), [(None, "completed"), ("no such page", "failed")])
def test_mcp_call(error: str | None, end: str) -> None:
    call = McpCall("docs", "find", '{"q":"vad"}', output="page 3", error=error)
    talk = mcp_talk(call, require_approval="never")
    events = talk.say("Where?")[1:] + talk.play()
    assert order(events) == [
        *REPLY_EVENTS[:3],
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        f"response.mcp_call.{end}",
        *REPLY_EVENTS[-2:],
    ]
    item = the(events, "response.output_item.done")["item"]
    assert item["arguments"] == '{"q":"vad"}'
    assert (item["output"], item["error"]) == (None if error else "page 3", error)
    # The service says nothing about what was found until it is asked to.
    assert "response.audio.delta" in types(talk.send("response.create") + talk.play())


@pytest.mark.parametrize("rule", [None, "always", {"always": ["find"]}, {"never": ["other"]}])
@pytest.mark.parametrize("approve", [True, False])
def test_mcp_call_that_must_be_approved(rule: Any, approve: bool) -> None:
    fields = {} if rule is None else {"require_approval": rule}
    talk = mcp_talk(McpCall("docs", "find", '{"q":1}', output="page 3"), **fields)
    events = talk.say("Where?")[1:] + talk.play()
    assert order(events) == [*REPLY_EVENTS[:3], *REPLY_EVENTS[-2:]]
    request = the(events, "response.output_item.done")["item"]
    assert request["type"] == "mcp_approval_request"
    assert (request["name"], request["arguments"]) == ("find", '{"q":1}')
    answer = {"type": "mcp_approval_response", "approval_request_id": request["id"]}
    events = talk.send("conversation.item.create", item=answer | {"approve": approve})
    if not approve:
        assert types(events) == ["conversation.item.created"]
        return
    assert types(events)[1:] == [
        "conversation.item.created",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
    ]
    (retrieved,) = talk.send("conversation.item.retrieve", item_id=events[-1]["item_id"])
    assert retrieved["item"]["output"] == "page 3"
    assert retrieved["item"]["approval_request_id"] == request["id"]
