"""What a response says: an item of the conversation, and the events that bring it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from itertools import accumulate

from .events import Base64, Event, tokens_of
from .items import Item
from .replies import McpCall

_TEXT_DELTA_MS = 20
_OUTPUT_AUDIO_TOKENS_PER_S = 20


class Output(ABC):
    """One item of a response: the events between its creation and its end.

    Args:
        item: The item that it becomes.
        response_id: Of the response.
        index: Its place in the response.

    Attributes:
        item: The same.
        sent_ms: How much of it was sent, in milliseconds of speech.
    """

    def __init__(self, item: Item, response_id: str, index: int) -> None:
        self.item = item
        self.sent_ms = 0.0
        self.index = index
        self._where: Event = {
            "response_id": response_id,
            "item_id": item.id,
            "output_index": index,
        }

    @abstractmethod
    def opening(self) -> list[Event]:
        """Return what is sent at once."""

    @abstractmethod
    def deltas(self) -> list[Event]:
        """Return the next delta with what belongs to it, nothing after the last one."""

    @abstractmethod
    def closing(self, *, is_whole: bool) -> list[Event]:
        """Return the `.done` events of what was sent, and put that into the item.

        Args:
            is_whole: It came to its end, and was not cut off.
        """

    @abstractmethod
    def tokens(self) -> tuple[int, int]:
        """Return the text and the audio tokens that were sent."""


class SpeechOutput(Output):
    """A message in audio, with its transcript ahead of it.

    Args:
        deltas: Its sound, encoded, in base64.
        bytes_per_ms: Of the encoded sound.
        tells_words: Tell when each word is heard, as if all letters were equally long.
    """

    def __init__(
        self,
        item: Item,
        response_id: str,
        index: int,
        *,
        text: str,
        deltas: tuple[Base64, ...],
        bytes_per_ms: float,
        tells_words: bool,
    ) -> None:
        super().__init__(item, response_id, index)
        self._bytes_per_ms = bytes_per_ms
        self._where["content_index"] = 0
        self._words = tokens_of(text)
        self._transcript = text
        self._deltas = iter(deltas)
        self._tells_words = tells_words
        duration_ms = sum(map(self._delta_ms, deltas))
        self._timestamps = deque(_timestamps(text, duration_ms) if tells_words else ())

    def _delta_ms(self, delta: Base64) -> float:
        num_bytes = len(delta) // 4 * 3 - delta.count("=", -2)
        return num_bytes / self._bytes_per_ms

    def opening(self) -> list[Event]:
        part = {"type": "audio", "transcript": ""}
        added: Event = {"type": "response.content_part.added", **self._where, "part": part}
        deltas = [
            {"type": "response.audio_transcript.delta", **self._where, "delta": word}
            for word in self._words
        ]
        return [added, *deltas]

    def deltas(self) -> list[Event]:
        delta = next(self._deltas, None)
        if delta is None:
            return []
        self.sent_ms += self._delta_ms(delta)
        self._keep()
        events: list[Event] = [{"type": "response.audio.delta", **self._where, "delta": delta}]
        while self._timestamps and self._timestamps[0]["audio_offset_ms"] < self.sent_ms:
            word = self._timestamps.popleft()
            events.append({"type": "response.audio_timestamp.delta", **self._where, **word})
        return events

    def closing(self, *, is_whole: bool) -> list[Event]:
        self._keep()
        part = {"type": "audio", "transcript": self._transcript}
        timed = [{"type": "response.audio_timestamp.done", **self._where}]
        return [
            *(timed if self._tells_words else []),
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


def _timestamps(text: str, duration_ms: float) -> list[Event]:
    words = tokens_of(text)
    ends = [letters * duration_ms / max(len(text), 1) for letters in accumulate(map(len, words))]
    return [
        {
            "audio_offset_ms": int(start),
            "audio_duration_ms": int(end - start),
            "text": word.strip(),
            "timestamp_type": "word",
        }
        for word, start, end in zip(words, [0.0, *ends], ends, strict=False)
    ]


class TextOutput(Output):
    """A message in text.

    Args:
        tells_part: Tell the text in the end of its part, too, as a cascaded model does.
    """

    def __init__(
        self, item: Item, response_id: str, index: int, *, text: str, tells_part: bool
    ) -> None:
        super().__init__(item, response_id, index)
        self._where["content_index"] = 0
        self._tells_part = tells_part
        self._words = tokens_of(text)
        self._num_sent = 0

    def opening(self) -> list[Event]:
        part = {"type": "text", "text": ""}
        return [{"type": "response.content_part.added", **self._where, "part": part}]

    def deltas(self) -> list[Event]:
        if self._num_sent == len(self._words):
            return []
        word = self._words[self._num_sent]
        self._num_sent += 1
        self.sent_ms += _TEXT_DELTA_MS
        return [{"type": "response.text.delta", **self._where, "delta": word}]

    def closing(self, *, is_whole: bool) -> list[Event]:
        text = "".join(self._words[: self._num_sent])
        self.item.data = self.item.data | {"content": [{"type": "text", "text": text}]}
        part = {"type": "text", "text": text if self._tells_part else ""}
        return [
            {"type": "response.text.done", **self._where, "text": text},
            {"type": "response.content_part.done", **self._where, "part": part},
        ]

    def tokens(self) -> tuple[int, int]:
        return self._num_sent, 0


class CallOutput(Output):
    """A call: its arguments, piece by piece."""

    _kind = ""

    def __init__(self, item: Item, response_id: str, index: int, arguments: str) -> None:
        super().__init__(item, response_id, index)
        self._parts = tokens_of(arguments)
        self._num_sent = 0

    def opening(self) -> list[Event]:
        return []

    def deltas(self) -> list[Event]:
        if self._num_sent == len(self._parts):
            return []
        part = self._parts[self._num_sent]
        self._num_sent += 1
        self.sent_ms += _TEXT_DELTA_MS
        return [{"type": f"response.{self._kind}_arguments.delta", **self._where, "delta": part}]

    def closing(self, *, is_whole: bool) -> list[Event]:
        arguments = "".join(self._parts[: self._num_sent])
        self.item.data = self.item.data | {"arguments": arguments}
        done = {"type": f"response.{self._kind}_arguments.done", **self._where}
        return [done | {"arguments": arguments}]

    def tokens(self) -> tuple[int, int]:
        return self._num_sent, 0


class FunctionCallOutput(CallOutput):
    """A call of one of the client's functions."""

    _kind = "function_call"

    def __init__(self, item: Item, response_id: str, index: int, arguments: str) -> None:
        super().__init__(item, response_id, index, arguments)
        self._where["call_id"] = item.data["call_id"]

    def closing(self, *, is_whole: bool) -> list[Event]:
        (done,) = super().closing(is_whole=is_whole)
        return [done | {"name": self.item.data["name"]}]


class McpCallOutput(CallOutput):
    """A call of an MCP server's tool, which the service runs when it has the arguments."""

    _kind = "mcp_call"

    def __init__(self, item: Item, response_id: str, index: int, call: McpCall) -> None:
        super().__init__(item, response_id, index, call.arguments)
        self._call = call

    def closing(self, *, is_whole: bool) -> list[Event]:
        done = super().closing(is_whole=is_whole)
        return done + run_mcp_call(self.item, self._call, self.index) if is_whole else done


def run_mcp_call(item: Item, call: McpCall, output_index: int) -> list[Event]:
    """Put what the call returns into its item; return the events that tell of it."""
    failed = call.error is not None
    item.data = item.data | ({"error": call.error} if failed else {"output": call.output})
    where = {"item_id": item.id, "output_index": output_index}
    return [
        {"type": "response.mcp_call.in_progress", **where},
        {"type": f"response.mcp_call.{'failed' if failed else 'completed'}", **where},
    ]


class ApprovalOutput(Output):
    """The question whether an MCP server's tool may be called."""

    def opening(self) -> list[Event]:
        return []

    def deltas(self) -> list[Event]:
        return []

    def closing(self, *, is_whole: bool) -> list[Event]:
        return []

    def tokens(self) -> tuple[int, int]:
        return len(tokens_of(self.item.data["arguments"])), 0
