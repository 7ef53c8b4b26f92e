"""What a session is to be like: what the agent answers to what, and what the client must do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .expectations import NO_EXPECTATIONS, Expect
from .faults import NO_FAULTS, Faults
from .replies import McpCall, Reply, ToolCall

Part = Reply | ToolCall | McpCall
Answer = Part | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the agent.

    Attributes:
        answer: What it says, or the tool that it calls; several in one response, such as parallel
            calls.
        when: A regular expression: the turn answers words in which it is found, in any case, and
            as often as that happens. Without it the turn has its place in the order, once.
        then: After a call, one of these follows on its output; their `when` is held against
            that. Without it, what follows is the next turn in the order.
    """

    answer: Answer
    when: str | None = None
    then: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        if self.when is not None:
            try:
                re.compile(self.when)
            except re.error as error:
                raise ValueError(
                    f"when: {self.when!r} is no regular expression: {error}"
                ) from error
        if not self.parts:
            raise ValueError("answer: expected at least one reply or call, but got none")
        if self.then and not any(isinstance(part, ToolCall) for part in self.parts):
            raise ValueError("then: expected a tool call before it, but got a reply")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The answer, as the parts of one response."""
        return self.answer if isinstance(self.answer, tuple) else (self.answer,)

    def answers(self, words: str) -> bool:
        """Whether these words are what `when` waits for."""
        return self.when is not None and bool(re.search(self.when, words, re.IGNORECASE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What each connection to a simulator meets, from its beginning.

    Attributes:
        turns: What the agent answers; nothing stands for the bundled phrases.
        user_transcripts: What the user is said to have said in spoken turns, in order; None for a
            turn whose transcription fails. After them an honest text such as "[2.4 s of speech]".
        repeat: Begin the turns again after the last one.
        faults: What goes wrong.
        expect: What the client must do.
    """

    turns: tuple[Turn, ...] = ()
    user_transcripts: tuple[str | None, ...] = ()
    repeat: bool = False
    faults: Faults = NO_FAULTS
    expect: Expect = NO_EXPECTATIONS

    @classmethod
    def of_replies(
        cls,
        replies: Sequence[Answer] | None = None,
        user_transcripts: Sequence[str | None] | None = None,
    ) -> Scenario:
        """Return the simplest scenario: these replies in turn, over and over."""
        return cls(
            turns=tuple(map(Turn, replies or ())),
            user_transcripts=tuple(user_transcripts or ()),
            repeat=True,
        )
