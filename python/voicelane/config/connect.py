"""What is said when connecting, before there is a session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from .checks import Checked, Text, list_of, text, text_map

BYOM_PROFILES = (
    "byom-azure-openai-realtime",
    "byom-azure-openai-chat-completion",
    "byom-foundry-anthropic-messages",
)

_API_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-preview)?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE_BREAK = re.compile(r"[\r\n\0]")

# How the service spells them in the URL.
_AGENT_QUERY = {
    "agent_name": "agent-name",
    "project_name": "agent-project-name",
    "agent_version": "agent-version",
    "conversation_id": "conversation-id",
    "authentication_identity_client_id": "agent-authentication-identity-client-id",
}


@dataclass(frozen=True, kw_only=True)
class FoundryAgent(Checked):
    """An agent of Azure AI Foundry in the place of a model. It brings its own instructions.

    Attributes:
        agent_name: the agent.
        project_name: its project.
        agent_version: default the latest.
        conversation_id: of a conversation to be continued.
        authentication_identity_client_id: of the managed identity that the agent acts as.
    """

    agent_name: Annotated[str, text]
    project_name: Annotated[str, text]
    agent_version: Text = None
    conversation_id: Text = None
    authentication_identity_client_id: Text = None

    def query(self) -> dict[str, str]:
        """The URL's parameters."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {_AGENT_QUERY[name]: value for name, value in given.items() if value is not None}


def agent_of(name: str, value: Any) -> FoundryAgent:
    """A mapping of the same names is as good."""
    if isinstance(value, FoundryAgent):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a FoundryAgent or a mapping, got {value!r}")
    unknown = [key for key in value if key not in _AGENT_QUERY]
    missing = [key for key in ("agent_name", "project_name") if key not in value]
    if unknown or missing:
        expected = f"agent_name and project_name, perhaps {', '.join([*_AGENT_QUERY][2:])}"
        raise ValueError(f"{name}: expected {expected}, got {[*value]}")
    return FoundryAgent(**value)


def check_api_version(name: str, value: Any) -> None:
    """A date, perhaps a preview."""
    text(name, value)
    if not _API_VERSION.fullmatch(value):
        raise ValueError(f"{name}: expected a date such as '2026-07-15', got {value!r}")


def check_headers(name: str, value: Any) -> None:
    """What HTTP takes. Values are secrets: none is shown."""
    text_map()(name, value)
    for key, content in value.items():
        if not _HEADER_NAME.fullmatch(key):
            raise ValueError(f"{name}: expected the name of a header, got {key!r}")
        if _LINE_BREAK.search(content):
            raise ValueError(f"{name}: expected a value of one line, got several at {key!r}")


def check_scopes(name: str, value: Any) -> None:
    """One scope or several."""
    (text if isinstance(value, str) else list_of())(name, value)
