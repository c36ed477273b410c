"""What every edge takes for an id or a code, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadCode
from models.identifiers import is_uuid
from models.tolerance import BadTime, read_code, read_instant, read_status, read_uuid


@given(
    uuid=st.uuids(),
    form=st.sampled_from(["{}", "{{{}}}", "({})", "urn:uuid:{}", "URN:UUID:{}", "  {}\u200b", "\ufeff{}\n"]),
)
def test_an_id_in_any_form_is_one_id(uuid: UUID, form: str) -> None:
    """Case, hyphens and what stands around it do not make another of it."""
    for text in (str(uuid), str(uuid).upper(), uuid.hex):
        expected = None if uuid.int in {0, 2**128 - 1} else str(uuid)
        assert read_uuid(form.format(text)) == expected


@given(text=st.text(alphabet="0123456789abcdef-_+ {}()x\uff11", min_size=30, max_size=40))
def test_what_python_takes_is_not_enough(text: str) -> None:
    """Whatever is taken is a UUID by its form, and has the digits of the text and no others."""
    found = read_uuid(text)
    if found is not None:
        assert is_uuid(found)
        assert found.replace("-", "") == "".join(each for each in text.lower() if each in "0123456789abcdef")
        assert not set(text) & set("_+x\uff11")


@pytest.mark.parametrize("value", [None, 17, True, 1.5, [], {}, b"0c000000-0000-4000-8000-000000000001"])
def test_what_is_no_text_is_none(value: object) -> None:
    """A number has lost its zeros by now."""
    assert read_uuid(value) is None
    with pytest.raises(BadCode):
        read_code(value)


def test_a_code_with_what_nobody_sees_around_it() -> None:
    """And in groups as codes are printed."""
    assert read_code("\u00a0anna-oooool \u200b") == "ANNA000001"
    assert read_code("7kq2 m9xw 4t") == "7KQ2M9XW4T"


@pytest.mark.parametrize(
    "value", ["ANNA 000001", "ANNA 00000001", "Anna Secret", "Maria Clark", "ANNA 0001", "7KQ2M9XW4T 2", "A 7KQ2M9XW4"]
)
def test_words_that_would_make_a_code_together_are_words(value: str) -> None:
    """A name, a name and a number, a code and something beside it: not certain, and no code was issued by them."""
    with pytest.raises(BadCode, match="may be something else"):
        read_code(value)


TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-20T10:00:00Z", TEN),
        ("2026-11-20t10:00:00z", TEN),
        (" 2026-11-20 10:00:00 UTC\n", TEN),
        ("2026-11-20T11:00:00+0100", TEN),
        ("2026-11-20T11:00+01", TEN),
        ("2026-11-20T10:00:00,25Z", TEN.replace(microsecond=250_000)),
        ("2026-11-20T10:00:00.1234567Z", TEN.replace(microsecond=123_457)),
        ("2026-11-20T24:00:00Z", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-11-20T05:00:00\u221205:00", TEN),
        ("2026-11-20T11:00:00+01:00[Europe/Berlin]", TEN),
        ("/Date(1795168800000)/", TEN),
        ("/Date(1795168800000+0100)/", TEN),
    ],
)
def test_a_time_in_any_form_is_one_instant(written: str, at: datetime) -> None:
    """What RFC 3339 leaves out, ISO 8601 and libraries write."""
    assert read_instant(written) == at


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("2026-11-20", "date without a time"),
        ("2026-11-20T10:00:00", "no offset"),
        ("2026-11-20T24:00:01Z", "no time"),
        ("2026-11-20T10:00:60Z", "no time"),
        ("2026-02-30T10:00:00Z", "no time"),
        ("2026-11-20T10:00:00+25:00", "no time"),
        ("2026-11-20T10:00:00 CET", "no time"),
        ("20.11.2026 10:00", "no time"),
        ("11/20/2026 10:00:00 AM", "no time"),
        ("Fri, 20 Nov 2026 10:00:00 GMT", "no time"),
        ("1795168800", "no time"),
        ("9999-12-31T24:00:00Z", "no time"),
        ("", "no time"),
        (1_795_168_800, "not a text"),
        (None, "not a text"),
    ],
)
def test_what_is_many_instants_or_none_is_refused(value: object, why: str) -> None:
    """The error says what it has to be, and quotes nothing."""
    with pytest.raises(BadTime, match=why) as fault:
        read_instant(value)
    assert "2026-11-20T10:00:00Z" in str(fault.value)


@given(at=st.datetimes(timezones=st.timezones()))
def test_what_the_strict_decoder_takes_is_read_alike(at: datetime) -> None:
    """Whichever way a value goes, it is the same instant."""
    try:
        text = at.isoformat()
        strict = msgspec.convert(text, datetime)
    except (msgspec.ValidationError, OverflowError):
        return
    assert read_instant(text) == strict


@pytest.mark.parametrize(
    ("word", "status"),
    [("confirmed", "confirmed"), (" CONFIRMED ", "confirmed"), ("Cancelled", "withdrawn"),
     ("pending", "pending_signup"), ("active", None), ("", None), (1, None), (None, None)],
)  # fmt: skip
def test_a_status_is_a_word_that_means_one_thing(word: object, status: str | None) -> None:
    """In any case; what means several things means nothing here."""
    assert read_status(word) == status
