"""The counts of every mentor, as Postgres has them: a row for each, organisation by organisation."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

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


def _told(row: dict[str, Any]) -> Row:
    """Return a row with its time as the events have it; without what there is none of, as in the topic."""
    at = row["last_event_at"]
    if at is not None:
        row["last_event_at"] = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    optional = ("last_event_at", "display_name", "group")
    return {name: value for name, value in row.items() if value is not None or name not in optional}
