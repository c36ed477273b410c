"""The pages of the site, and what stands on them to be pasted: blocks of code, and commands in the running text.

A block that no test can run says why in the Markdown, in a comment on the line before it:

    <!-- not run: needs a tenant of one's own -->

or which test takes it from the page and runs it, because it needs what that one has:

    <!-- run by tests/integration/test_secured.py -->

Every other block of shell or Python is run: `tests/integration/test_site_snippets.py` takes them from the pages. JSON
and YAML are read. A block of no language is a picture or what something printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parents[1]
PATTERNS: Final = (
    *("README.md", "CHANGELOG.md", "CONTRACT.md", "DESIGN.md"),
    *("docs/**/*.md", "examples/README.md", "proof/bench/**/*.md", "schemas/settings.md"),
)
"""The pages, as `docs/conf.py` has them in Sphinx's words."""

_NOT_RUN: Final = re.compile(r"<!-- not run: (\S.*) -->")
_RUN_BY: Final = re.compile(r"<!-- run by (tests/\S+\.py) -->")


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """A block of a language on a page."""

    page: str
    """The page's path in the checkout."""
    line: int
    """Where it begins, counted from 1."""
    language: str
    text: str
    not_run: str | None
    """Why no test runs it; None: one does."""
    run_by: str | None
    """Which, where it is not the pages' own: a path in the checkout."""

    def __str__(self) -> str:
        """Return where it stands."""
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return the path of every page, sorted."""
    return sorted({str(file.relative_to(ROOT)) for pattern in PATTERNS for file in ROOT.glob(pattern)})


@cache
def tokens(page: str) -> tuple[Token, ...]:
    """Return a page in the parts that Markdown has."""
    return tuple(MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text(encoding="utf-8")))


def snippets(page: str) -> list[Snippet]:
    """Return a page's blocks of code in their order, without what is Sphinx's (`{toctree}`)."""
    found = []
    reason = test = None
    for token in tokens(page):
        if token.type == "fence" and token.info and not token.info.startswith("{"):
            assert token.map is not None
            found.append(
                Snippet(
                    page=page,
                    line=token.map[0] + 1,
                    language=token.info.strip(),
                    text=token.content,
                    not_run=reason,
                    run_by=test,
                )
            )
        comment = token.content.strip() if token.type == "html_block" else ""
        reason, test = (said[1] if (said := each.fullmatch(comment)) else None for each in (_NOT_RUN, _RUN_BY))
    return found


def run_by(test: str, page: str) -> list[Snippet]:
    """Return the blocks of a page that say that this test runs them; at least one."""
    found = [each for each in snippets(page) if each.run_by == test]
    assert found, f"{page} has no block that {test} runs"
    return found


def in_text(page: str) -> Iterator[str]:
    """Yield what stands in backticks in a page's text and tables."""
    for token in tokens(page):
        for part in token.children or ():
            if part.type == "code_inline":
                yield part.content


def indented(page: str) -> list[int]:
    """Return the lines on which blocks begin that are code by their indentation alone, and so have no language."""
    return [token.map[0] + 1 for token in tokens(page) if token.type == "code_block" and token.map]
