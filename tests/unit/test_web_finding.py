"""What a text in the finder may mean."""

from __future__ import annotations

import pytest

from edges.web.finding import Wanted, read_wanted

MENTOR = "0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a"
DIGITS = MENTOR.replace("-", "")
NOBODY = "0" * 32


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f" {MENTOR.upper()}\n", Wanted("", DIGITS, DIGITS, "", MENTOR.replace("-", " "))),
        (DIGITS, Wanted("", DIGITS, DIGITS, "", DIGITS)),
        ("0d9e", Wanted("", "0d9e" + "0" * 28, "0d9e" + "f" * 28, "", "0d9e")),
        ("0d9e…7f6a", Wanted("", "0d9e" + "0" * 28, "0d9e" + "f" * 28, "7f6a", "0d9e 7f6a")),
        ("0d9e...7f6a", Wanted("", "0d9e" + "0" * 28, "0d9e" + "f" * 28, "7f6a", "0d9e 7f6a")),
        ("7kq2m-9xw4t", Wanted("7KQ2M9XW4T", NOBODY, NOBODY, "", "7kq2m 9xw4t")),
        ("0d9e8f7a", Wanted("0D9E8F7A", "0d9e8f7a" + "0" * 24, "0d9e8f7a" + "f" * 24, "", "0d9e8f7a")),
        ("", Wanted("", NOBODY, "f" * 32, "", "")),
        ("0d9", Wanted("", NOBODY, NOBODY, "", "0d9")),
        (" Åse  Bjørk", Wanted("", NOBODY, NOBODY, "", "ase bjork")),
        ("…", None),
        ("<>\0%", None),
    ],
)
def test_what_a_text_may_mean(text: str, wanted: Wanted | None) -> None:
    """A code as it is typed, an id as it is written or shown, how a name begins, or several of these."""
    assert read_wanted(text) == wanted
