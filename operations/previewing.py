"""What other thresholds would award, organisation by organisation, as Postgres knows their mentors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from models.badges import BadgeDefinition
from models.other_thresholds import Mentor, Preview, preview

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from operations.tables import Tables

_ORGANISATIONS: Final = "SELECT org_id::text, name FROM organisations ORDER BY org_id"
_ANNOUNCED: Final = "SELECT threshold FROM milestone_thresholds ORDER BY threshold"
_DEFINITIONS: Final = """
    SELECT badge_id::text, org_id::text, type, threshold, name, picture, off_since IS NOT NULL AS is_off
    FROM badge_definitions
    WHERE org_id IS NULL OR org_id = %(org_id)s ORDER BY threshold, badge_id
"""
_MENTORS: Final = """
    SELECT
        counts.mentor_id::text AS mentor_id,
        counts.confirmed_attributions AS confirmed,
        counts.milestones,
        coalesce((
            SELECT max(recorded.confirmed_count) FROM milestones AS recorded
            WHERE recorded.org_id = counts.org_id AND recorded.mentor_id = counts.mentor_id
                AND recorded.state <> 'awaiting_mentor'
        ), 0) AS decided,
        ARRAY(
            SELECT awards.badge_id::text FROM badge_awards AS awards
            WHERE awards.org_id = counts.org_id AND awards.mentor_id = counts.mentor_id
        ) AS held
    FROM mentor_counts AS counts
    WHERE counts.org_id = %(org_id)s AND counts.confirmed_attributions > 0
    ORDER BY counts.confirmed_attributions DESC, counts.mentor_id
"""


class Previewed(NamedTuple):
    """What would come in one organisation."""

    org_id: str
    name: str | None
    now: list[int]
    """The thresholds that there are, as `referrals badges` knew them last."""
    preview: Preview


def preview_thresholds(tables: Tables, then: Sequence[int], org_id: str | None = None) -> Iterator[Previewed]:
    """Yield what thresholds would bring in each organisation, or in one; each is read as it sees itself."""
    for row in tables.of_all(_ORGANISATIONS, {}):
        if org_id not in {None, row["org_id"]}:
            continue
        with tables.acting_for(row["org_id"]) as connection:
            values = {"org_id": row["org_id"]}
            now = [each["threshold"] for each in connection.execute(_ANNOUNCED)]
            definitions = [BadgeDefinition(**each) for each in connection.execute(_DEFINITIONS, values)]
            mentors = [Mentor(**each) for each in connection.execute(_MENTORS, values)]
        yield Previewed(row["org_id"], row["name"], now, preview(now, then, definitions, mentors))
