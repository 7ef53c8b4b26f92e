"""One library, in an environment of its own: `peer.py`, run by `peers.py`.

Takes a job a line as JSON (`group`, `case`, `library`, `seconds`, and what the group needs beside) and
answers each with a line: the row of the result, or `missing`, why there is none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import end_to_end
import situations
import starting
from cpus import use_one_cpu
from growth import AXES, PLAYBACKS, grow

from voicelane.cli.bench.encoders import ENCODERS
from voicelane.cli.bench.libraries import NotThere, versions
from voicelane.cli.bench.measure import ENCODE, EVENT_TEXT, PLAYBACK, measure
from voicelane.cli.bench.players import APPENDS
from voicelane.cli.bench.results import Row

_LIBRARIES: dict[str, Any] = {ENCODE: ENCODERS, EVENT_TEXT: APPENDS, PLAYBACK: PLAYBACKS}


async def row_of(group: str, case: str, library: str, **options: Any) -> Row:
    """What that group measures."""
    if group in AXES:
        return grow(group, AXES[group].libraries[library], int(case), **options)
    match group:
        case situations.GROUP:
            return await situations.latency(case, library, **options)
        case end_to_end.GROUP:
            return await end_to_end.end_to_end(case, library, **options)
        case starting.GROUP:
            return starting.starting(case, starting.CASES[case][library], **options)
    return measure(group, case, _LIBRARIES[group][library], **options)


async def main() -> None:
    # The plugins want a running loop.
    logging.disable(logging.CRITICAL)
    use_one_cpu()
    for line in sys.stdin:
        try:
            answer = {"row": await row_of(**json.loads(line)), "versions": versions()}
        except NotThere as error:
            answer = {"missing": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
