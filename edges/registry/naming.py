"""Keeps what an organisation calls its mentors: in Postgres, for that organisation alone, in no topic and no log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString

from edges.registry.database import rows_of
from models.names import name_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from edges.registry.database import Organisations

_NAME: Final[LiteralString] = """
WITH given AS (
    SELECT * FROM unnest(%(mentor_ids)s::uuid[], %(names)s::text[], %(groups)s::text[])
        AS given (mentor_id, display_name, group_name)
),
erased AS (
    DELETE FROM mentor_names
    USING given
    WHERE mentor_names.org_id = %(org_id)s AND mentor_names.mentor_id = given.mentor_id AND given.display_name = ''
    RETURNING mentor_names.mentor_id
),
not_told AS (
    DELETE FROM mail_subscriptions
    USING given
    WHERE mail_subscriptions.org_id = %(org_id)s AND subject = given.mentor_id::text AND topic = 'badges'
    AND given.display_name = ''
),
named AS (
    INSERT INTO mentor_names AS known (org_id, mentor_id, display_name, group_name)
    SELECT %(org_id)s, mentor_id, display_name, nullif(group_name, '')
    FROM given
    WHERE display_name <> ''
    ORDER BY mentor_id
    ON CONFLICT (org_id, mentor_id) DO UPDATE
    SET
        display_name = excluded.display_name,
        group_name = CASE WHEN %(with_groups)s THEN excluded.group_name ELSE known.group_name END
    WHERE
        known.display_name <> excluded.display_name
        OR (%(with_groups)s AND known.group_name IS DISTINCT FROM excluded.group_name)
    RETURNING mentor_id
)
SELECT mentor_id::text FROM erased UNION ALL SELECT mentor_id::text FROM named
"""
_FORGET_KEYS: Final[LiteralString] = """
DELETE FROM mentor_name_keys WHERE org_id = %s AND mentor_id = ANY(%s::uuid[])
"""
_KEEP_KEYS: Final[LiteralString] = """
INSERT INTO mentor_name_keys (org_id, mentor_id, name_key)
SELECT %s, * FROM unnest(%s::uuid[], %s::text[])
"""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a mentor is called."""

    name: str
    """Empty: his name is erased, and with it his group and his mail address."""
    group: str | None = None
    """None: nothing was said of it, and what is kept stays; empty: he has none."""


async def name_mentors(organisations: Organisations, org_id: UUID, names: Mapping[UUID, Naming]) -> set[UUID]:
    """Keep the names of mentors who are known, in one transaction, and return whose name or group changed by it."""
    values = {
        "org_id": org_id,
        "mentor_ids": list(names),
        "names": [naming.name for naming in names.values()],
        "groups": [naming.group for naming in names.values()],
        "with_groups": any(naming.group is not None for naming in names.values()),
    }
    by_text = {str(mentor_id): mentor_id for mentor_id in names}
    async with organisations.acting_for(str(org_id)) as connection:
        changed = {by_text[mentor_id] for (mentor_id,) in await rows_of(connection, _NAME, values)}
        if changed:
            keys = [(mentor_id, key) for mentor_id in changed for key in name_keys(names[mentor_id].name)]
            await connection.execute(_FORGET_KEYS, [org_id, list(changed)])
            await connection.execute(_KEEP_KEYS, [org_id, [each for each, _ in keys], [key for _, key in keys]])
    return changed
