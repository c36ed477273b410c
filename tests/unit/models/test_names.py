"""Names as hostile input: what is taken, what is refused, and by what they are found."""

# ruff: noqa: RUF001  letters of every script

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.names import KEYS_MAX, LENGTH_MAX, Name, folded, name_keys, read_name


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("Anna", "Anna"),
        ("", ""),
        (" \t\u00a0\n", ""),
        ("  Anna \u00a0 Berg\t", "Anna Berg"),
        ("A\u030ase", "Åse"),
        ("O'Brien, Jr. (2) & <b>", "O'Brien, Jr. (2) & <b>"),
        ("שלום", "שלום"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🚒", "👩\u200d🚒"),
        ("Nguyễn Thị Ánh", "Nguyễn Thị Ánh"),
        ("x" * LENGTH_MAX, "x" * LENGTH_MAX),
    ],
)
def test_what_is_taken(cell: str, name: str) -> None:
    """One line of letters of any script, composed, with single spaces."""
    assert read_name(cell) == Name(name)


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("a\0b", "control"),
        ("a\x1b[31mb", "control"),
        ("a\nb", "control"),
        ("a\u2028b", "line break"),
        ("a\u202eb", "direction"),
        ("\u2066a\u2069", "direction"),
        ("a\u200eb", "direction"),
        ("a\u061cb", "direction"),
        ("a\u200bb", "invisible"),
        ("\ufeffa", "invisible"),
        ("a\U000e0041b", "invisible"),
        ("a\ud800b", "half a character"),
        ("a\ue000b", "only some fonts"),
        ("a\ufffdb", "not UTF-8"),
        ("a" + "\u0335\u0336\u0337\u0338", "marks on one letter"),
        ("\u200d", "nothing to read"),
        ("--", "nothing to read"),
        ("x" * (LENGTH_MAX + 1), "longer than 100 characters"),
    ],
)
def test_what_is_refused(cell: str, fault: str) -> None:
    """What cannot be seen, turns text around, or covers the lines around it."""
    name, said = read_name(cell)
    assert (name, fault in said) == ("", True), said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Øyvind ÅS", "oyvind as"),
        ("ÆGIR Þór ŁUKASZ", "aegir thor lukasz"),
        ("Straße", "strasse"),
        ("D'Arcy-O’Neill", "darcy oneill"),
        ("İstanbul ı", "istanbul i"),
        ("山田 太郎", "山田 太郎"),
        ("<% _", ""),
    ],
)
def test_what_is_compared(text: str, words: str) -> None:
    """Words without case and accents."""
    assert folded(text) == words


@given(st.text(max_size=120))
def test_a_name_that_is_taken_is_found_by_itself(text: str) -> None:
    """By the whole of it and by each of its words, and folding twice is folding once; keys are bounded."""
    name, fault = read_name(text)
    if fault:
        return
    assert read_name(name) == Name(name)
    keys = name_keys(name)
    assert len(keys) <= KEYS_MAX
    assert folded(folded(name)) == folded(name)
    words = folded(name).split()[:8]
    assert all(any(key.startswith(word) for key in keys) for word in filter(None, [" ".join(words), *words]))
