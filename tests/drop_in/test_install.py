"""The original's import paths, where it is installed and where it is not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from harness import IS_1

from voicelane.videosdk import AzureVoiceLive, AzureVoiceLiveConfig, install, uninstall

PATH = "videosdk.plugins.azure"
HAS_ORIGINAL = find_spec("videosdk.plugins") is not None and find_spec(PATH) is not None


@pytest.fixture
def installed() -> Iterator[None]:
    install()
    install()
    yield
    uninstall()
    uninstall()


def test_install_makes_the_originals_paths_resolve(installed: None) -> None:
    from videosdk.plugins.azure import AzureVoiceLive as first
    from videosdk.plugins.azure.voice_live import AzureVoiceLiveConfig as config
    from videosdk.plugins.azure.voice_live import AzureVoiceLiveSession  # noqa: F401

    assert first is AzureVoiceLive
    assert config is AzureVoiceLiveConfig
    if IS_1:
        from videosdk.agents.plugins import AzureVoiceLive as lazy

        assert lazy is AzureVoiceLive


@pytest.mark.skipif(HAS_ORIGINAL, reason="the original stays")
def test_uninstall_leaves_nothing_where_there_was_nothing() -> None:
    install()
    uninstall()
    assert not [name for name in sys.modules if name.startswith("videosdk.plugins")]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(PATH)


@pytest.mark.skipif(not HAS_ORIGINAL, reason="videosdk-plugins-azure is not installed")
def test_the_original_keeps_the_rest_and_is_given_back() -> None:
    azure = importlib.import_module(PATH)
    voice_live = importlib.import_module(f"{PATH}.voice_live")
    names = ("AzureVoiceLive", "AzureVoiceLiveConfig", "AzureSTT", "AzureTTS")
    before = {name: getattr(azure, name) for name in names}
    module_before = dict(vars(voice_live))
    assert before["AzureVoiceLive"].__module__.startswith(PATH)
    install()
    try:
        assert azure.AzureVoiceLive is voice_live.AzureVoiceLive is AzureVoiceLive
        assert azure.AzureVoiceLiveConfig is AzureVoiceLiveConfig
        assert azure.AzureSTT is before["AzureSTT"]
        assert azure.AzureTTS is before["AzureTTS"]
    finally:
        uninstall()
    assert {name: getattr(azure, name) for name in names} == before
    assert dict(vars(voice_live)) == module_before
    if IS_1:
        lazy = importlib.import_module("videosdk.agents.plugins")
        assert lazy.AzureVoiceLive is before["AzureVoiceLive"]
