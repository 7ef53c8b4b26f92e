"""One response: its events in the service's order, from `response.created` to `response.done`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from .events import (
    Event,
    RequestError,
    not_one_of,
    required_array,
    required_object,
    required_str,
    wrong_type,
)
from .models import is_cascaded
from .outputs import Output
from .replies import Reply
from .session_options import max_output_tokens, metadata, modalities, output_audio_format, voice


class Response:
    """A response that is being sent.

    Args:
        data: Its wire form, in progress.
        outputs: What it says, one after the other; at least one.
        keep: Is given each output when it begins; returns the events of its coming into the
            conversation.
        input_tokens: The text and the audio tokens of what it answers.
        started_s: When it began, on the caller's clock.
    """

    def __init__(
        self,
        data: Event,
        outputs: Sequence[Output],
        *,
        keep: Callable[[Output], list[Event]],
        input_tokens: tuple[int, int],
        started_s: float,
    ) -> None:
        self.data = data
        self.started_s = started_s
        self.is_done = False
        self._waiting = deque(outputs)
        self._begun: list[Output] = []
        self._keep = keep
        self._input_tokens = input_tokens

    @property
    def id(self) -> str:
        """The response's id."""
        return str(self.data["id"])

    @property
    def sent_ms(self) -> float:
        """How much of it was sent, in milliseconds of speech."""
        return sum(output.sent_ms for output in self._begun)

    def opening(self) -> list[Event]:
        """Return all that is sent before the first delta of audio."""
        return [{"type": "response.created", "response": self.data}, *self._begin()]

    def advance(self) -> list[Event]:
        """Return the next delta, or after the last one the events that end an output or all."""
        deltas = self._begun[-1].deltas()
        if deltas:
            if sum(self._output_tokens()) < self._token_limit:
                return deltas
            details = {"type": "incomplete", "reason": "max_output_tokens"}
            return deltas + self._end("incomplete", details)
        if not self._waiting:
            return self._end("completed", None)
        return self._close("completed") + self._begin()

    def cancel(self, reason: str) -> list[Event]:
        """Return the events that end it now; `reason` is turn_detected or client_cancelled."""
        return self._end("cancelled", {"type": "cancelled", "reason": reason})

    @property
    def _token_limit(self) -> float:
        limit = self.data["max_output_tokens"]
        return limit if isinstance(limit, int) else math.inf

    def _output_tokens(self) -> tuple[int, int]:
        pairs = [output.tokens() for output in self._begun]
        return sum(text for text, _ in pairs), sum(audio for _, audio in pairs)

    def _begin(self) -> list[Event]:
        output = self._waiting.popleft()
        self._begun.append(output)
        added = self._output_item("added", output)
        return [added, *self._keep(output), *output.opening()]

    def _close(self, status: str) -> list[Event]:
        output = self._begun[-1]
        is_whole = status == "completed"
        closing = output.closing(is_whole=is_whole)
        if "status" in output.item.data:
            ended = "completed" if is_whole else "incomplete"
            output.item.data = output.item.data | {"status": ended}
        return [*closing, self._output_item("done", output)]

    def _end(self, status: str, details: Event | None) -> list[Event]:
        self.is_done = True
        closing = self._close(status)
        self.data = self.data | {
            "status": status,
            "status_details": details,
            "output": [output.item.data for output in self._begun],
            "usage": usage(self._input_tokens, self._output_tokens()),
        }
        return [*closing, {"type": "response.done", "response": self.data}]

    def _output_item(self, phase: str, output: Output) -> Event:
        return {
            "type": f"response.output_item.{phase}",
            "response_id": self.id,
            "output_index": output.index,
            "item": output.item.data,
        }


def usage(input_tokens: tuple[int, int], output_tokens: tuple[int, int]) -> Event:
    """Return the usage of a response, from its text and audio tokens in each direction."""
    nothing_cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": sum(input_tokens) + sum(output_tokens),
        "input_tokens": sum(input_tokens),
        "output_tokens": sum(output_tokens),
        "input_token_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "text_tokens": input_tokens[0],
            "audio_tokens": input_tokens[1],
            "image_tokens": 0,
            "cached_tokens_details": nothing_cached,
        },
        "output_token_details": {
            "text_tokens": output_tokens[0],
            "audio_tokens": output_tokens[1],
            "reasoning_tokens": 0,
        },
    }


def response_data(
    response_id: str, conversation_id: str | None, session: Event, params: Event
) -> Event:
    """Return the wire form of a response that begins.

    Args:
        response_id: Its id.
        conversation_id: Of the conversation it belongs to, None if to none.
        session: What holds where `params` say nothing.
        params: The `response` of a `response.create`.

    Raises:
        RequestError: A parameter has a value that it cannot have.
    """
    cascaded = is_cascaded(session["model"])
    chosen = {"max_output_tokens": params.get("max_response_output_tokens")} | params
    limit = chosen["max_output_tokens"]
    if limit is None:
        limit = session["max_response_output_tokens"]
    else:
        limit = max_output_tokens("response.max_output_tokens", limit)
    audio_format = output_audio_format(
        "response.output_audio_format", params.get("output_audio_format")
    )
    return {
        "object": "realtime.response",
        "id": response_id,
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "usage": None,
        "conversation_id": "" if cascaded and conversation_id else conversation_id,
        "modalities": _given(params, "modalities", modalities, session["modalities"]),
        "voice": _given(params, "voice", voice, session["voice"]),
        "output_audio_format": audio_format or session["output_audio_format"] or "pcm16",
        "temperature": params.get("temperature", session.get("temperature")),
        "max_output_tokens": None if cascaded and limit == "inf" else limit,
        "metadata": metadata("response.metadata", params.get("metadata")),
    }


def _given(params: Event, key: str, check: Any, otherwise: Any) -> Any:
    value = params.get(key)
    return otherwise if value is None else check(f"response.{key}", value)


def is_out_of_band(params: Event) -> bool:
    """Whether a response stays out of the conversation.

    Raises:
        RequestError: `conversation` or `commit` has a value that it cannot have.
    """
    conversation = params.get("conversation")
    if conversation not in (None, "auto", "none"):
        raise not_one_of("response.conversation", conversation, ("auto", "none"))
    return conversation == "none" or not flag(params, "commit")


def flag(params: Event, key: str) -> bool:
    """Return a boolean of `params` that is true where it is not given."""
    value = params.get(key)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(f"response.{key}", "a boolean", value)
    return value is not False


def pre_generated_reply(params: Event) -> Reply | None:
    """Return what a `response.create` wants to be said, None if it leaves that open.

    Raises:
        RequestError: The message is not an assistant's with exactly one text part.
    """
    key = "pre_generated_assistant_message"
    if params.get(key) is None:
        return None
    path = f"response.{key}."
    content = required_array(required_object(params, key, path="response."), "content", path=path)
    if len(content) != 1:
        message = f"Invalid '{path}content': expected one part, but got {len(content)}."
        raise RequestError(message, param=f"{path}content")
    if not isinstance(content[0], dict):
        raise wrong_type(f"{path}content[0]", "an object", content[0])
    return Reply(required_str(content[0], "text", path=f"{path}content[0]."))
