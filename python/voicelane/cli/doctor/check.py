"""One thing that was looked at, and what to do where it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..exit_codes import ExitCode, one_line


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        name: what was looked at.
        detail: what was found, without a secret.
        advice: what to do about it; empty where nothing is to be done, or where `detail` says it.
        exit_code: `ExitCode.OK` where all is well.
    """

    name: str
    detail: str
    advice: str = ""
    exit_code: ExitCode = ExitCode.OK

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        mark = "FAIL" if self.exit_code else "ok"
        yield f"{mark:5}{self.name:15} {one_line(self.detail)}"
        if self.advice:
            yield f"{'':20} {one_line(self.advice)}"
