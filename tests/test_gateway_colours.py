"""The page's colours by WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what one must see to use it."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = (files("voicelane.gateway") / "static/style.css").read_text(encoding="utf-8")
_, LIGHT, DARK = re.split(r":root \{", CSS)[:3]
TEXT = [
    *[("ink", ground) for ground in ("ground", "card", "soft", "accent-soft", "warning-soft")],
    *[("quiet", ground) for ground in ("ground", "card", "soft", "accent-soft")],
    ("on-accent", "accent"),
    ("warning", "warning-soft"),
    *[("danger", ground) for ground in ("card", "soft")],
]
# Borders of what can be clicked, the focus, the meters.
SHAPES = [
    ("edge", "card"),
    ("edge", "ground"),
    ("accent", "card"),
    ("accent", "ground"),
    ("accent", "soft"),
]


def luminance(colour: str) -> float:
    """Of `#rrggbb`, as WCAG 2.2 defines it."""
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_shown_can_be_seen(scheme: str) -> None:
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", scheme.partition("}")[0]))
    for pairs, least in ((TEXT, 4.5), (SHAPES, 3.0)):
        for ink, ground in pairs:
            assert contrast(colours[ink], colours[ground]) >= least, (ink, ground)
