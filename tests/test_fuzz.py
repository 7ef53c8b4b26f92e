"""A short run of each of Python's fuzz targets; `make fuzz` is the long one. Rust's are in fuzz_replay.rs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from fuzz_targets import TARGETS, check_events, check_messages


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_comes_from_outside_breaks_it(name: str) -> None:
    strategy, check = TARGETS[name]

    @settings(max_examples=150)
    @given(strategy)
    def run(given_: Any) -> None:
        check(given_)

    run()


def test_a_message_in_bytes_that_are_no_utf_8_is_refused() -> None:
    check_messages([b'{"type":"\xff"}'])


def test_an_error_whose_code_is_no_text_is_told() -> None:
    check_events([b'{"type":"error","error":{"code":[],"message":"m"}}'])
