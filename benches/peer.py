"""One library, in an environment of its own: `peer.py`, run by `peers.py`.

Takes a job a line as JSON (`group`, `case`, `library`, `chunk_ms`, `seconds`) and answers each with a
line: the row of the result, or `missing`, why there is none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

from situations import GROUP, latency

from voicelane.cli.bench.libraries import NotThere, versions
from voicelane.cli.bench.measure import measure


async def main() -> None:
    # The plugins want a running loop.
    logging.disable(logging.CRITICAL)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for line in sys.stdin:
        job = json.loads(line)
        group, case, library = job.pop("group"), job.pop("case"), job.pop("library")
        try:
            if group == GROUP:
                row = await latency(case, library, **job)
            else:
                row = measure(group, case, library, **job)
            answer = {"row": row, "versions": versions()}
        except NotThere as error:
            answer = {"missing": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
