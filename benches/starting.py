"""What it takes to import a library and to make the objects of a session, in time and in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns
from typing import Any

from growth import PLAYBACKS

from voicelane.cli.bench.conversions import ROOM
from voicelane.cli.bench.encoders import ENCODERS
from voicelane.cli.bench.libraries import Library, by_name, module
from voicelane.cli.bench.results import Row, distribution

GROUP = "import and construct"
IMPORT, SESSION, ENCODER, PLAYER = "cold import", "a session", "an encoder", "a playback"
_IMPORTS_PER_S = 25  # of the `seconds` of other cases: each is a process
_OBJECTS_PER_S = 500
_COLD = """
import json, resource, sys, time
def kib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024
before, start = kib(), time.perf_counter_ns()
__import__(sys.argv[1])
print(json.dumps([time.perf_counter_ns() - start, kib() - before]))
"""


def _session() -> Any:
    from voicelane import AzureVoiceLive

    return AzureVoiceLive(api_key="x", endpoint="ws://127.0.0.1", model="bench")


def _plugin_session() -> Any:
    plugin = module("videosdk.plugins.azure.voice_live")
    return plugin.AzureVoiceLive(api_key="x", endpoint="ws://127.0.0.1", model="bench")


_PLUGIN = "videosdk-plugins-azure"
IMPORTS = by_name(
    Library("voicelane", (), "voicelane"),
    Library("azure-ai-voicelive", ("azure.ai.voicelive",), "azure.ai.voicelive.aio"),
    Library(_PLUGIN, ("videosdk.plugins.azure",), "videosdk.plugins.azure"),
)
SESSIONS = by_name(
    Library("voicelane", (), _session),
    Library(_PLUGIN, ("videosdk.plugins.azure",), _plugin_session),
)
CASES: dict[str, Any] = {
    IMPORT: IMPORTS,
    SESSION: SESSIONS,
    ENCODER: {name: one for name, one in ENCODERS.items() if name != _PLUGIN},
    PLAYER: PLAYBACKS,
}


def starting(case: str, library: Library[Any], seconds: float) -> Row:
    """One row; `memory_kib` is that of an import, or of each further object while all are kept.

    Raises:
        NotThere: the library is not installed.
    """
    library.check()
    if case == IMPORT:
        times_ns, memory_kib = _imported(library.make, round(_IMPORTS_PER_S * seconds))
    else:
        make = library.make
        made = (lambda: make(ROOM)) if case == ENCODER else make
        times_ns, memory_kib = _constructed(made, round(_OBJECTS_PER_S * seconds))
    row: Row = {"group": GROUP, "case": case, "library": library.name, "fault": None}
    return {**row, "answer": {"memory_kib": memory_kib}, **distribution(times_ns)}


def _imported(name: str, count: int) -> tuple[list[int], float]:
    told = []
    for _ in range(1 + count):
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _COLD, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        told.append(json.loads(ran.stdout.splitlines()[-1]))
    del told[0]  # the disk's
    return [time_ns for time_ns, _ in told], median(kib for _, kib in told)


def _constructed(make: Callable[[], Any], count: int) -> tuple[list[int], float]:
    from meters import rss_kib

    kept = [make() for _ in range(3)]  # tables that are made once, and what is imported late
    before_kib = rss_kib()
    times_ns = []
    for _ in range(count):
        start_ns = perf_counter_ns()
        kept.append(make())
        times_ns.append(perf_counter_ns() - start_ns)
    return times_ns, (rss_kib() - before_kib) / count
