"""Where an organisation's members are listed: checked, and written by whoever owns the tables.

Not by the role that runs are made with: whoever could change the address would be sent the token. For the same reason a
token goes to the origin that it was given for, and no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from edges.reconciliation.address import is_path, origin_of
from edges.reconciliation.errors import BadSource, StoreFailed
from edges.reconciliation.members import Field, Word
from edges.reconciliation.runs import Source
from process.postgres import session

FIELDS: Final[tuple[str, ...]] = get_args(Field)
WORDS: Final[tuple[str, ...]] = get_args(Word)

# Only a change makes the next run begin with the first member again.
_CONFIGURE: Final = """
INSERT INTO membership_sources (org_id, kind, url, fields, statuses, overlap) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (org_id) DO UPDATE
SET kind = excluded.kind, url = excluded.url, fields = excluded.fields, statuses = excluded.statuses,
    overlap = excluded.overlap,
    configured_at = CASE
        WHEN (membership_sources.kind, membership_sources.url, membership_sources.fields, membership_sources.statuses)
            = (excluded.kind, excluded.url, excluded.fields, excluded.statuses)
        THEN membership_sources.configured_at ELSE excluded.configured_at
    END
"""

_ASKED_SO_FAR: Final = """
SELECT url FROM membership_sources AS source
WHERE org_id = %s AND EXISTS (
    SELECT FROM organisation_secrets AS secret
    WHERE secret.org_id = source.org_id AND purpose = 'membership' AND (expires_at IS NULL OR expires_at > now())
)
"""

_SOURCES: Final = """
SELECT source.org_id::text, source.kind, source.url, run.started_at, run.finished_at, run.back_filled, run.error
FROM membership_sources AS source
LEFT JOIN LATERAL (
    SELECT * FROM reconciliation_runs
    WHERE reconciliation_runs.org_id = source.org_id AND reconciliation_runs.source <> 'file'
    ORDER BY started_at DESC LIMIT 1
) AS run ON true
ORDER BY source.org_id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceState:
    """A source and how its last run ended."""

    org_id: str
    kind: str
    url: str
    started_at: datetime | None
    """None: there was none."""
    finished_at: datetime | None
    back_filled: int | None
    error: str | None


def read_pairs(pairs: Iterable[str], *, option: str) -> dict[str, str]:
    """Return what `NAME=VALUE` options say; raise BadSource."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise BadSource(f"{option} {pair!r}: give NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def check_fields(fields: dict[str, str]) -> dict[str, str]:
    """Return names of fields as they are kept; raise BadSource."""
    for name in fields:
        if name not in FIELDS:
            raise BadSource(f"--field {name}: there is no such field; give one of {', '.join(FIELDS)}")
    return fields


def check_statuses(statuses: dict[str, str]) -> dict[str, str]:
    """Return words of a status as they are kept; raise BadSource."""
    for theirs, ours in statuses.items():
        if ours not in WORDS:
            raise BadSource(f"--status {theirs}={ours}: a status means one of {', '.join(WORDS)}")
    return {theirs.lower(): ours for theirs, ours in statuses.items()}


def check_url(source: Source) -> None:
    """Raise BadSource for an address that cannot be asked."""
    if is_path(source.url):
        if source.kind != "csv":
            raise BadSource(f"{source.url!r} is no web address; give https://host/path, or --kind csv for a file")
        if not Path(source.url).is_absolute():
            raise BadSource(f"{source.url!r} is not an absolute path; the daily run has another current directory")
        return
    origin_of(source.url)


def token_from(variable: str) -> str:
    """Return the token that an environment variable holds; raise BadSource."""
    token = os.environ.get(variable, "").strip()
    if not token:
        raise BadSource(f"--token-from-env {variable}: the variable is not set, or empty")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise BadSource(f"--token-from-env {variable}: what it holds cannot be a bearer token")
    return token


def configure_source(database_url: str, org_id: str, source: Source, *, with_new_token: bool) -> None:
    """Keep an organisation's source.

    Raises:
        BadSource: the token in use was given for another origin.
        StoreFailed: Postgres is away, its user does not own the tables, or there is no such organisation.

    """
    fields, statuses = Jsonb(source.fields), Jsonb(source.statuses)
    values = [UUID(org_id), source.kind, source.url, fields, statuses, source.overlap]
    with _as_owner(database_url) as connection:
        before = connection.execute(_ASKED_SO_FAR, [org_id]).fetchone()
        if before is not None and not with_new_token and not _is_same_origin(before[0], source.url):
            raise BadSource(
                "the token in use was given for another origin and is not sent to this one: give the new system's with "
                "--token-from-env, or begin with: referrals reconcile remove"
            )
        try:
            connection.execute(_CONFIGURE, values)
        except psycopg.errors.ForeignKeyViolation:
            raise StoreFailed(f"organisation {org_id} is not known; make it with: referrals orgs create NAME") from None


def remove_source(database_url: str, org_id: str) -> bool:
    """Forget an organisation's source and end its token; False: it had none. Raises StoreFailed."""
    with _as_owner(database_url) as connection:
        removed = connection.execute("DELETE FROM membership_sources WHERE org_id = %s", [org_id]).rowcount
        connection.execute(
            "UPDATE organisation_secrets SET expires_at = now() WHERE org_id = %s AND purpose = 'membership'", [org_id]
        )
        return removed > 0


def list_sources(database_url: str) -> list[SourceState]:
    """Return every organisation's source, with its last run. Raises StoreFailed."""
    with _as_owner(database_url) as connection, connection.cursor(row_factory=class_row(SourceState)) as cursor:
        return cursor.execute(_SOURCES).fetchall()


def _is_same_origin(before: str, now: str) -> bool:
    return not is_path(before) and not is_path(now) and origin_of(before) == origin_of(now)


@contextmanager
def _as_owner(database_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Give a connection for one transaction."""
    try:
        with (
            psycopg.connect(database_url, **session(database_url, "referrals reconcile configure")) as connection,
            connection.transaction(),
        ):
            yield connection
    except psycopg.errors.UndefinedTable as error:
        raise StoreFailed("the database is older than this program; run: referrals db migrate") from error
    except psycopg.Error as error:
        raise StoreFailed(error.diag.message_primary or str(error).strip()) from error
