"""One call for many sessions: what a server does every 20 ms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._core import put_many
from .session import AzureVoiceLive


def feed_many(sessions: Sequence[AzureVoiceLive], pcm: Sequence[Any]) -> None:
    """Gives each session its microphone samples, as `AzureVoiceLive.handle_audio_input` does.

    Args:
        sessions: who gets them. Those that are not open are passed over.
        pcm: for each session a buffer of int16 samples, any whole number of frames.

    Raises:
        ValueError: not as many buffers as sessions; nothing was taken. What is wrong with one buffer
            becomes an ``error`` event of its session and keeps none of the others from theirs.
    """
    faults = put_many([session.microphone.feed for session in sessions], pcm)
    for index, error in faults:
        if error is None:
            sessions[index].microphone.tell_dropping()
        else:
            sessions[index].microphone.tell_refused(error)
