"""What a link's query says: the channel, of a list, and what the landing page learns of it."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edges.web.clicks.parameters import (
    NAME_LENGTH_MAX,
    PARAMETERS_MAX,
    TOTAL_MAX,
    VALUE_LENGTH_MAX,
    Passed,
    Query,
    read_query,
)

CHANNELS = ("whatsapp", "sms", "e-mail_2")


def read(query: str, *, own: frozenset[str] = frozenset(), passed: Passed = "all") -> Query:
    """Read a query where three channels are listed."""
    return read_query(query, channels=CHANNELS, own=own, passed=passed)


@pytest.mark.parametrize(
    ("query", "channel", "passed"),
    [
        ("", None, ""),
        ("c=", None, ""),
        ("c=whatsapp", "whatsapp", "&c=whatsapp"),
        ("c=%20WhatsApp%20", "whatsapp", "&c=whatsapp"),
        ("c=e-mail_2", "e-mail_2", "&c=e-mail_2"),
        ("C=sms", "sms", "&c=sms"),
        ("c=sms&c=whatsapp", "sms", "&c=sms"),
        ("c=unknown", None, ""),
        ("c=other", "other", "&c=other"),
        ("c=invented", "other", "&c=other"),
        ("c=smsx", "other", "&c=other"),
        ("c=sms.", "sms", "&c=sms"),
        ("c=sms%E2%80%9D)", "sms", "&c=sms"),
        ("c=s%E2%80%8Bms", "sms", "&c=sms"),
        ("c=%E2%80%AEsms", "sms", "&c=sms"),
        ("c=sms?fbclid=x", "sms", "&c=sms"),
        ("c=sms%26fbclid%3Dx", "sms", "&c=sms"),
        ("c=%00", None, ""),
        ("c=%ff", "other", "&c=other"),
        ("c=%ed%a0%80", "other", "&c=other"),
        ("amp;c=sms", "sms", "&c=sms"),
        ("utm_source=a%20b&c=sms", "sms", "&c=sms&utm_source=a%20b"),
        ("utm_source=%0d%0aSet-Cookie:x", None, "&utm_source=%20%20Set-Cookie%3Ax"),
        ("utm_source=%E2%80%AEa%E2%80%8B", None, "&utm_source=a"),
        ("a=1&b=2&a=3", None, "&a=1&b=2"),
        ("ref=OTHER00001&REF=OTHER00001&ref[]=OTHER00001&%20ref=OTHER00001", None, ""),
        ("a%5B0%5D=1&a%20b=1&%3Cx%3E=1&_x=1&1=1", None, ""),
        ("a=%26ref%3DOTHER00001", None, "&a=%26ref%3DOTHER00001"),
        ("a=%F0%9F%98%80", None, "&a=%F0%9F%98%80"),
    ],
)
def test_query(query: str, channel: str | None, passed: str) -> None:
    """The channel is of the list, or `other`; of the rest passes what can do no harm, and never a code."""
    said = read(query)
    assert said == (channel, passed)


def test_the_settings_decide_what_passes() -> None:
    """All, the channel alone, or nothing; the channel is counted in any case."""
    query = "c=sms&utm_source=a"
    assert read(query, passed="all") == ("sms", "&c=sms&utm_source=a")
    assert read(query, passed="channel") == ("sms", "&c=sms")
    assert read(query, passed="none") == ("sms", "")


def test_the_landing_pages_own_parameters_stand() -> None:
    """A stranger does not change what the organisation's address says."""
    assert read("c=sms&UTM_source=theirs&x=1", own=frozenset({"utm_source", "c"})) == ("sms", "&x=1")


def test_bounds() -> None:
    """Names, values, how many, and all together; what is too much is left out."""
    assert read(f"{'n' * NAME_LENGTH_MAX}=1").passed == f"&{'n' * NAME_LENGTH_MAX}=1"
    assert read(f"{'n' * (NAME_LENGTH_MAX + 1)}=1").passed == ""
    assert read(f"a={'x' * 1_000}").passed == f"&a={'x' * VALUE_LENGTH_MAX}"
    assert read("&".join(f"a{number}=1" for number in range(50))).passed.count("&") == PARAMETERS_MAX
    many = read("&".join(f"a{number}={'%F0%9F%98%80' * 100}" for number in range(50))).passed
    assert len(many) <= TOTAL_MAX


@given(some.text(max_size=200))
def test_any_query(query: str) -> None:
    """What passes is ASCII, reads back, and names no code and nothing twice."""
    said = read(query)
    assert said.channel in {None, "other", *CHANNELS}
    assert said.passed.isascii()
    assert said.passed.isprintable()
    names = [name for name, _ in parse_qsl(said.passed, keep_blank_values=True)]
    assert "ref" not in {name.lower() for name in names}
    assert len(names) == len(set(names))
