"""Damaged links: what is repaired, what is not, and that no damage ever makes a code of another."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edges.web.clicks.damaged import read_damaged
from models.codes import ALPHABET, normalise_code
from models.errors import BadCode
from tests.damaged_links import CASES, CODE, LONG, SHORT, Case

ISSUED = frozenset({CODE, SHORT, LONG})


def meant(path: str, issued: frozenset[str] = ISSUED) -> str | None:
    """Return the code that a link's path means where these were issued, as the route finds it."""
    try:
        if (code := normalise_code(path.lstrip("/").removeprefix("r/"))) in issued:
            return code
    except BadCode:
        pass
    damaged = read_damaged(path)
    if damaged is None:
        return None
    if damaged.is_certain:
        return damaged.codes[0] if damaged.codes[0] in issued else None
    found = [code for code in issued if code.startswith(damaged.codes[0])]
    return found[0] if len(found) == 1 and found[0] in damaged.codes else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.link)
def test_corpus(case: Case) -> None:
    """Each link means what the corpus says."""
    assert meant(unquote(case.link.partition("?")[0])) == case.code


def test_the_corpus_is_one() -> None:
    """Sixty links or more, none twice, each with where it comes from."""
    assert len({case.link for case in CASES}) == len(CASES) >= 60
    assert all(case.source for case in CASES)


codes = some.text(ALPHABET, min_size=8, max_size=12)


@given(codes, some.integers(0, 11), some.text(max_size=20))
def test_a_code_that_was_cut_off_is_never_anothers(code: str, length: int, behind: str) -> None:
    """Whatever stands where the rest of a code was: it means that code, or none; the beginning is a code as well."""
    beginning = code[:length]
    issued = frozenset({code, beginning} if len(beginning) >= 8 else {code})
    if beginning != code:
        assert meant(f"/r/{beginning}…{behind}", issued) in {None, code}


@given(codes, some.text(max_size=30), some.text(max_size=30))
def test_any_text_around_a_code(code: str, before: str, behind: str) -> None:
    """Nothing raises; and what is found is a code that stands there, letter for letter, but for what nobody sees."""
    damaged = read_damaged(f"/r/{before}{code}{behind}")
    if damaged is not None:
        assert all(normalise_code(each) == each for each in damaged.codes)
        assert all(each.startswith(damaged.codes[0]) for each in damaged.codes)


@given(some.text(max_size=300))
def test_any_path(path: str) -> None:
    """A path that is no link's means nothing, and none raises."""
    if not path.lstrip("/").lower().startswith("r/"):
        assert read_damaged(path) is None
    read_damaged(f"/r/{path}")


def test_a_long_path_is_not_read() -> None:
    """It costs nothing."""
    assert read_damaged(f"/r/{CODE}{'%25' * 1_000}") is None
