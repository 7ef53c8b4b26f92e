"""One response: its events in the service's order, from `response.created` to `response.done`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .events import (
    Event,
    RequestError,
    required_array,
    required_object,
    required_str,
    tokens_of,
    wrong_type,
)
from .items import Item
from .replies import Reply
from .session_options import max_output_tokens, metadata, modalities, output_audio_format, voice

_TEXT_DELTA_MS = 20
_OUTPUT_AUDIO_TOKENS_PER_S = 20


class Output(ABC):
    """What a response says: the events between its item's creation and its item's end.

    Attributes:
        item: The item that it becomes.
        sent_ms: How much of it was sent, in milliseconds of speech.
    """

    def __init__(self, item: Item, response_id: str) -> None:
        self.item = item
        self.sent_ms = 0.0
        self._where: Event = {"response_id": response_id, "item_id": item.id, "output_index": 0}

    @abstractmethod
    def opening(self) -> list[Event]:
        """Return what is sent at once."""

    @abstractmethod
    def delta(self) -> Event | None:
        """Return the next delta, None after the last one."""

    @abstractmethod
    def closing(self) -> list[Event]:
        """Return the `.done` events of what was sent, and put that into the item."""

    @abstractmethod
    def tokens(self) -> tuple[int, int]:
        """Return the text and the audio tokens that were sent."""


class SpeechOutput(Output):
    """A message in audio, with its transcript ahead of it."""

    def __init__(
        self,
        item: Item,
        response_id: str,
        *,
        text: str,
        deltas: tuple[str, ...],
        bytes_per_ms: int,
    ) -> None:
        super().__init__(item, response_id)
        self._bytes_per_ms = bytes_per_ms
        self._where["content_index"] = 0
        self._words = tokens_of(text)
        self._transcript = text
        self._deltas = iter(deltas)

    def opening(self) -> list[Event]:
        part = {"type": "audio", "transcript": ""}
        added: Event = {"type": "response.content_part.added", **self._where, "part": part}
        deltas = [
            {"type": "response.audio_transcript.delta", **self._where, "delta": word}
            for word in self._words
        ]
        return [added, *deltas]

    def delta(self) -> Event | None:
        text = next(self._deltas, None)
        if text is None:
            return None
        num_bytes = len(text) // 4 * 3 - text.count("=", -2)
        self.sent_ms += num_bytes / self._bytes_per_ms
        self._keep()
        return {"type": "response.audio.delta", **self._where, "delta": text}

    def closing(self) -> list[Event]:
        self._keep()
        part = {"type": "audio", "transcript": self._transcript}
        return [
            {"type": "response.audio.done", **self._where},
            {
                "type": "response.audio_transcript.done",
                **self._where,
                "transcript": self._transcript,
            },
            {"type": "response.content_part.done", **self._where, "part": part},
        ]

    def _keep(self) -> None:
        # Not before the first delta: until then the item has no audio to be truncated.
        self.item.audio_ms = int(self.sent_ms)
        part = {"type": "audio", "transcript": self._transcript}
        self.item.data = self.item.data | {"content": [part]}

    def tokens(self) -> tuple[int, int]:
        return len(self._words), int(self.sent_ms * _OUTPUT_AUDIO_TOKENS_PER_S / 1000)


class TextOutput(Output):
    """A message in text."""

    def __init__(self, item: Item, response_id: str, text: str) -> None:
        super().__init__(item, response_id)
        self._where["content_index"] = 0
        self._words = tokens_of(text)
        self._num_sent = 0

    def opening(self) -> list[Event]:
        part = {"type": "text", "text": ""}
        return [{"type": "response.content_part.added", **self._where, "part": part}]

    def delta(self) -> Event | None:
        if self._num_sent == len(self._words):
            return None
        word = self._words[self._num_sent]
        self._num_sent += 1
        self.sent_ms += _TEXT_DELTA_MS
        return {"type": "response.text.delta", **self._where, "delta": word}

    def closing(self) -> list[Event]:
        text = "".join(self._words[: self._num_sent])
        self.item.data = self.item.data | {"content": [{"type": "text", "text": text}]}
        # The part is empty in what the live service was recorded to send.
        part = {"type": "text", "text": ""}
        return [
            {"type": "response.text.done", **self._where, "text": text},
            {"type": "response.content_part.done", **self._where, "part": part},
        ]

    def tokens(self) -> tuple[int, int]:
        return self._num_sent, 0


class ToolCallOutput(Output):
    """A function call."""

    def __init__(self, item: Item, response_id: str, arguments: str) -> None:
        super().__init__(item, response_id)
        self._where["call_id"] = item.data["call_id"]
        self._parts = tokens_of(arguments)
        self._num_sent = 0

    def opening(self) -> list[Event]:
        return []

    def delta(self) -> Event | None:
        if self._num_sent == len(self._parts):
            return None
        part = self._parts[self._num_sent]
        self._num_sent += 1
        self.sent_ms += _TEXT_DELTA_MS
        return {"type": "response.function_call_arguments.delta", **self._where, "delta": part}

    def closing(self) -> list[Event]:
        arguments = "".join(self._parts[: self._num_sent])
        self.item.data = self.item.data | {"arguments": arguments}
        return [
            {
                "type": "response.function_call_arguments.done",
                **self._where,
                "name": self.item.data["name"],
                "arguments": arguments,
            }
        ]

    def tokens(self) -> tuple[int, int]:
        return self._num_sent, 0


class Response:
    """A response that is being sent.

    Args:
        data: Its wire form, in progress.
        output: What it says.
        input_tokens: The text and the audio tokens of what it answers.
        started_s: When it began, on the caller's clock.
    """

    def __init__(
        self, data: Event, output: Output, *, input_tokens: tuple[int, int], started_s: float
    ) -> None:
        self.data = data
        self.output = output
        self.started_s = started_s
        self.is_done = False
        self._input_tokens = input_tokens

    @property
    def id(self) -> str:
        """The response's id."""
        return str(self.data["id"])

    def opening(self, previous_item_id: str | None) -> list[Event]:
        """Return all that is sent before the first delta of audio."""
        item = self.output.item.data
        return [
            {"type": "response.created", "response": self.data},
            self._output_item("added"),
            {
                "type": "conversation.item.created",
                "previous_item_id": previous_item_id,
                "item": item,
            },
            *self.output.opening(),
        ]

    def advance(self) -> list[Event]:
        """Return the next delta, or after the last one the events that end the response."""
        delta = self.output.delta()
        return [delta] if delta else self._end("completed", None)

    def cancel(self, reason: str) -> list[Event]:
        """Return the events that end it now; `reason` is turn_detected or client_cancelled."""
        return self._end("cancelled", {"type": "cancelled", "reason": reason})

    def _end(self, status: str, details: Event | None) -> list[Event]:
        self.is_done = True
        closing = self.output.closing()
        item = self.output.item
        item.data = item.data | {"status": "completed" if details is None else "incomplete"}
        self.data = self.data | {
            "status": status,
            "status_details": details,
            "output": [item.data],
            "usage": usage(self._input_tokens, self.output.tokens()),
        }
        return [
            *closing,
            self._output_item("done"),
            {"type": "response.done", "response": self.data},
        ]

    def _output_item(self, phase: str) -> Event:
        return {
            "type": f"response.output_item.{phase}",
            "response_id": self.id,
            "output_index": 0,
            "item": self.output.item.data,
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


def response_data(response_id: str, conversation_id: str, session: Event, params: Event) -> Event:
    """Return the wire form of a response that begins.

    Args:
        response_id: Its id.
        conversation_id: Of the conversation it belongs to.
        session: What holds where `params` say nothing.
        params: The `response` of a `response.create`.

    Raises:
        RequestError: A parameter has a value that it cannot have, or that the simulator lacks.
    """
    _refuse_unsupported(params)
    chosen = {"max_output_tokens": params.get("max_response_output_tokens")} | params
    limit = chosen["max_output_tokens"]
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
        "conversation_id": conversation_id,
        "modalities": _given(params, "modalities", modalities, session["modalities"]),
        "voice": _given(params, "voice", voice, session["voice"]),
        "output_audio_format": audio_format or session["output_audio_format"] or "pcm16",
        "temperature": params.get("temperature", session.get("temperature")),
        "max_output_tokens": session["max_response_output_tokens"]
        if limit is None
        else max_output_tokens("response.max_output_tokens", limit),
        "metadata": metadata("response.metadata", params.get("metadata")),
    }


def _given(params: Event, key: str, check: Any, otherwise: Any) -> Any:
    value = params.get(key)
    return otherwise if value is None else check(f"response.{key}", value)


def _refuse_unsupported(params: Event) -> None:
    lacks = {
        "conversation": params.get("conversation") == "none",
        "commit": params.get("commit") is False,
        "append_input_items": bool(params.get("append_input_items")),
    }
    for key, is_lacking in lacks.items():
        if is_lacking:
            message = f"The simulator does not support this value of 'response.{key}' yet."
            raise RequestError(message, code="unsupported_value", param=f"response.{key}")


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
