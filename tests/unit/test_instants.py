"""Instants into Postgres and out of it: every one that a record can say, also where UTC has no form for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import postgres
from psycopg.adapt import Transformer
from psycopg.pq import Format

from process.instants import EVERY_INSTANT, as_stored
from process.postgres import session

TIMESTAMPTZ = postgres.types["timestamptz"].oid
FURTHEST_MINUTES = 23 * 60 + 59


def loaded(text: str) -> object:
    """Return what a connection of ours reads where Postgres sends this."""
    return Transformer(EVERY_INSTANT).get_loader(TIMESTAMPTZ, Format.TEXT).load(text.encode())


def as_postgres_writes(at: datetime) -> str:
    """Return the instant as a session in UTC sends it: the years go on past 9999, and those before 1 are BC."""
    try:
        in_utc = at.astimezone(UTC)
    except OverflowError:
        time = (at.replace(tzinfo=None, year=2000, month=6, day=15) - (at.utcoffset() or timedelta())).time()
        day, era = ("10000-01-01", "") if at.year > 1 else ("0001-12-31", " BC")
        return f"{day} {time:%H:%M:%S.%f}+00{era}"
    return f"{in_utc.date().isoformat()} {in_utc:%H:%M:%S.%f}+00"


@given(
    instant=st.one_of(
        st.datetimes(),
        st.datetimes(min_value=datetime(9999, 12, 31)),  # noqa: DTZ001  the zone comes below
        st.datetimes(max_value=datetime(1, 1, 1, 23, 59, 59)),  # noqa: DTZ001  the same
    ),
    minutes=st.integers(-FURTHEST_MINUTES, FURTHEST_MINUTES),
)
@example(instant=datetime(9999, 12, 31, 23, 59, 59), minutes=-14 * 60)  # noqa: DTZ001  the same
@example(instant=datetime(1, 1, 1), minutes=14 * 60)  # noqa: DTZ001  the same
def test_every_instant_that_a_record_can_say(instant: datetime, minutes: int) -> None:
    """What has a form at any offset is read as that very instant, and written so that Postgres knows the offset."""
    at = instant.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    sent = as_postgres_writes(at)
    assert loaded(sent) == at
    assert as_stored(at).removesuffix(" BC").endswith(("+00", "+00:00"))
    assert loaded(as_stored(at).replace("+00:00", "+00")) == at


@pytest.mark.parametrize("text", ["10000-01-02 00:00:00+00", "10000-01-01 23:59:30+00", "0002-01-01 00:00:00+00 BC",
                                  "0001-12-31 00:00:59+00 BC", "infinity"])  # fmt: skip
def test_what_no_datetime_can_be_is_an_error_of_postgres(text: str) -> None:
    """It is psycopg's own error, which whoever reads rows expects."""
    with pytest.raises(psycopg.DataError):
        loaded(text)


def test_every_connection_reads_so() -> None:
    """What a connection of ours is made with has it."""
    assert session("postgresql://localhost/x", "test")["context"] is EVERY_INSTANT
