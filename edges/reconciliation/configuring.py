"""Where an organisation's members are listed: checked, and written by whoever owns the tables.

Not by the role that runs are made with: whoever could change the address would be sent the token. For the same reason a
token goes to the origin that it was given for, and no other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from edges.reconciliation.address import is_path, origin_of
from edges.reconciliation.errors import BadSource, StoreFailed
from edges.reconciliation.runs import Source
from process.faults import said
from process.postgres import session

INTERVAL_MAX: Final = timedelta(days=365)

# Only a change makes the next run begin with the first member again.
_CONFIGURE: Final = """
INSERT INTO membership_sources (org_id, kind, url, fields, statuses, reading, client, delta, overlap, run_every)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (org_id) DO UPDATE
SET kind = excluded.kind, url = excluded.url, fields = excluded.fields, statuses = excluded.statuses,
    reading = excluded.reading, client = excluded.client, delta = excluded.delta, overlap = excluded.overlap,
    run_every = excluded.run_every,
    configured_at = CASE
        WHEN (membership_sources.kind, membership_sources.url, membership_sources.fields, membership_sources.statuses,
              membership_sources.reading, membership_sources.delta)
            = (excluded.kind, excluded.url, excluded.fields, excluded.statuses, excluded.reading, excluded.delta)
        THEN membership_sources.configured_at ELSE excluded.configured_at
    END
"""

_ASKED_SO_FAR: Final = """
SELECT url, client ->> 'token_url' FROM membership_sources AS source
WHERE org_id = %s AND EXISTS (
    SELECT FROM organisation_secrets AS secret
    WHERE secret.org_id = source.org_id AND purpose = 'membership' AND (expires_at IS NULL OR expires_at > now())
)
"""

_SOURCES: Final = """
SELECT source.org_id::text, source.kind, source.url, run.started_at, run.finished_at, run.back_filled, run.error,
    run.incomplete, run.unclear, run.bad_rows
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
    incomplete: str | None
    unclear: int | None
    bad_rows: int | None


def read_pairs(pairs: Iterable[str], *, option: str) -> dict[str, str]:
    """Return what `NAME=VALUE` options say; raise BadSource."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise BadSource(f"{option} {pair!r}: give NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def read_interval(text: str) -> timedelta:
    """Return the interval that `15m`, `6h` or `2d` says; raise BadSource."""
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text.strip().lower())
    minutes = int(found[1]) * {"m": 1, "h": 60, "d": 24 * 60}[found[2]] if found else 0
    if not 1 <= minutes <= INTERVAL_MAX // timedelta(minutes=1):
        raise BadSource(f"--every {text}: give minutes, hours or days, 15m, 6h or 2d; at least 1m, at most 365d")
    return timedelta(minutes=minutes)


def check_url(source: Source) -> None:
    """Raise BadSource for an address that cannot be asked."""
    if is_path(source.url):
        if source.kind != "csv":
            raise BadSource(f"{source.url!r} is no web address; give https://host/path, or --kind csv for a file")
        if not Path(source.url).is_absolute():
            raise BadSource(f"{source.url!r} is not an absolute path; the daily run has another current directory")
        return
    origin_of(source.url)
    if source.client is not None:
        source.client.check()


def secret_from(variable: str, *, option: str) -> str:
    """Return the secret that an environment variable holds; raise BadSource."""
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise BadSource(f"{option} {variable}: the variable is not set, or empty")
    return secret


def token_from(variable: str) -> str:
    """Return the token that an environment variable holds; raise BadSource."""
    token = secret_from(variable, option="--token-from-env")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise BadSource(f"--token-from-env {variable}: what it holds cannot be a bearer token")
    return token


def check_organisation(database_url: str, org_id: str) -> None:
    """Raise StoreFailed for an organisation that is not known."""
    with as_owner(database_url) as connection:
        if connection.execute("SELECT FROM organisations WHERE org_id = %s", [org_id]).fetchone() is None:
            raise StoreFailed(f"organisation {org_id} is not known; make it with: referrals orgs create NAME")


def configure_source(database_url: str, org_id: str, source: Source, *, with_new_token: bool) -> None:
    """Keep an organisation's source.

    Raises:
        BadSource: the secret in use was given for another origin.
        StoreFailed: Postgres is away, its user does not own the tables, or there is no such organisation.

    """
    source.reading.check()
    reading = {
        name: value
        for name, value in (
            ("marks", source.reading.marks),
            ("times", source.reading.times),
            ("zone", source.reading.zone),
            ("parameter", source.parameter),
        )
        if value
    }
    statuses = {theirs.lower(): ours for theirs, ours in source.reading.statuses.items()}
    client = None if source.client is None else msgspec.to_builtins(source.client)
    values = [
        UUID(org_id), source.kind, source.url, Jsonb(source.reading.fields), Jsonb(statuses), Jsonb(reading),
        None if client is None else Jsonb(client), source.is_delta, source.overlap, source.run_every,
    ]  # fmt: skip
    with as_owner(database_url) as connection:
        before = connection.execute(_ASKED_SO_FAR, [org_id]).fetchone()
        if before is not None and not with_new_token and not _goes_where_it_went(before[0], before[1], source):
            raise BadSource(
                "the secret in use was given for another origin and is not sent to this one: give the new one's with "
                "--token-from-env or --client-secret-from-env, or begin with: referrals reconcile remove"
            )
        try:
            connection.execute(_CONFIGURE, values)
        except psycopg.errors.ForeignKeyViolation:
            raise StoreFailed(f"organisation {org_id} is not known; make it with: referrals orgs create NAME") from None


def may_send_kept_secret(database_url: str, org_id: str, source: Source) -> bool:
    """Tell whether a secret is kept, and would go to the origins that it was given for. Raises StoreFailed."""
    with as_owner(database_url) as connection:
        before = connection.execute(_ASKED_SO_FAR, [org_id]).fetchone()
    return before is not None and _goes_where_it_went(before[0], before[1], source)


def remove_source(database_url: str, org_id: str) -> bool:
    """Forget an organisation's source and end its token; False: it had none. Raises StoreFailed."""
    with as_owner(database_url) as connection:
        removed = connection.execute("DELETE FROM membership_sources WHERE org_id = %s", [org_id]).rowcount
        connection.execute(
            "UPDATE organisation_secrets SET expires_at = now() WHERE org_id = %s AND purpose = 'membership'", [org_id]
        )
        return removed > 0


def list_sources(database_url: str) -> list[SourceState]:
    """Return every organisation's source, with its last run. Raises StoreFailed."""
    with as_owner(database_url) as connection, connection.cursor(row_factory=class_row(SourceState)) as cursor:
        return cursor.execute(_SOURCES).fetchall()


def _goes_where_it_went(url: str, token_url: str | None, source: Source) -> bool:
    """Tell whether the secret goes to the same origins as before: the members', and who grants tokens."""
    if not _is_same_origin(url, source.url) or (token_url is None) != (source.client is None):
        return False
    return source.client is None or token_url is None or _is_same_origin(token_url, source.client.token_url)


def _is_same_origin(before: str, now: str) -> bool:
    return not is_path(before) and not is_path(now) and origin_of(before) == origin_of(now)


@contextmanager
def as_owner(database_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
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
        raise StoreFailed(said(error)) from error
