"""Types of arguments that several commands take."""

from __future__ import annotations

import argparse


def port_number(text: str) -> int:
    """An argument that is a port."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {text}")
    return port


def positive_s(text: str) -> float:
    """An argument in seconds."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0, got {text}")
    return seconds
