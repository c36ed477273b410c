"""Codes as people and programs hand them in: what is certain is taken, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.channels import listed_channel
from models.codes import ALPHABET, normalise_code
from models.errors import BadCode
from models.tolerance import plain_text, read_code

CODE = "7KQ2M9XW4T"


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        " 7KQ2M9XW4T ",
        "7KQ2M9XW4T\r\n",
        "\ufeff7KQ2M9XW4T",
        "7KQ2M9XW4T\u200b",
        "7KQ2M9XW4T\u00a0",
        "7KQ2M\u2010-9XW4T",
        "7KQ2M \u2013 9XW4T",
        "7KQ2M\u22129XW4T",
        "7KQ2M\u00ad9XW4T",
        '"7KQ2M9XW4T"',
        "\u00ab7KQ2M9XW4T\u00bb",
        "7kq2m 9xw4t",
        "７ＫＱ２Ｍ９ＸＷ４Ｔ",  # noqa: RUF001  as typed there
    ],
)
def test_certain(typed: str) -> None:
    """White space, quotation marks, other hyphens and letters of another width leave no doubt."""
    assert read_code(typed) == CODE


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "7KQ2M9X",
        "7KQ2M9XW4T.",
        "7KQ2M9XW4T\u2026",
        "7KQ2M9XW4T\u00b2",
        "7KQ2M9XW4T２",  # noqa: RUF001  another width than the rest
        "7KQ2М9XW4T",  # noqa: RUF001  a Cyrillic letter
        "7KQ2M9XW4U",
        "7KQ2M9XW4T 2",  # a code of twelve characters, or a code and a number behind it
        "ANNA 7KQ2M9XW4T",
        "7KQ2M9XW AB",
        "x" * 100_000,
    ],
)
def test_not_certain(typed: str) -> None:
    """The error shows what was given."""
    with pytest.raises(BadCode) as fault:
        read_code(typed)
    assert repr(typed[:40])[1:-1] in str(fault.value)


@given(some.text(max_size=40))
def test_whatever_the_contract_takes_is_taken_alike(typed: str) -> None:
    """It takes more, and reads nothing otherwise."""
    try:
        code = normalise_code(typed)
    except BadCode:
        return
    assert read_code(typed) == code


@given(some.text(ALPHABET, min_size=8, max_size=12), some.text(" \t\u200b\u200e\ufeff\"'«»", max_size=5))
def test_what_is_around_a_code_goes(code: str, around: str) -> None:
    """Before and behind."""
    assert read_code(f"{around}{code}{around}") == code


@given(some.text())
def test_plain_text_is_plain(text: str) -> None:
    """Nothing that nobody sees, and the same when it is done again."""
    plain = plain_text(text)
    assert all(each.isprintable() or not each.isascii() for each in plain)
    assert "\u202e" not in plain
    assert plain_text(plain) == plain


@pytest.mark.parametrize(
    ("named", "channel"),
    [("sms", "sms"), (" SMS\u200b", "sms"), ("", None), ("unknown", None), ("sms\u202e", "sms"), ("smss", "other"),
     ("\u0455ms", "other"), ("sms email", "other"), ("x" * 10_000, "other"), ("\0", None)],
)  # fmt: skip
def test_a_channel_is_of_the_list(named: str, channel: str | None) -> None:
    """Or `other`, which takes no place among a mentor's channels; none is none."""
    assert listed_channel(named, ("sms", "email")) == channel
