"""The same agent session over `videosdk.plugins.azure` and over voicelane, in both generations of VideoSDK.

Each runs in a process of its own, against the embedded simulator, without a room. Prints a table in Markdown.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SESSION = Path(__file__).with_name("videosdk_session.py")
# The environments that hold both.
COLUMNS = [
    ("original 0.0.60", "0-original", "videosdk.plugins.azure"),
    ("original 1.0.30", "1-original", "videosdk.plugins.azure"),
    ("voicelane in 0.0.60", "0-original", "voicelane.videosdk"),
    ("voicelane in 1.0.30", "1-original", "voicelane.videosdk"),
]
TIMEOUT_S = 300.0


def run(environment: str, plugin: str) -> dict[str, str]:
    """What `videosdk_session.py` tells; empty where it did not end."""
    python = ROOT / f".venv-videosdk-{environment}" / "bin" / "python"
    try:
        done = subprocess.run(
            [python, SESSION, plugin],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return {}
    if done.returncode:
        sys.exit(f"{plugin} in {environment}:\n{done.stderr}")
    told: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    with ThreadPoolExecutor(len(COLUMNS)) as pool:  # they wait for real time, most of the time
        results = list(pool.map(lambda column: run(*column[1:]), COLUMNS))
    rows = list(dict.fromkeys(name for result in results for name in result))
    print("|", *(f"| {name}" for name, *_ in COLUMNS), "|")
    print("|" + " --- |" * (len(COLUMNS) + 1))
    for name in rows:
        print("|", name, *(f"| {result.get(name, 'did not end')}" for result in results), "|")


if __name__ == "__main__":
    main()
