"""What is compared: a library, what it needs to be there, and how it does the job."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

Make = TypeVar("Make")


class NotThere(Exception):
    """What is to be measured is not installed."""


class CannotDo(Exception):
    """The library has no way to do this."""


@dataclass(frozen=True)
class Library(Generic[Make]):
    """One way to do a job."""

    name: str
    needs: tuple[str, ...]
    """Modules, beside voicelane's own."""
    make: Make

    @property
    def missing(self) -> list[str]:
        """The modules that are not installed."""
        return [name for name in self.needs if not _is_there(name)]

    def check(self) -> None:
        """Whether it is there.

        Raises:
            NotThere: a module that it needs is not installed.
        """
        if self.missing:
            raise NotThere(f"{self.name} needs {', '.join(self.missing)}")


def by_name(*libraries: Library[Make]) -> Mapping[str, Library[Make]]:
    """A registry, in the order of the tables."""
    return {library.name: library for library in libraries}


def module(name: str) -> Any:
    """An optional module; a library's deprecations are not the reader's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def fast_base64() -> Callable[[bytes], str]:
    """The fastest base64 that is installed, for the libraries that have none."""
    if _is_there("pybase64"):
        encode: Callable[[bytes], str] = module("pybase64").b64encode_as_string
        return encode
    b64encode = module("base64").b64encode
    return lambda data: b64encode(data).decode("ascii")


_DISTRIBUTIONS = (
    "voicelane",
    "azure-ai-voicelive",
    "audio-resampler",
    "audioop-lts",
    "av",
    "livekit",
    "numpy",
    "orjson",
    "pybase64",
    "samplerate",
    "scipy",
    "soxr",
    "videosdk-agents",
    "videosdk-plugins-azure",
)


def versions() -> dict[str, str]:
    """What of it is installed in this environment."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if "audioop-lts" not in found and _is_there("audioop"):
        found["audioop"] = f"the standard library's, {platform.python_version()}"
    return found
