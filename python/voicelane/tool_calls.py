"""The calls of the model without their I/O: which to run, and what follows from their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .actions import Action, CallFunction, Emit, MCPApprovalRequest, ReplyDone, Send
from .open_calls import OpenCalls
from .reply import Reply
from .wire_values import mapping

_MCP = "mcp"  # the calls of MCP servers are one group: they do not tell their response
_REMEMBERED_APPROVALS = 64


class ToolCalls:
    """What the model calls on one connection.

    Args:
        open_calls: the calls that are not answered yet; outlives the connection.
        mcp_labels: tells the MCP servers that are this session's; what others do is let be.
        answer_is_due: asks for a response, once all calls of a response are answered.
    """

    def __init__(
        self,
        open_calls: OpenCalls,
        mcp_labels: Callable[[], Collection[str]],
        answer_is_due: Callable[[Reply | None], list[Action]],
    ) -> None:
        self._open = open_calls
        self._mcp_labels = mcp_labels
        self._answer_is_due = answer_is_due
        self._asked_approvals: deque[str] = deque(maxlen=_REMEMBERED_APPROVALS)

    def of_response(self, response: Mapping[str, Any], reply: Reply | None) -> list[Action]:
        """The calls of functions in a completed response, which `reply` goes on with."""
        # Only here, of a completed response: the arguments that came before may have been cut off.
        calls: list[Action] = []
        output = response.get("output")
        for item in map(mapping, output if isinstance(output, list) else ()):
            call_id = str(item.get("call_id") or "")
            is_whole = item.get("status") in (None, "completed")
            if item.get("type") != "function_call" or not is_whole or not call_id:
                continue
            if call_id not in self._open:
                self._open.add(call_id, group=str(response.get("id")), reply=reply)
                name, arguments = str(item.get("name")), str(item.get("arguments") or "")
                calls.append(CallFunction(call_id, name, arguments))
        return calls

    def on_item(self, event: Mapping[str, Any]) -> list[Action]:
        """An item was created or is done: it may ask for an approval."""
        item = mapping(event.get("item"))
        item_id, arguments = str(item.get("id") or ""), str(item.get("arguments") or "")
        if item.get("type") != "mcp_approval_request" or item_id in ("", *self._asked_approvals):
            return []
        label, name = str(item.get("server_label")), str(item.get("name"))
        if label not in self._mcp_labels():
            return []
        if event.get("type") == "conversation.item.created" and not arguments:
            return []  # output_item.done will bring them
        self._asked_approvals.append(item_id)
        self._open.add(item_id, group=_MCP)
        return [MCPApprovalRequest(item_id, label, name, arguments)]

    def on_mcp_started(self, event: Mapping[str, Any]) -> list[Action]:
        """The service calls an MCP server."""
        if self._mcp_labels():  # an agent of the service answers for the servers that it brings
            self._open.add(str(event.get("item_id")), group=_MCP)
        return []

    def on_mcp_done(self, event: Mapping[str, Any]) -> list[Action]:
        """The service has called an MCP server."""
        # The service runs the call, but says nothing about it unless it is asked to.
        return self._answered(str(event.get("item_id")))

    def answer(self, call: CallFunction, output: str, *, is_error: bool) -> list[Action]:
        """Gives the model what a function returned; after the last one of its response, asks for the next.

        A call that nobody waits for any more is only told to the handlers.
        """
        executed = Emit(
            "realtime_model_function_executed",
            {
                "name": call.name,
                "arguments": call.arguments,
                "call_id": call.call_id,
                "output": output,
                "is_error": is_error,
            },
        )
        if call.call_id not in self._open:
            return [executed]
        item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
        return [
            Send({"type": "conversation.item.create", "item": item}),
            executed,
            *self._answered(call.call_id),
        ]

    def answer_approval(self, request: MCPApprovalRequest, *, approve: bool) -> list[Action]:
        """Lets the service call an MCP server's tool, or not."""
        if request.id not in self._open:
            return []
        item = {
            "type": "mcp_approval_response",
            "approval_request_id": request.id,
            "approve": approve,
        }
        send = Send({"type": "conversation.item.create", "item": item})
        if approve:
            self._open.remove(request.id)  # it goes on as a call, which has its own end
            return [send]
        return [send, *self._answered(request.id)]

    def leave(self, call: CallFunction) -> list[Action]:
        """There is no function for this call: its answer is the caller's business."""
        reply = self._open.reply_to(call.call_id)
        self._open.remove(call.call_id)
        return [ReplyDone(reply)] if reply else []

    def silence(self, response_id: str | None) -> None:
        """The caller cut the agent off: no response is due to the calls of this response and before."""
        self._open.silence(response_id)

    def _answered(self, call_id: str) -> list[Action]:
        reply = self._open.reply_to(call_id)
        return self._answer_is_due(reply) if self._open.remove(call_id) else []
