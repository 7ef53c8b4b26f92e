"""The view on a terminal: progress, levels, who speaks, and transcripts as they come."""

from __future__ import annotations

import math
import time
from array import array
from typing import TYPE_CHECKING, Self, TextIO

from .audio_file import missing_extra
from .views import View

try:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text
except ImportError as error:
    raise missing_extra(error) from error

if TYPE_CHECKING:
    from .conversation import Status

REFRESH_INTERVAL_S = 0.1
FLOOR_DBFS = -60.0
SPEAKER_STYLES = {"user": "cyan", "agent": "green"}


class LiveView(View):
    """Final texts scroll up; progress, levels and partial texts stay below and change in place."""

    def __init__(self, file: TextIO) -> None:
        console = Console(file=file, highlight=False)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._refresh_due_s = 0.0
        self._lines: list[Text] = []

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def note(self, text: str) -> None:
        if text.startswith(("error", "response")):  # who speaks is shown below
            self._lines.append(Text(text, "yellow"))

    def say(self, role: str, text: str) -> None:
        self._lines.append(_spoken(role, text))

    def show(self, status: Status) -> None:
        now_s = time.monotonic()
        if now_s < self._refresh_due_s:
            return
        self._refresh_due_s = now_s + REFRESH_INTERVAL_S
        self._print()
        self._live.update(_render(status, self._live.console.width), refresh=True)

    def close(self) -> None:
        self._print()
        self._live.stop()

    def _print(self) -> None:
        for line in self._lines:
            self._live.console.print(line)
        self._lines.clear()


def level(pcm: bytes) -> float:
    """The peak of 16-bit samples on a meter from 0 (-60 dBFS) to 1 (full scale)."""
    samples = array("h", pcm)
    peak = max(max(samples), -min(samples)) if samples else 0
    if peak == 0:
        return 0.0
    return max(0.0, 1 - 20 * math.log10(peak / 32768) / FLOOR_DBFS)


def _render(status: Status, console_width: int) -> Group:
    # Narrower than the terminal: the "^C" that it echoes must not wrap.
    bar_width = max(4, min(40, console_width - 24))
    table = Table.grid(padding=(0, 1))
    for _ in range(3):
        table.add_column(no_wrap=True)
    progress = f"{status.heard_s:.1f} of {status.duration_s:.1f} s"
    bar = ProgressBar(status.duration_s, status.heard_s, width=bar_width)
    table.add_row("file", bar, progress)
    speakers = (
        ("user", status.last_input, status.user_speaks),
        ("agent", status.last_output, status.agent_speaks),
    )
    for role, pcm, speaks in speakers:
        style = SPEAKER_STYLES[role]
        bar = ProgressBar(
            1.0, level(pcm), width=bar_width, complete_style=style, finished_style=style
        )
        table.add_row(Text(role, style), bar, Text("speaks" if speaks else "", style))
    partial = (_spoken(role, f"{text} ...") for role, text in status.partial.items())
    return Group(table, *partial)


def _spoken(role: str, text: str) -> Text:
    return Text.assemble((f"{role:<5} ", f"bold {SPEAKER_STYLES[role]}"), text)
