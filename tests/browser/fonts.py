"""Fonts that a test brings: each character as wide as the test wants, so that a layout leans on no machine's fonts."""

from __future__ import annotations

import base64
import io
from typing import Final

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from playwright.async_api import Page

UNITS: Final = 1000
"""Units of an em."""

NARROW: Final = 380
"""Units that a character of the narrow font takes; Arial Narrow's digits take 456."""

MEDIUM: Final = 560
"""Units that a character of the font between takes; DejaVu Sans, wide as texts go, takes 555 for one of these pages."""

BOLD: Final = 640
"""Units that a character of a large figure takes, separators among them; DejaVu Sans Bold takes 633 for 112,345,669."""

WIDE: Final = 720
"""Units that a character of the wide font takes; the digits of Verdana Bold, the widest of common ones, take 711."""

LAST_CHARACTER: Final = 0x2FFF
"""Everything that the pages write, arrows and ticks included."""


def font(advance: int) -> bytes:
    """Return a TrueType font in which each character is a box of that advance, in thousandths of an em."""
    pen = TTGlyphPen(None)
    right = advance - 60
    pen.moveTo((60, 0))
    for corner in ((60, 500), (right, 500), (right, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(UNITS)
    builder.setupGlyphOrder([".notdef", "box", "gap"])
    builder.setupCharacterMap(dict.fromkeys(range(0x21, LAST_CHARACTER), "box") | {0x20: "gap", 0xA0: "gap"})
    gap = TTGlyphPen(None).glyph()
    builder.setupGlyf({".notdef": gap, "box": pen.glyph(), "gap": gap})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "box", "gap"), (advance, 60)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Brought", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200)
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


async def use_font(page: Page, advance: int) -> None:
    """Let a page use no other font; its context must bypass the page's Content-Security-Policy."""
    data = base64.b64encode(font(advance)).decode()
    await page.add_style_tag(
        content=f'@font-face {{ font-family: Brought; src: url("data:font/ttf;base64,{data}"); }}'
        "* { font-family: Brought !important; }"
    )
    await page.evaluate("document.fonts.load('16px Brought').then(fonts => { if (!fonts.length) throw 'no font'; })")
