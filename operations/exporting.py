"""Counts of every mentor, and what happened on which day, as Postgres has them: organisation by organisation."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from models.periods import read_period

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import LiteralString

    from operations.tables import Row, Tables

FIELDS: Final = (
    "org_id",
    "mentor_id",
    "referral_code",
    "total_clicks",
    "pending_attributions",
    "confirmed_attributions",
    "conversion_rate",
    "by_channel",
    "milestones",
    "last_event_at",
    "display_name",
    "group",
)
"""As the counts topic and its table have them, and what the organisation calls the mentor: no member's id."""

_ORGANISATIONS: Final = "SELECT DISTINCT org_id::text FROM organisation_counts ORDER BY org_id"
_COUNTS: Final[LiteralString] = """
    SELECT
        org_id::text, mentor_id::text, referral_code, total_clicks, pending_attributions, confirmed_attributions,
        conversion_rate, by_channel, milestones,
        CASE WHEN last_event_at IS NOT NULL THEN greatest(least(last_event_at, '9999-12-30Z'), '0001-01-02Z') END
            AS last_event_at,
        display_name, group_name AS "group"
    FROM mentor_counts
    LEFT JOIN mentor_names USING (org_id, mentor_id)
    WHERE org_id = %(org_id)s
    ORDER BY mentor_id
"""
PAGE: Final = 2_000

HISTORY_FIELDS: Final = ("org_id", "day", "channel", "clicks", "registered", "confirmed", "withdrawn")

_EVERY_ORGANISATION: Final = "SELECT org_id::text FROM organisations ORDER BY org_id"
_TODAY: Final = "SELECT (now() AT TIME ZONE time_zone_of(%(org_id)s))::date AS today"
_HISTORY: Final[LiteralString] = """
    SELECT org_id::text, day, channel, clicks, registered, confirmed, withdrawn
    FROM organisation_history
    WHERE
        org_id = %(org_id)s
        AND channel <> ''
        AND day BETWEEN %(first)s AND %(last)s
        AND (clicks <> 0 OR registered <> 0 OR confirmed <> 0 OR withdrawn <> 0)
    ORDER BY day, channel
"""


class Asked(NamedTuple):
    """A period as it is asked for; see `models.periods.read_period`."""

    days: int | None = None
    quarter: str | None = None
    first: str | None = None
    last: str | None = None


def counts(tables: Tables, org_id: str | None = None) -> Iterator[Row]:
    """Yield every mentor's counts by organisation and mentor, or one organisation's, which is read in one snapshot."""
    for row in tables.of_all(_ORGANISATIONS, {}):
        if org_id not in {None, row["org_id"]}:
            continue
        with (
            tables.acting_for(row["org_id"]) as connection,
            connection.cursor("export") as cursor,
        ):
            cursor.itersize = PAGE
            cursor.execute(_COUNTS, {"org_id": row["org_id"]})
            for found in cursor:
                yield _told(found)


def history(tables: Tables, asked: Asked, org_id: str | None = None) -> Iterator[Row]:
    """Yield what happened, a row for each day and channel on which anything did, in each organisation's own days.

    Raises BadPeriod where the period is none.
    """
    for row in tables.of_all(_EVERY_ORGANISATION, {}):
        if org_id not in {None, row["org_id"]}:
            continue
        with tables.acting_for(row["org_id"]) as connection:
            today = connection.execute(_TODAY, row).fetchone()
            assert today is not None  # noqa: S101  it is one row
            period = read_period(today["today"], **asked._asdict())
            for found in connection.execute(_HISTORY, row | period._asdict()):
                yield found | {"day": found["day"].isoformat()}


def _told(row: dict[str, Any]) -> Row:
    """Return a row with its time as the events have it; without what there is none of, as in the topic."""
    at = row["last_event_at"]
    if at is not None:
        row["last_event_at"] = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    optional = ("last_event_at", "display_name", "group")
    return {name: value for name, value in row.items() if value is not None or name not in optional}
