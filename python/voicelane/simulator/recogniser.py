"""The program that recognises words: pocketsphinx, which would hold the interpreter of the simulator.

`python -m voicelane.simulator.recogniser PHRASES` takes the phrases as a JSON list and a line for each
clip, in base64: 16 kHz, mono, 16 bits. It answers with a line of JSON: the words.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterable
from typing import Any

RATE_HZ = 16_000
# Wide: whole phrases compete, which costs 20 ms. With pocketsphinx's own beams short ones get lost.
_OF_PHRASES = {
    "lm": None,
    "beam": 1e-100,
    "wbeam": 1e-80,
    "pbeam": 1e-100,
    "bestpath": False,
}


def spoken(phrase: str) -> str:
    """Return a phrase as the dictionary writes it: words in small letters."""
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", phrase.lower().replace("\u2019", "'")))


def unknown_words(phrases: Iterable[str]) -> list[str]:
    """Return the words that are not in the recogniser's dictionary; ImportError without it."""
    from pocketsphinx import get_model_path

    with open(get_model_path("en-us/cmudict-en-us.dict"), encoding="utf-8") as file:
        known = {line.split(maxsplit=1)[0] for line in file}
    return sorted({word for phrase in phrases for word in spoken(phrase).split()} - known)


def decoder(phrases: Iterable[str]) -> Any:
    """Return what hears one of the phrases, or any words where there are none."""
    from pocketsphinx import Config, Decoder

    alternatives = sorted({spoken(phrase) for phrase in phrases} - {""})
    settings = _OF_PHRASES if alternatives else {}
    hears = Decoder(Config(samprate=RATE_HZ, loglevel="FATAL", **settings))
    if alternatives:
        grammar = f"#JSGF V1.0; grammar phrases; public <phrase> = {' | '.join(alternatives)};"
        hears.add_jsgf_string("phrases", grammar)
        hears.activate_search("phrases")
    return hears


def main() -> None:
    """Serve until the input ends."""
    phrases: list[str] = json.loads(sys.argv[1])
    as_written = {spoken(phrase): phrase for phrase in phrases}
    hears = decoder(phrases)
    for line in sys.stdin:
        hears.start_utt()
        hears.process_raw(base64.b64decode(line), False, True)
        hears.end_utt()
        words = hears.hyp().hypstr if hears.hyp() else ""
        # The part of a phrase is none.
        print(json.dumps(as_written.get(words, "") if phrases else words), flush=True)


if __name__ == "__main__":
    main()
