"""What a run of `voicelane talk` ends with."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .audio_file import ReplyFile
    from .conversation import Status
    from .service import Service


@dataclass
class Summary:
    """The figures of a call; `str` is the form for a person."""

    service: Service
    model: str
    status: Status
    played_s: float = 0.0
    reply_file: str | None = None
    num_underruns: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def keep(self, reply: ReplyFile) -> None:
        """Notes how much of a reply is kept, and where."""
        self.played_s = reply.duration_s
        self.reply_file = str(reply.path) if reply.duration_s else None

    @property
    def cpu_percent(self) -> float:
        """Of one core."""
        return 100 * self.cpu_s / self.wall_s if self.wall_s else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The form for a program."""
        status = self.status
        waited_ms = status.first_reply_ms
        return {
            "endpoint": self.service.name,
            "simulator": self.service.is_simulator,
            "model": self.model,
            "turns": status.num_turns,
            "replies": status.num_replies,
            "heard_s": round(status.heard_s, 3),
            "played_s": round(self.played_s, 3),
            "reply_file": self.reply_file,
            "first_reply_ms": {
                "p50": round(statistics.median(waited_ms), 1) if waited_ms else None,
                "max": round(max(waited_ms), 1) if waited_ms else None,
            },
            "underruns": self.num_underruns,
            "cpu_s": round(self.cpu_s, 3),
            "cpu_percent": round(self.cpu_percent, 2),
            "wall_s": round(self.wall_s, 3),
            "transcripts": [
                {"role": said["role"], "text": said["text"]} for said in status.transcripts
            ],
        }

    def __str__(self) -> str:
        waited_ms = self.status.first_reply_ms
        first_reply = "none"
        if waited_ms:
            median_ms = statistics.median(waited_ms)
            first_reply = f"p50 {median_ms:.1f} ms, max {max(waited_ms):.1f} ms"
        simulator = ", simulator included" if self.service.is_simulator else ""
        rows = {
            "turns": f"{self.status.num_turns}, {self.status.num_replies} answered",
            "heard": f"{self.status.heard_s:.2f} s",
            "played": f"{self.played_s:.2f} s ({self.reply_file or 'no file written'})",
            "first reply": first_reply,
            "underruns": self.num_underruns,
            "CPU": f"{self.cpu_s:.2f} s, {self.cpu_percent:.2f} % of a core{simulator}",
        }
        return "\n".join(f"{name:<12} {value}" for name, value in rows.items())
