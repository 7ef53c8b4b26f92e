"""From what the scenario says to the outputs of a response."""

from __future__ import annotations

from collections.abc import Collection

from .events import Event, Ids
from .formats import OUTPUT_FORMATS
from .items import Item
from .mcp import McpServers, mcp_call_data
from .outputs import (
    ApprovalOutput,
    FunctionCallOutput,
    McpCallOutput,
    Output,
    SpeechOutput,
    TextOutput,
)
from .replies import McpCall, Reply, ToolCall
from .responder import Voice
from .scenario import Part


class OutputFactory:
    """Makes the outputs of one session's responses.

    Args:
        ids: Where ids come from.
        voice: Where the sound comes from.
        mcp: The session's MCP servers.
        is_cascaded: Make them as those of a cascaded model.
    """

    def __init__(self, ids: Ids, voice: Voice, mcp: McpServers, *, is_cascaded: bool) -> None:
        self._ids = ids
        self._voice = voice
        self._mcp = mcp
        self._is_cascaded = is_cascaded

    def make(self, part: Part, response: Event, index: int, timestamps: Collection[str]) -> Output:
        """Return the output that says `part`.

        Args:
            part: What is said.
            response: The wire form of the response.
            index: Its place in it.
            timestamps: What the session wants to be told the times of.
        """
        match part:
            case McpCall():
                return self._mcp_call(part, response, index)
            case ToolCall():
                item = Item(
                    {
                        "id": self._ids.new("item"),
                        "object": "realtime.item",
                        "type": "function_call",
                        "status": "in_progress",
                        "name": part.name,
                        "call_id": self._ids.new("call"),
                        "arguments": "",
                    }
                )
                return FunctionCallOutput(item, response["id"], index, part.arguments)
            case Reply():
                return self._message(part, response, index, timestamps)

    def _mcp_call(self, call: McpCall, response: Event, index: int) -> Output:
        if not self._mcp.needs_approval(call):
            item = Item(mcp_call_data(self._ids.new("mcp"), call))
            return McpCallOutput(item, response["id"], index, call)
        item = Item(
            {
                "id": self._ids.new("mcpr"),
                "object": "realtime.item",
                "type": "mcp_approval_request",
                "server_label": call.server_label,
                "name": call.name,
                "arguments": call.arguments,
            }
        )
        self._mcp.ask(item, call)
        return ApprovalOutput(item, response["id"], index)

    def _message(
        self, reply: Reply, response: Event, index: int, timestamps: Collection[str]
    ) -> Output:
        item = Item(
            {
                "id": self._ids.new("msg" if self._is_cascaded else "item"),
                "object": "realtime.item",
                "type": "message",
                "status": "incomplete" if self._is_cascaded else "in_progress",
                "role": "assistant",
                "content": [],
            }
        )
        if "audio" not in response["modalities"]:
            return TextOutput(
                item, response["id"], index, text=reply.text, tells_part=self._is_cascaded
            )
        output_format = response["output_audio_format"]
        return SpeechOutput(
            item,
            response["id"],
            index,
            text=reply.text,
            deltas=self._voice.deltas(reply.pcm, output_format),
            bytes_per_ms=OUTPUT_FORMATS[output_format].bytes_per_ms,
            tells_words="word" in timestamps and response["voice"]["type"] != "openai",
        )
