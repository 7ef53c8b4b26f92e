"""A gateway under the load of many browsers: `make bench-gateway`.

Load server (that of `make bench-sessions`), gateway and clients are a process each. Every client sends a
microphone's 20 ms at a time and hears an answer of 4 s every 8 s. What is measured:

up      from when a frame of a microphone was due to when the service has it
down    how late each 100 ms of the service's come to the client, against the first of their answer
gaps    audio that comes after a speaker ran dry, which began 60 ms after the first of an answer
checks  each byte of each answer, and how much of each microphone arrived
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import wave
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "benches/sessions"))

from browsers import FRAME_S, RATE_HZ, Browser, frame, talk  # noqa: E402
from meters import quantiles_ms, raise_descriptors  # noqa: E402
from programs import LoadServer, RunFailed  # noqa: E402

SPEECH = ROOT / "examples/audio/barge-in-48k-mono.wav"
CHUNK_MS = round(1000 * FRAME_S)
SERVICE_BYTES = 960  # of a frame, at the service's 24 kHz
LEAD_S = 0.5  # from the last connect to the first frame
BINARY = 2


def microphone() -> list[bytes]:
    """The recording as websocket frames of 20 ms."""
    with wave.open(str(SPEECH)) as file:
        pcm = file.readframes(file.getnframes())
    size = int(RATE_HZ * FRAME_S) * 2
    return [frame(BINARY, pcm[at : at + size]) for at in range(0, len(pcm) - size + 1, size)]


@contextmanager
def gateway(url: str, num_calls: int) -> Iterator[tuple[int, tuple[str, int]]]:
    """Runs the gateway; gives its process id and its address."""
    command = [sys.executable, str(Path(__file__).parent / "server.py"), url, str(num_calls)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://([\d.]+):(\d+)", line)
        if found is None:
            raise RunFailed(f"the gateway did not start: {line!r}")
        yield process.pid, (found[1], int(found[2]))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The whole run; its figures."""
    frames = microphone()
    count = options.clients
    with LoadServer() as service, gateway(service.url(tls=False), count) as (pid, address):
        reply = Path(service.reply).read_bytes()
        # One after the other: the load server counts sessions in the order of the calls.
        browsers = [Browser(address, reply) for _ in range(count)]
        tell(f"{count} calls are open")

        def progress(at_s: float) -> None:
            whole = sum(one.num_answers for one in browsers)
            gaps = sum(one.num_gaps for one in browsers)
            tell(
                f"{at_s:4.0f} s: {whole} answers, {gaps} gaps, {closed(browsers) or 'none'} closed"
            )

        start_s = time.monotonic() + LEAD_S
        before_s = {one: cpu_s(one) for one in (pid, os.getpid())}
        own_late_s = talk(browsers, frames, start_s, options.seconds, progress)
        took_s = time.monotonic() - start_s
        cores = {one: (cpu_s(one) - before_s[one]) / took_s for one in before_s}
        codes = closed(browsers)
        for browser in browsers:
            browser.close()
        times = {"start_ns": round(start_s * 1e9), "phases": count}
        report = service.report(times, CHUNK_MS, 0.0, options.seconds)
    arrived = {int(session): num for session, num in report["audio_bytes"].items()}
    return {
        "clients": count,
        "seconds": round(took_s, 1),
        "closed_by_code": codes,
        "answers": sum(one.num_answers for one in browsers),
        "answers_cut": sum(one.num_cut for one in browsers),
        "up_ms": report["send_lateness_ms"],
        "down_ms": quantiles_ms([late for one in browsers for late in one.late_s]),
        "gaps": sum(one.num_gaps for one in browsers),
        "wrong_messages": sum(one.num_wrong for one in browsers),
        "microphone_frames": sum(one.num_sent for one in browsers),
        "microphone_frames_not_taken": sum(one.num_dropped for one in browsers),
        "microphone_frames_lost": sum(
            one.num_sent - arrived.get(session, 0) / SERVICE_BYTES
            for session, one in enumerate(browsers)
        ),
        "clients_own_lateness_ms": quantiles_ms(own_late_s),
        "service_own_lateness_ms": report["server_lateness_ms"],
        "cores": {
            "gateway": round(cores[pid], 2),
            "service": round(report["server_cores"] or 0.0, 2),
            "clients": round(cores[os.getpid()], 2),
        },
        "gateway_cpu_ms_per_call_second": round(1000 * cores[pid] / count, 2),
        "faults": report["faults"],
        "load_average": round(os.getloadavg()[0], 1),
        "num_cpus": os.cpu_count(),
    }


def closed(browsers: list[Browser]) -> dict[str, int]:
    """How many calls the gateway has closed, by code."""
    return Counter(str(one.close_code) for one in browsers if one.close_code is not None)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path, default=ROOT / "target/bench-gateway.json")
    options = parser.parse_args()
    raise_descriptors(options.clients + 100)
    try:
        result = run(options)
    except KeyboardInterrupt:
        return 130
    except RunFailed as error:
        tell(str(error))
        return 1
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
