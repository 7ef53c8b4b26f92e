"""How well the simulator tells speech from other sounds, beside libraries that do nothing else.

    make bench-hearing       # the set that nothing was tuned on, as Markdown

Every detector's windows go through the simulator's own `TurnDetector`: what differs is the detector alone.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from detectors import DETECTORS, SPEECH, WINDOW_MS, Detector
from sounds import SPEAKERS, Scene, Truth, by_telephone, spoken, unspoken

from voicelane.simulator.speech import SpeechStarted, TurnDetector, TurnSettings

_SETTINGS = TurnSettings(prefix_padding_ms=0)
# So far from a sentence a turn is none of it: before, for windows overlap; after, what dies away.
_MARGIN_FRAMES = 10


@dataclass
class Found:
    """What a detector made of some scenes."""

    hits: int = 0
    speech_frames: int = 0
    alarms: int = 0
    other_frames: int = 0
    sentences: int = 0
    found: int = 0
    split: int = 0
    false_turns: int = 0
    onset_ms: list[int] = field(default_factory=list)
    offset_ms: list[int] = field(default_factory=list)

    def add(self, windows: bytes, truth: Truth) -> None:
        """Count the windows of a scene."""
        said = np.frombuffer(windows, dtype=np.uint8)[: len(truth)] == SPEECH
        near = np.convolve(truth, np.ones(2 * _MARGIN_FRAMES + 1), "same")[: len(truth)] > 0
        self.hits += int(said[truth[: len(said)]].sum())
        self.speech_frames += int(truth.sum())
        self.alarms += int(said[~near[: len(said)]].sum())
        self.other_frames += int((~near).sum())
        self._count_turns(list(turns(windows)), list(_sentences(truth)))

    def _count_turns(
        self, heard: list[tuple[int, int | None]], sentences: list[tuple[int, int]]
    ) -> None:
        self.sentences += len(sentences)
        margin_ms = _MARGIN_FRAMES * WINDOW_MS
        belongs = [
            [turn for turn in heard if start - margin_ms <= turn[0] <= end + margin_ms]
            for start, end in sentences
        ]
        self.false_turns += len(heard) - sum(map(len, belongs))
        for (start, end), own in zip(sentences, belongs, strict=True):
            if own:
                self.found += 1
                self.split += len(own) > 1
                self.onset_ms.append(own[0][0] - start)
                if (stopped := own[-1][1]) is not None:
                    self.offset_ms.append(stopped - _SETTINGS.silence_duration_ms - end)


def turns(windows: bytes) -> Iterator[tuple[int, int | None]]:
    """When each turn is told to begin, and to end; None where it has not ended."""
    detector = TurnDetector(_Told(), _SETTINGS, 0)  # type: ignore[arg-type]
    started: int | None = None
    for index in range(len(windows)):
        now_ms = (index + 1) * WINDOW_MS
        for edge in detector.feed(windows[index : index + 1]):
            if isinstance(edge, SpeechStarted):
                started = now_ms
            elif started is not None:
                yield started, now_ms
                started = None
    if started is not None:
        yield started, None


class _Told:
    """In the place of a `VoiceActivity`, where the windows are known."""

    def classify(self, windows: bytes, _threshold: float) -> bytes:
        return windows


def _sentences(truth: Truth) -> Iterator[tuple[int, int]]:
    """When each begins and ends: they are further apart than what ends a turn."""
    sounding = np.flatnonzero(truth) * WINDOW_MS
    pauses = np.flatnonzero(np.diff(sounding) > _SETTINGS.silence_duration_ms)
    for first, last in pairwise([-1, *pauses, len(sounding) - 1]):
        if last > first:
            yield int(sounding[first + 1]), int(sounding[last]) + WINDOW_MS


def evaluate(detector: Detector, scenes: Iterable[Scene]) -> tuple[dict[str, Found], float]:
    """What it finds, by kind of scene; and milliseconds of CPU for a second of audio."""
    by_kind: dict[str, Found] = defaultdict(Found)
    cpu_s = audio_s = 0.0
    for scene in scenes:
        pcm = np.clip(np.round(scene.signal * 32767), -32768, 32767).astype("<i2").tobytes()
        start_s = time.process_time()
        windows = detector(pcm)
        cpu_s += time.process_time() - start_s
        audio_s += len(scene.is_speech) * WINDOW_MS / 1000
        by_kind[scene.kind].add(windows, scene.is_speech)
    return by_kind, 1000 * cpu_s / audio_s


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _middle_and_tail(values: list[int]) -> str:
    if not values:
        return "-"
    return f"{np.median(values):.0f} / {np.percentile(values, 95):.0f}"


def spoken_table(results: dict[str, dict[str, Found]]) -> str:
    """A row for each kind and detector."""
    rows = [
        "| noise | detector | frames hit, % | false, % | sentences found, % | in parts, % | false turns "
        "| begins, ms | ends, ms |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in next(iter(results.values())):
        for name, by_kind in results.items():
            one = by_kind[kind]
            cells: list[Any] = [kind, name, _percent(one.hits, one.speech_frames)]
            cells += [_percent(one.alarms, one.other_frames), _percent(one.found, one.sentences)]
            cells += [_percent(one.split, one.sentences), one.false_turns]
            cells += [_middle_and_tail(one.onset_ms), _middle_and_tail(one.offset_ms)]
            rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def unspoken_table(results: dict[str, dict[str, Found]]) -> str:
    """A row for each sound: how much of a minute was taken for speech, and the turns it made."""
    rows = [f"| a minute of | {' | '.join(results)} |", "| --- " + "| ---: " * len(results) + "|"]
    for kind in next(iter(results.values())):
        found = (by_kind[kind] for by_kind in results.values())
        cells = (f"{_percent(one.alarms, one.other_frames)} % / {one.false_turns}" for one in found)
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=list(SPEAKERS), default="held-out")
    parser.add_argument("--telephone", action="store_true", help="nothing above 4 kHz")
    known = sorted({name.partition(" ")[0] for name in DETECTORS})
    parser.add_argument(
        "--detectors",
        nargs="+",
        choices=known,
        default=known,
        metavar="NAME",
        help="default: %(default)s",
    )
    options = parser.parse_args()
    chosen = {
        name: one for name, one in DETECTORS.items() if name.partition(" ")[0] in options.detectors
    }
    in_speech, in_others, cpu_ms = {}, {}, {}
    heard = by_telephone if options.telephone else list
    scenes, others = heard(spoken(options.set)), heard(unspoken(options.set))
    for name, detector in chosen.items():
        in_speech[name], cpu_ms[name] = evaluate(detector, scenes)
        in_others[name], _ = evaluate(detector, others)
    print(spoken_table(in_speech), unspoken_table(in_others), sep="\n\n")
    print("\nMilliseconds of CPU for a second of audio, its resampling included: ", end="")
    print(", ".join(f"{name} {cost:.2f}" for name, cost in cpu_ms.items()))


if __name__ == "__main__":
    main()
