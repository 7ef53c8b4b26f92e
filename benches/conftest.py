"""Lets the benches use the tests' signals, and prints what they measured as one table."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    session = getattr(config, "_benchmarksession", None)
    measured = [bench.extra_info for bench in getattr(session, "benchmarks", [])]
    measured = [info for info in measured if "p50_us" in info]
    for conversion in dict.fromkeys(info["conversion"] for info in measured):
        group = [info for info in measured if info["conversion"] == conversion]
        ours_us = next((info["p50_us"] for info in group if info["library"] == "voicelane"), None)
        terminalreporter.section(f"20 ms of {conversion}, microseconds a call")
        terminalreporter.line(f"{'':30}     p50      p99  x ours  tone SNR  rejection")
        for info in group:
            times, ratio, rejection = f"{'wrong':>18}", " " * 8, ""
            if info["correct"]:
                times = f"{info['p50_us']:9.2f}{info['p99_us']:9.2f}"
                ratio = f"{info['p50_us'] / ours_us:8.1f}" if ours_us else ratio
            if info["rejection_db"] is not None:
                rejection = f"{info['rejection_db']:8.1f} dB"
            terminalreporter.line(
                f"{info['library']:30}{times}{ratio}{info['snr_db']:7.1f} dB{rejection}"
            )
