"""Carries out what the conversation decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from .actions import (
    Action,
    CallFunction,
    Emit,
    Fault,
    InterruptPlayback,
    MCPApprovalRequest,
    ReplyDone,
    ReplyFailed,
    ResponseBegun,
    Send,
    SessionReady,
    SpeechBegins,
    SpeechComplete,
)
from .errors import ErrorText
from .link import Link
from .observer import Observer
from .playout import Playout
from .tool_runner import ToolRunner
from .tools import ToolSet
from .uplink import Uplink, UplinkFullError


class Executor:
    """Gives each action to whom it concerns.

    Args:
        uplink: takes what is to be sent.
        playout: what is being heard.
        tools: what the model may call.
        current_link: the connection at the moment.
        emit: tells the handlers.
        observer: tells logs and telemetry.
    """

    def __init__(
        self,
        uplink: Uplink,
        playout: Playout,
        tools: ToolSet,
        current_link: Callable[[], Link | None],
        emit: Callable[[str, Any], None],
        observer: Observer,
    ) -> None:
        self.tool_runner = ToolRunner(
            tools, self._answer_call, self._answer_approval, observer.calling
        )
        self._observer = observer
        self._uplink = uplink
        self.playout = playout
        self._current_link = current_link
        self._emit = emit

    def obey(self, link: Link, actions: Iterable[Action]) -> None:
        """Carries out the actions of a link's conversation, in order."""
        for action in actions:
            match action:
                case Send(event):
                    self._send(event)
                case Emit(event, payload):
                    if event == "user_speech_ended":
                        self.playout.user_speech_ended()
                    self._emit(event, payload)
                case InterruptPlayback(done):
                    link.silence()
                    self.playout.interrupt(done)
                    self._emit("playback_interrupted", {})
                case ResponseBegun(response_id):
                    self._observer.response_begun(response_id)
                case SpeechBegins(start_frame):
                    self.playout.begins(start_frame)
                case SpeechComplete():
                    self.playout.is_complete(is_declared=link.transport.writes_playback)
                case ReplyDone(reply):
                    self.playout.when_passed(reply.finish)
                case ReplyFailed(reply, error):
                    reply.finish("failed", error)
                case CallFunction():
                    if self.tool_runner.call(action):
                        self._emit("realtime_model_function_started", asdict(action))
                    else:
                        self.obey(link, link.conversation.calls.leave(action))
                case MCPApprovalRequest():
                    self.tool_runner.ask(action)
                case SessionReady(session_id, expires_at_s):
                    link.accept(session_id, expires_at_s)
                case Fault(error):
                    if not link.refuse(error):
                        self._emit("error", ErrorText(error, error))

    def report(self, error: ValueError) -> None:
        """A server event could not be read."""
        self._emit("error", ErrorText(f"Error processing events: {error}", error))

    def _send(self, event: Mapping[str, Any]) -> None:
        try:
            self._uplink.put_event(event)
        except (UplinkFullError, TypeError, ValueError) as error:
            self._emit("error", ErrorText(f"Failed to send event: {error}", error))

    def _answer_call(self, call: CallFunction, output: str, is_error: bool) -> None:
        if (link := self._current_link()) is not None:
            self.obey(link, link.conversation.calls.answer(call, output, is_error=is_error))

    def _answer_approval(self, request: MCPApprovalRequest, approve: bool) -> None:
        if (link := self._current_link()) is not None:
            self.obey(link, link.conversation.calls.answer_approval(request, approve=approve))
