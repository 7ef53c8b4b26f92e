"""Types of arguments that several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import inf
from typing import TypeVar

Number = TypeVar("Number", int, float)


def port_number(text: str) -> int:
    """An argument that is a port."""
    return number(text, int, lambda port: 0 <= port <= 65535, "0 to 65535")


def positive_count(text: str) -> int:
    """An argument that says how many."""
    return number(text, int, lambda count: count > 0, "a whole number, more than 0")


def positive_s(text: str) -> float:
    """An argument in seconds."""
    return number(text, float, lambda seconds: 0 < seconds < inf, "seconds, more than 0")


def number(
    text: str, kind: Callable[[str], Number], is_right: Callable[[Number], bool], expected: str
) -> Number:
    """An argument that is such a number.

    Raises:
        ArgumentTypeError: it is another, or none.
    """
    try:
        if is_right(value := kind(text)):
            return value
    except ValueError:
        pass  # told as the others are
    raise argparse.ArgumentTypeError(f"expected {expected}, got {text}")
