"""What is installed: versions, extras, and how the extension module was built."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from ..._core import build_info, instruction_set
from ...transport import resolve
from ..exit_codes import ExitCode
from .check import Check

# `rich<16,>=14 ; extra == 'cli'`, as the metadata of a package writes it.
_REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*(?:;.*extra == ['"]([\w-]+)['"])?""")

Versions = dict[str, str | None]


@dataclass(frozen=True)
class Installation:
    """What is installed here.

    Attributes:
        build: what `voicelane.build_info` says.
        python: the implementation and its version.
        platform: the operating system and the processor.
        instruction_set: what the audio kernels run with.
        transport: what sessions take where nothing else is asked for.
        packages: the version of each package that voicelane needs, None where it is missing.
        extras: the same for each extra.
    """

    build: dict[str, str]
    python: str
    platform: str
    instruction_set: str
    transport: str
    packages: Versions
    extras: dict[str, Versions]

    @classmethod
    def here(cls) -> Installation:
        """That of this interpreter.

        Raises:
            ValueError: the environment asks for a transport that there is not.
        """
        versions: dict[str | None, Versions] = {}
        for requirement in requires("voicelane") or ():
            found = _REQUIREMENT.match(requirement)
            assert found, requirement
            versions.setdefault(found[2], {})[found[1]] = _version(found[1])
        return cls(
            build=build_info(),
            python=f"{platform.python_implementation()} {platform.python_version()}",
            platform=platform.platform(),
            instruction_set=instruction_set(),
            transport=resolve("auto"),
            packages=versions.get(None, {}),
            extras={extra: found for extra, found in versions.items() if extra is not None},
        )

    def check(self) -> Check:
        """Whether all that voicelane needs is there."""
        missing = [name for name, version in self.packages.items() if version is None]
        if not missing:
            return Check("packages", "all that are needed")
        detail = f"not installed: {', '.join(missing)}"
        return Check("packages", detail, "pip install voicelane", ExitCode.MISSING_EXTRA)

    def lines(self) -> Iterator[tuple[str, str]]:
        """What there is, and what it is: for a person to read."""
        build = self.build
        yield (
            "voicelane",
            f"{build['version']}, {build['profile']}, {build['target']}, {build['rustc']}",
        )
        yield "python", f"{self.python}, {self.platform}"
        yield "audio kernels", self.instruction_set
        yield "transport", self.transport
        for name, found in self.packages.items():
            yield name, found or "not installed"
        for extra, packages in self.extras.items():
            missing = None in packages.values()
            whole = [f"{name} {found or 'not installed'}" for name, found in packages.items()]
            install = f": pip install 'voicelane[{extra}]'" if missing else ""
            yield f"[{extra}]", ", ".join(whole) + install


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
