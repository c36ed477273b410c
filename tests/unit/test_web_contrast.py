"""The colours of both themes: text and what can be operated stand out as WCAG AA asks."""

from __future__ import annotations

import re

import pytest

from edges.web.assets import FOLDER

TEXT = 4.5
"""WCAG 1.4.3: the least contrast of text with what is behind it."""
PARTS = 3.0
"""WCAG 1.4.11: of edges and marks that mean something."""

_PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", (FOLDER / "base.css").read_text()
    )
}


def luminance(colour: str) -> float:
    """Return how bright a colour is, as WCAG defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        *((front, back, TEXT) for front in ("text", "muted", "accent") for back in ("ground", "surface", "sunken")),
        ("text", "accent-soft", TEXT),
        ("accent", "accent-soft", TEXT),
        ("on-accent", "accent", TEXT),
        ("warn", "warn-soft", TEXT),
        ("warn", "surface", TEXT),
        ("bad", "bad-soft", TEXT),
        ("bad", "surface", TEXT),
        ("line-strong", "surface", PARTS),
        ("line-strong", "ground", PARTS),
        ("clicks", "surface", PARTS),
        ("accent", "surface", PARTS),
    ],
)
def test_colours_stand_out(theme: int, front: str, back: str, least: float) -> None:
    """In the light theme and in the dark one."""
    assert contrast(_PAIRS[front][theme], _PAIRS[back][theme]) >= least
