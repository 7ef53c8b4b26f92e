"""What the two generations of VideoSDK Agents want to be told, each in its way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

import videosdk.agents as agents

_TOKEN_DETAILS = ("text_tokens", "audio_tokens", "image_tokens", "cached_tokens")


class Host(Protocol):
    """The bookkeeping of one model's host: metrics, and what its pipeline leaves to the model.

    Attributes:
        tells_the_end: whether the room's track tells the pipeline when the agent was heard to the end.
    """

    tells_the_end: bool

    def user_speech_started(self, *, interrupted: bool) -> None: ...
    def user_speech_ended(self, agent: Any) -> None: ...
    def agent_speech_started(self, agent: Any) -> None: ...
    def agent_speech_ended(self, agent: Any) -> None: ...
    def transcription(self, agent: Any, said: Mapping[str, Any]) -> None: ...
    def function_executed(self, agent: Any, call: Mapping[str, Any]) -> None: ...
    def usage(self, usage: Mapping[str, Any]) -> None: ...


def host() -> Host:
    """The one that is installed."""
    return Host0() if hasattr(agents, "realtime_metrics_collector") else Host1()


class Host1:
    """1.x: sync metrics, bound to the session; the pipeline keeps the states and the chat context."""

    tells_the_end = True

    def __init__(self) -> None:
        from videosdk.agents.metrics import metrics_collector

        self._metrics = metrics_collector

    def user_speech_started(self, *, interrupted: bool) -> None:
        if interrupted:
            self._metrics.on_interrupted()
        self._metrics.on_user_speech_start()
        self._metrics.start_turn()

    def user_speech_ended(self, agent: Any) -> None:
        self._metrics.on_user_speech_end()

    def agent_speech_started(self, agent: Any) -> None:
        self._metrics.on_agent_speech_start()

    def agent_speech_ended(self, agent: Any) -> None:
        self._metrics.on_agent_speech_end()

    def transcription(self, agent: Any, said: Mapping[str, Any]) -> None:
        metrics, text = self._metrics, said["text"]
        match said["role"], said["is_final"]:
            case "user", True:
                metrics.set_user_transcript(text)
            case "user", False:
                metrics.emit_user_transcript_transport(text, "interim")
            case _, True:
                metrics.set_agent_response(text)
            case _, False:
                metrics.emit_agent_transcript_transport(text, "interim")

    def function_executed(self, agent: Any, call: Mapping[str, Any]) -> None:
        self._metrics.add_function_tool_call(tool_name=call["name"])

    def usage(self, usage: Mapping[str, Any]) -> None:
        self._metrics.set_realtime_usage(flat_usage(usage))


class Host0:
    """0.x: async metrics of the process; states and chat context are the model's business."""

    tells_the_end = False

    def __init__(self) -> None:
        self._metrics = agents.realtime_metrics_collector
        self._tasks: set[asyncio.Task[None]] = set()

    def user_speech_started(self, *, interrupted: bool) -> None:
        if interrupted:
            self._start(self._metrics.set_interrupted())
        self._start(self._metrics.set_user_speech_start())

    def user_speech_ended(self, agent: Any) -> None:
        self._start(self._metrics.set_user_speech_end())
        self._say(agent, agents.UserState.IDLE, agents.AgentState.THINKING)

    def agent_speech_started(self, agent: Any) -> None:
        self._start(self._metrics.set_agent_speech_start())
        self._say(agent, agents.UserState.LISTENING, agents.AgentState.SPEAKING)

    def agent_speech_ended(self, agent: Any) -> None:
        self._start(self._metrics.set_agent_speech_end(timeout=1.0))
        self._say(agent, agents.UserState.IDLE, agents.AgentState.IDLE)

    def transcription(self, agent: Any, said: Mapping[str, Any]) -> None:
        if not said["is_final"]:
            return
        text, is_user = said["text"], said["role"] == "user"
        set_text = (
            self._metrics.set_user_transcript if is_user else self._metrics.set_agent_response
        )
        self._start(set_text(text))
        context = getattr(agent, "chat_context", None)
        if context is None:
            return
        role = agents.ChatRole.USER if is_user else agents.ChatRole.ASSISTANT
        if not _is_last_message(context, role, text):  # `say` has put it there before
            context.add_message(role=role, content=text)

    def function_executed(self, agent: Any, call: Mapping[str, Any]) -> None:
        self._start(self._metrics.add_tool_call(call["name"]))
        context = getattr(agent, "chat_context", None)
        if context is not None:
            name, call_id = call["name"], call["call_id"]
            context.add_function_call(name=name, arguments=call["arguments"], call_id=call_id)
            context.add_function_output(
                name=name, output=call["output"], call_id=call_id, is_error=call["is_error"]
            )

    def usage(self, usage: Mapping[str, Any]) -> None:
        """0.x has no place for it."""

    def _say(self, agent: Any, user: Any, state: Any) -> None:
        if (session := getattr(agent, "session", None)) is not None:
            session._emit_user_state(user)
            session._emit_agent_state(state)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def flat_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The service's token counts by VideoSDK's names."""
    flat = {name: usage.get(name) for name in ("input_tokens", "output_tokens", "total_tokens")}
    for side in ("input", "output"):
        details = usage.get(f"{side}_token_details") or {}
        for name in _TOKEN_DETAILS:
            if name in details:
                flat[f"{side}_{name}"] = details[name]
        cached = details.get("cached_tokens_details") or {}
        flat |= {f"cached_{name}": value for name, value in cached.items()}
    return flat


def _is_last_message(context: Any, role: Any, text: str) -> bool:
    messages = [item for item in context.items if hasattr(item, "role")]
    if not messages or messages[-1].role != role:
        return False
    content = messages[-1].content
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, str) and first.strip() == text.strip()
