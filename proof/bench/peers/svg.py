"""Bars with their spread, as an SVG that a browser and GitHub show in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 880
LABELS: Final = 250
"""Pixels for the names at the left."""
VALUES: Final = 150
"""Pixels for the figures at the right, at least."""
CHARACTER: Final = 7.6
"""Pixels of a character of a label, in a wide font."""
ROW: Final = 22
GAP: Final = 8
TOP: Final = 58

# Readable on white and on GitHub's dark ground.
COLOURS: Final = ("#3b82c4", "#d97f30", "#5fa463")
INK: Final = "#7d8590"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One figure."""

    value: float
    label: str
    """The figure as text."""
    least: float | None = None
    """With `most`: the spread, drawn as a line."""
    most: float | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """What is said of one contender: a bar for each series, or why there is none."""

    name: str
    bars: Sequence[Bar] = ()
    remark: str = ""
    """Shown in place of bars, for example `absent`."""


def bar_chart(title: str, series: Sequence[str], groups: Sequence[Group]) -> str:
    """Return a chart of horizontal bars; `series` names the bars of a group, in their order."""
    most = max((bar.most or bar.value for group in groups for bar in group.bars), default=0.0) or 1.0
    values = max([VALUES, *(8 + CHARACTER * len(bar.label) for group in groups for bar in group.bars)])
    scale = (WIDTH - LABELS - values) / most
    parts = [_text(12, 24, title, size=16)]
    at_x = LABELS
    if len(series) > 1:
        for number, name in enumerate(series):
            parts += [_box(at_x, 36, 12, 12, COLOURS[number]), _text(at_x + 18, 46, name)]
            at_x += 40 + 7 * len(name)
    at_y = TOP
    for group in groups:
        height = ROW * max(len(group.bars), 1)
        parts.append(_text(LABELS - 10, at_y + height / 2 + 4, group.name, anchor="end"))
        if not group.bars:
            parts.append(_text(LABELS + 4, at_y + ROW / 2 + 4, group.remark))
        for number, bar in enumerate(group.bars):
            parts += _bar(bar, at_y + number * ROW, scale, COLOURS[number % len(COLOURS)])
        at_y += height + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{at_y + 4}" '
        f'viewBox="0 0 {WIDTH} {at_y + 4}" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}" '
        f'font-family="system-ui, sans-serif">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(bar: Bar, at_y: float, scale: float, colour: str) -> list[str]:
    parts = [_box(LABELS, at_y + 2, bar.value * scale, ROW - 4, colour)]
    end = bar.value
    if bar.least is not None and bar.most is not None:
        end = max(end, bar.most)
        left, right, middle = LABELS + bar.least * scale, LABELS + bar.most * scale, at_y + ROW / 2
        parts.append(
            f'<path d="M{left:.1f} {middle - 4:.1f}v8m0 -4H{right:.1f}m0 -4v8" stroke="{INK}" stroke-width="1.5" '
            'fill="none"/>'
        )
    parts.append(_text(LABELS + end * scale + 8, at_y + ROW / 2 + 4, bar.label))
    return parts


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, size: int = 13, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'
