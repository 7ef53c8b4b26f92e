"""What the simulator says and claims to have heard; only with `LocalSpeech` is that what was said."""

from __future__ import annotations

import base64
import itertools
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from .events import Base64, Event
from .formats import OUTPUT_FORMATS
from .input_audio import Clip
from .local_speech import LocalSpeech
from .replies import McpCall, Reply, ToolCall, read_wav
from .scenario import Scenario, Turn

_MAX_SOUNDS_KEPT = 256


class Voice:
    """The bundled replies, and reply audio cut into deltas once for all connections.

    Args:
        delta_ms: How much audio one `response.audio.delta` carries.
    """

    def __init__(self, delta_ms: int = 100) -> None:
        self.delta_ms = delta_ms
        self.bundled = _bundled_replies()
        self.deltas = lru_cache(_MAX_SOUNDS_KEPT)(self._cut)

    def _cut(self, pcm: bytes, output_format: str) -> tuple[Base64, ...]:
        """Return the base64 texts of `pcm`, `delta_ms` each, the last one the rest."""
        chosen = OUTPUT_FORMATS[output_format]
        audio = chosen.encoded(pcm)
        step = self.delta_ms * chosen.rate_hz // 1000 * chosen.frame_bytes
        chunks = (audio[start : start + step] for start in range(0, len(audio), step))
        return tuple(Base64(base64.b64encode(chunk), "ascii") for chunk in chunks)


class Responder:
    """Decides what one session says next, and what its user is told to have said.

    Args:
        voice: Where the sound comes from.
        scenario: What is said; by default the bundled phrases, over and over.
        speech: What understands the user and speaks; then `hear` and `next_answer` block.

    Attributes:
        unanswered: The words, and outputs of functions, that the scenario had no turn for.
    """

    def __init__(
        self, voice: Voice, scenario: Scenario | None = None, speech: LocalSpeech | None = None
    ) -> None:
        scenario = scenario or Scenario.of_replies()
        turns = scenario.turns or Scenario.of_replies(voice.bundled).turns
        self.voice = voice
        self._speech = speech
        self.unanswered: list[str] = []
        self._conditional = [turn for turn in turns if turn.when is not None]
        ordered = [turn for turn in turns if turn.when is None]
        repeats = scenario.repeat or not scenario.turns
        self._ordered = itertools.cycle(ordered) if repeats else iter(ordered)
        self._user_transcripts = deque(scenario.user_transcripts)
        self._heard: dict[str, str | None] = {}  # by item; as long as the history has the items
        self._open_calls: list[tuple[tuple[ToolCall, ...], tuple[Turn, ...]]] = []
        self._num_replies = 0

    @property
    def understands(self) -> bool:
        """Whether `hear` wants the sound of each turn."""
        return self._speech is not None

    def hear(self, item_id: str, clip: Clip | None) -> None:
        """Take the sound of a spoken turn, and find its words."""
        if self._speech is not None and clip is not None:
            self._heard[item_id] = self._speech.hear(clip)

    def next_answer(self, items: Sequence[Event]) -> tuple[Reply | ToolCall | McpCall, ...]:
        """Return what to say next, all in one response.

        Args:
            items: The conversation so far, as it goes over the wire.
        """
        turn = self._next_turn(items)
        if turn.then:
            calls = tuple(part for part in turn.parts if isinstance(part, ToolCall))
            self._open_calls.append((calls, turn.then))
        return tuple(map(self._said, turn.parts))

    def _said(self, part: Reply | ToolCall | McpCall) -> Reply | ToolCall | McpCall:
        if isinstance(part, Reply):
            return self.say(part)
        self._num_replies += 1
        return part

    def _next_turn(self, items: Sequence[Event]) -> Turn:
        last = next(filter(_asks, reversed(items)), {})
        if last.get("type") == "function_call_output":
            words = last["output"]
            turns = self._follow_ups(last["call_id"], items)
            if turns:
                ordered: Iterator[Turn] = (turn for turn in turns if turn.when is None)
                return self._choose(words, turns, ordered)
            return self._choose(words, (), self._ordered)
        words = self._words(last)
        return self._choose(words, self._conditional, self._ordered)

    def _choose(self, words: str, turns: Sequence[Turn], ordered: Iterator[Turn]) -> Turn:
        answering = (turn for turn in turns if turn.answers(words))
        turn = next(answering, None) or next(ordered, None)
        if turn is None:
            self.unanswered.append(words)
            return Turn(Reply("The scenario has no answer to this."))
        return turn

    def _follow_ups(self, call_id: str, items: Sequence[Event]) -> tuple[Turn, ...]:
        """What may follow on the output of that call."""
        calls = (item for item in items if item["type"] == "function_call")
        call = next((item for item in calls if item["call_id"] == call_id), None)
        for index, (made, turns) in enumerate(self._open_calls):
            names = [(one.name, one.arguments) for one in made]
            if call and (call["name"], call["arguments"]) in names:
                del self._open_calls[index]
                return turns
        return ()

    def _words(self, item: Event) -> str:
        """What the user said or typed in `item`; nothing where that is not known."""
        parts = item.get("content", ())
        if any(part["type"] == "input_audio" for part in parts):
            return self._transcript(item["id"], "") or ""
        return " ".join(part["text"] for part in parts if "text" in part)

    def _transcript(self, item_id: str, unknown: str) -> str | None:
        """The words of a spoken turn: what was heard, or the next ones of the scenario while it has any."""
        if item_id not in self._heard and self._user_transcripts:
            self._heard[item_id] = self._user_transcripts.popleft()
        return self._heard.get(item_id, unknown)

    def say(self, reply: Reply) -> Reply:
        """Return `reply` with its sound: given, synthesised or a bundled phrase's; counts as said."""
        index = self._num_replies
        self._num_replies += 1
        if reply.pcm:
            return reply
        if self._speech is not None:
            return replace(reply, pcm=self._speech.say(reply.text))
        return replace(reply, pcm=self.voice.bundled[index % len(self.voice.bundled)].pcm)

    def user_transcript(self, item_id: str, audio_ms: int) -> str | None:
        """Return what the user said in the spoken turn `item_id` of `audio_ms`; None: that failed."""
        return self._transcript(item_id, f"[{audio_ms / 1000:.1f} s of speech]")


def _asks(item: Event) -> bool:
    """Whether the agent answers to this item."""
    return item["type"] == "function_call_output" or item.get("role") == "user"


def _bundled_replies() -> tuple[Reply, ...]:
    folder = files("voicelane.simulator") / "voice"
    entries = json.loads((folder / "replies.json").read_text(encoding="utf-8"))
    return tuple(Reply(entry["text"], _bundled_pcm(folder / entry["file"])) for entry in entries)


def _bundled_pcm(path: Traversable) -> bytes:
    with path.open("rb") as file:
        return read_wav(file, path.name)
