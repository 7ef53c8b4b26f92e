"""The MCP servers of a session: the lists of their tools, and calls that wait for an approval.

No server is called: what a call returns is told by the scenario.
"""

from __future__ import annotations

from typing import Any

from .events import Event, Ids
from .history import History, created_event
from .items import Item
from .outputs import run_mcp_call
from .replies import McpCall


class McpServers:
    """The MCP servers of one session.

    Args:
        history: Where their items go.
        ids: Where ids come from.
    """

    def __init__(self, history: History, ids: Ids) -> None:
        self._history = history
        self._ids = ids
        self._servers: dict[str, Event] = {}
        self._unanswered: dict[str, McpCall] = {}  # by the id of the request

    def configure(self, tools: list[Event]) -> list[Event]:
        """Take over the servers among `tools`; return the events of listing those that are new."""
        servers = {tool["server_label"]: tool for tool in tools if tool["type"] == "mcp"}
        new = [label for label in servers if servers[label] != self._servers.get(label)]
        self._servers = servers
        return [event for label in new for event in self._listed(servers[label])]

    def _listed(self, server: Event) -> list[Event]:
        # Only the names that the client itself allows are known here.
        names = server.get("allowed_tools") or []
        data: Event = {
            "id": self._ids.new("mcpl"),
            "object": "realtime.item",
            "type": "mcp_list_tools",
            "server_label": server["server_label"],
            "tools": [],
        }
        item = Item(data)
        created = created_event(item, self._history.insert(item, None))
        reachable = server["server_url"].startswith(("http://", "https://"))
        if reachable:
            tools = [{"name": name, "input_schema": {"type": "object"}} for name in names]
            item.data = data | {"tools": tools}
        end = "completed" if reachable else "failed"
        return [
            created,
            {"type": "mcp_list_tools.in_progress", "item_id": item.id},
            {"type": f"mcp_list_tools.{end}", "item_id": item.id},
        ]

    def needs_approval(self, call: McpCall) -> bool:
        """Whether the client is asked before this call."""
        rule: Any = self._servers.get(call.server_label, {}).get("require_approval", "always")
        if isinstance(rule, dict):
            # As documented: what is in neither list needs one.
            return call.name not in rule.get("never", ())
        return bool(rule != "never")

    def ask(self, request: Item, call: McpCall) -> None:
        """Remember what the client is asked for."""
        self._unanswered[request.id] = call

    def answer(self, response: Item) -> list[Event]:
        """Take the client's `mcp_approval_response`; return the events of the call, if it may be."""
        request_id = response.data["approval_request_id"]
        call = self._unanswered.pop(request_id, None)
        if call is None or not response.data["approve"]:
            return []
        data = mcp_call_data(self._ids.new("mcp"), call) | {"arguments": call.arguments}
        item = Item(data | {"approval_request_id": request_id})
        created = created_event(item, self._history.insert(item, None))
        return [created, *run_mcp_call(item, call, 0)]


def mcp_call_data(item_id: str, call: McpCall) -> Event:
    """Return the item of a call that begins."""
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "mcp_call",
        "server_label": call.server_label,
        "name": call.name,
        "arguments": "",
        "approval_request_id": None,
        "output": None,
        "error": None,
    }
