"""Where these tests find what they share."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if (
    find_spec("videosdk") is None
):  # these tests have environments of their own: scripts/test-videosdk
    collect_ignore_glob = ["*"]


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_VOICE_LIVE_API_KEY", "AZURE_VOICE_LIVE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
