"""What follows from a server event: the session obeys these in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import ServiceError, VoiceLiveError
from .reply import Reply


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell the handlers of an event."""

    event: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Send:
    """Send a client event."""

    event: Mapping[str, Any]


class PlayHead(Protocol):
    """Which item is being heard, and how much of it was."""

    @property
    def item_id(self) -> str | None: ...
    @property
    def content_index(self) -> int: ...
    @property
    def audio_end_ms(self) -> int: ...


class Interrupted(Protocol):
    """How playback was interrupted."""

    @property
    def position(self) -> PlayHead: ...
    @property
    def unheard_frames(self) -> int: ...
    @property
    def dropped_before_frames(self) -> int: ...


@dataclass(frozen=True, slots=True)
class InterruptPlayback:
    """Drop what was received and not yet heard.

    Attributes:
        done: how the transport did it already; None where it is still to be done.
    """

    done: Interrupted | None = None


@dataclass(frozen=True, slots=True)
class ResponseBegun:
    """The service began a response."""

    response_id: str | None


@dataclass(frozen=True, slots=True)
class SpeechBegins:
    """The first audio of a response is in the buffer, behind so many frames that were written before."""

    start_frame: int


@dataclass(frozen=True, slots=True)
class SpeechComplete:
    """The last audio of a response is in the buffer."""


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """A response ended; it is to be heard to its end."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """What was asked for will not come."""

    reply: Reply
    error: VoiceLiveError


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The service accepted the session, until `expires_at_s` (Unix time) where it says so."""

    session_id: str | None
    expires_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """The service reported an error."""

    error: ServiceError


@dataclass(frozen=True, slots=True)
class CallFunction:
    """Run a function and give its output to `ToolCalls.answer`."""

    call_id: str
    name: str
    arguments: str  # JSON text, as the model wrote it


@dataclass(frozen=True, slots=True)
class MCPApprovalRequest:
    """Ask whether an MCP server's tool may be called, and tell `ToolCalls.answer_approval`.

    Attributes:
        id: the service's, of the request.
        server_label: the server.
        name: the tool.
        arguments: the model's JSON text.
    """

    id: str
    server_label: str
    name: str
    arguments: str  # JSON text, as the model wrote it


Action = (
    Emit
    | Send
    | InterruptPlayback
    | ResponseBegun
    | SpeechBegins
    | SpeechComplete
    | ReplyDone
    | ReplyFailed
    | SessionReady
    | Fault
    | CallFunction
    | MCPApprovalRequest
)
