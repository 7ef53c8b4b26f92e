"""The original's import paths, for code that cannot be edited."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import sys
from types import ModuleType
from typing import Any

from .. import config, open_session
from .model import AzureVoiceLive

_PACKAGE = "videosdk.plugins.azure"
_MODULE = "videosdk.plugins.azure.voice_live"
_NAMES: dict[str, Any] = {
    "AzureVoiceLive": AzureVoiceLive,
    "AzureVoiceLiveConfig": config.AzureVoiceLiveConfig,
    "AzureVoiceLiveSession": open_session.AzureVoiceLiveSession,
}
_undo: list[Any] = []


def install() -> None:
    """Makes the import paths of ``videosdk-plugins-azure`` give voicelane, for imports from now on.

    Where the original is installed, the rest of it (its STT and TTS) stays what it is. Idempotent.
    """
    if _undo:
        return
    parents = ("videosdk.plugins", _PACKAGE, _MODULE)
    modules = [_module(name) for name in parents]
    for parent, child in itertools.pairwise(modules):
        _set(parent, child.__name__.rpartition(".")[2], child)
    for name, value in _NAMES.items():
        _set(modules[2], name, value)
        if name != "AzureVoiceLiveSession":
            _set(modules[1], name, value)


def uninstall() -> None:
    """Undoes `install`. Idempotent."""
    while _undo:
        _undo.pop()()


def _module(name: str) -> ModuleType:
    if name in sys.modules or _is_installed(name):
        return importlib.import_module(name)
    module = ModuleType(name, "Made by voicelane.videosdk.install().")
    module.__path__ = []
    sys.modules[name] = module
    _undo.append(lambda: sys.modules.pop(name, None))
    return module


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _set(module: ModuleType, name: str, value: Any) -> None:
    known = name in vars(module)
    before = vars(module).get(name)
    setattr(module, name, value)
    _undo.append(lambda: setattr(module, name, before) if known else delattr(module, name))
