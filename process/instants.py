"""Instants into Postgres and out of it: also those that have a form at some offset and none in UTC.

`9999-12-31T23:59:59-14:00` is such an instant. A record of a topic may say it, and what stands in a topic counts as it
is (rule 8). Python has no form for it in UTC; Postgres has, but none at offsets beyond 15:59. Without this module
whoever wrote it was refused, and whoever read it failed, as long as the row stood.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import adapters, postgres
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format
from psycopg.types.datetime import TimestamptzLoader

if TYPE_CHECKING:
    from psycopg.abc import AdaptContext, Buffer

_TIMESTAMPTZ: Final = postgres.types["timestamptz"].oid
_AROUND: Final = re.compile(rb"(?:10000-01-01|0001-12-31) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00( BC)?")
_MISSING: Final = timedelta(minutes=1)
"""How much less than a day the largest offset of a datetime is."""
_EAST: Final = timezone(timedelta(days=1) - _MISSING)
_WEST: Final = timezone(_MISSING - timedelta(days=1))


def as_stored(instant: datetime) -> str:
    """Return the instant as text that Postgres takes, in UTC: of offsets it knows those up to 15:59."""
    try:
        return str(instant if instant.tzinfo is UTC else instant.astimezone(UTC))
    except OverflowError:
        shown, offset = instant.replace(tzinfo=None), instant.utcoffset() or timedelta()
    if shown.year == 1:
        return f"0001-12-31 {shown + timedelta(days=1) - offset:%H:%M:%S.%f}+00 BC"
    return f"10000-01-01 {shown - timedelta(days=1) - offset:%H:%M:%S.%f}+00"


class InstantLoader(Loader):
    """Reads a timestamptz as psycopg does, and also what psycopg refuses for having no form in UTC."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        """Have psycopg's own loader, the fast one where there is one, for all others."""
        super().__init__(oid, context)
        self._usual = (adapters.get_loader(_TIMESTAMPTZ, Format.TEXT) or TimestamptzLoader)(oid, context)

    def load(self, data: Buffer) -> datetime:
        """Return the instant; raise DataError for what no datetime can be."""
        try:
            instant: datetime = self._usual.load(data)
        except psycopg.DataError:
            found = _AROUND.fullmatch(bytes(data))
            if found is None:
                raise
            hour, minute, second, fraction, before = found.groups()
            micros = int((fraction or b"").ljust(6, b"0"))
            # The day beside it, which has a form, and there as far towards UTC's as an offset leads.
            day = datetime(1, 1, 1, tzinfo=_EAST) if before else datetime(9999, 12, 31, tzinfo=_WEST)
            beside = day.replace(hour=int(hour), minute=int(minute), second=int(second), microsecond=micros)
            try:
                return beside - _MISSING if before else beside + _MISSING
            except OverflowError:
                raise psycopg.DataError("the instant has no form at any offset") from None
        return instant


EVERY_INSTANT: Final = AdaptersMap(adapters)
"""How values are read on every connection of ours."""
EVERY_INSTANT.register_loader(_TIMESTAMPTZ, InstantLoader)
