"""Organisations: made with their secrets, changed, listed. For commands, as who owns the tables."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from edges.registry.database import rows_of
from edges.registry.errors import BadOrganisation, OrganisationExists, unknown_organisation
from edges.registry.secrets import NewSecret, SecretStore
from process.addresses import web_address

if TYPE_CHECKING:
    from edges.registry.database import Connection, OwnerDatabase

NAME_LENGTH_MAX: Final = 200
URL_LENGTH_MAX: Final = 2_000
"""Both are also what the table takes."""

_UPSERT: Final = """
INSERT INTO organisations (org_id, name, landing_url, time_zone)
VALUES (%(org_id)s, %(name)s, %(landing_url)s, coalesce(%(time_zone)s, 'UTC'))
ON CONFLICT (org_id) DO UPDATE
SET
    name = excluded.name,
    landing_url = coalesce(excluded.landing_url, organisations.landing_url),
    time_zone = coalesce(%(time_zone)s, organisations.time_zone)
"""

_HAS_SECRETS: Final = "SELECT 1 FROM organisation_secrets WHERE org_id = %s LIMIT 1"

_SET: Final = """
UPDATE organisations
SET
    name = coalesce(%(name)s, name),
    landing_url = CASE WHEN %(sets_landing_url)s THEN %(landing_url)s ELSE landing_url END,
    time_zone = coalesce(%(time_zone)s, time_zone)
WHERE org_id = %(org_id)s
RETURNING name, landing_url, time_zone
"""

_ZONES: Final = "SELECT name FROM pg_timezone_names WHERE name !~ '^(posix|right)/' ORDER BY name"

_LIST: Final = """
SELECT
    org_id::text,
    name,
    landing_url,
    time_zone,
    (SELECT count(*) FROM referral_codes WHERE referral_codes.org_id = organisations.org_id),
    ARRAY(
        SELECT purpose FROM organisation_secrets AS secret
        WHERE secret.org_id = organisations.org_id AND secret.expires_at IS NULL
        ORDER BY purpose
    )
FROM organisations
ORDER BY name NULLS LAST, org_id
"""


class Organisation(NamedTuple):
    """An organisation as `orgs list` shows it."""

    org_id: UUID
    name: str | None
    landing_url: str | None
    time_zone: str
    """In whose days its figures are shown."""
    codes: int
    """Mentors with a code."""
    secrets: list[str]
    """Purposes of the secrets in use."""


class SetOrganisation(NamedTuple):
    """What can be changed of an organisation, as it is then."""

    name: str | None
    landing_url: str | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """An organisation that has just been made."""

    org_id: UUID
    webhook: NewSecret


async def create_organisation(
    database: OwnerDatabase,
    secrets: SecretStore,
    *,
    name: str,
    landing_url: str | None,
    time_zone: str | None = None,
    org_id: UUID | None = None,
) -> NewOrganisation:
    """Make an organisation with a secret for codes, one for webhooks and a key for credentials, all in one transaction.

    One that the codes topic has named already, and that therefore has no secrets, is taken over.

    Raises:
        OrganisationExists: it was made before.
        BadOrganisation: the name, the address or the time zone cannot be one.

    """
    org_id = org_id or uuid4()
    values = {"org_id": org_id, "name": _checked_name(name), "landing_url": landing_url and _checked_url(landing_url)}
    async with database.acting_for(str(org_id)) as connection:
        values["time_zone"] = await _checked_time_zone(connection, time_zone)
        await connection.execute(_UPSERT, values)
        if await rows_of(connection, _HAS_SECRETS, [org_id]):
            raise OrganisationExists(
                f"organisation {org_id} exists already; change it with: referrals orgs set {org_id} --name ..., "
                f"and make new secrets with: referrals orgs rotate-secret {org_id}"
            )
        await secrets.add(connection, org_id, "code")
        await secrets.add(connection, org_id, "credential")
        return NewOrganisation(org_id, await secrets.add(connection, org_id, "webhook"))


async def set_organisation(
    database: OwnerDatabase,
    org_id: UUID,
    *,
    name: str | None = None,
    landing_url: str | None = None,
    time_zone: str | None = None,
) -> SetOrganisation:
    """Change what is not None, an empty landing page to none at all; return what there is then.

    With another time zone the days of its history are made anew, which takes seconds in a large organisation.

    Raises:
        UnknownOrganisation, BadOrganisation: nothing was changed.

    """
    values: dict[str, Any] = {
        "org_id": org_id,
        "name": None if name is None else _checked_name(name),
        "sets_landing_url": landing_url is not None,
        "landing_url": _checked_url(landing_url) if landing_url else None,
    }
    async with database.acting_for(str(org_id)) as connection:
        values["time_zone"] = await _checked_time_zone(connection, time_zone)
        rows = await rows_of(connection, _SET, values)
    if not rows:
        raise unknown_organisation(org_id)
    return SetOrganisation(*rows[0])


async def list_organisations(database: OwnerDatabase) -> list[Organisation]:
    """Return every organisation, by name."""
    async with database.for_all() as connection:
        rows = await rows_of(connection, _LIST)
    return [Organisation(UUID(org_id), *rest) for org_id, *rest in rows]


async def _checked_time_zone(connection: Connection, name: str | None) -> str | None:
    """Return a time zone's name as Postgres knows it, whatever the case it is written in."""
    if name is None:
        return None
    known: dict[str, str] = {found.lower(): found for (found,) in await rows_of(connection, _ZONES)}
    if name.strip().lower() not in known:
        last_part = {found.rpartition("/")[2]: found for found in known}
        near = get_close_matches(name.strip().lower(), known, 3) or [
            last_part[part] for part in get_close_matches(name.strip().lower(), last_part, 3)
        ]
        instead = " or ".join(known[each] for each in near) or "Europe/Oslo"
        raise BadOrganisation(f"{name[:50]!r} is no time zone that Postgres knows; give one like {instead}")
    return known[name.strip().lower()]


def _checked_name(name: str) -> str:
    name = name.strip()
    if not (name and len(name) <= NAME_LENGTH_MAX and name.isprintable()):
        raise BadOrganisation(f"a name has 1 to {NAME_LENGTH_MAX} characters, all of them printable")
    return name


def _checked_url(url: str) -> str:
    """Return a landing page's address if people can be sent there: only http and https, never javascript:."""
    try:
        web_address(url)
        is_good = urlsplit(url).username is None
    except ValueError:
        is_good = False
    if not (is_good and len(url) <= URL_LENGTH_MAX and url.isprintable() and " " not in url):
        raise BadOrganisation(f"{url[:100]!r} is no landing page's address; give one like https://example.org/join")
    return url
