"""What a run shows while it lasts: nothing, or plain lines. `live_view` is for a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from .conversation import Status

PROGRESS_INTERVAL_S = 5.0


class View:
    """Shows nothing (`--quiet`). `note` and `say` come from event handlers and must not block."""

    def note(self, text: str) -> None:
        """Something happened."""

    def say(self, role: str, text: str) -> None:
        """A speaker's final text."""

    def show(self, status: Status) -> None:
        """Called every 20 ms: the place to print."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the view, also after a fault."""


class PlainView(View):
    """One line per event, and one on the progress every few seconds: for pipes and logs."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._started_s = time.monotonic()
        self._progress_due_s = PROGRESS_INTERVAL_S
        self._lines: list[str] = []  # printed 20 ms later at most

    def note(self, text: str) -> None:
        self._lines.append(f"{self._elapsed_s:7.2f} s  {text}")

    def say(self, role: str, text: str) -> None:
        self.note(f"{role}: {text}")

    def show(self, status: Status) -> None:
        if self._elapsed_s >= self._progress_due_s:
            self._progress_due_s += PROGRESS_INTERVAL_S
            self.note(f"{status.heard_s:.1f} of {status.duration_s:.1f} s sent")
        self._print()

    def close(self) -> None:
        self._print()

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def _print(self) -> None:
        if self._lines:
            print(*self._lines, sep="\n", file=self._file, flush=True)
            self._lines.clear()
