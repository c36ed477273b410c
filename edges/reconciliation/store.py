"""Sources, runs and the lock, in Postgres: one connection, with a role of its own, for one organisation at a time.

The lock on an organisation is the session's: it ends with the connection, however the process ends. What a run has done
is saved by the same connection, so a run that has lost the lock cannot save either, and ends. Through a pooler there is
no session; there the lock is a transaction's, on a second connection that stays open in it, and a run that saves looks
whether that one is still there.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from edges.reconciliation.errors import StoreFailed
from edges.reconciliation.mapping import Reading
from edges.reconciliation.oauth import Client
from edges.reconciliation.reasons import Fault, RowLeft, Why
from edges.reconciliation.runs import COUNTS, FILE, Counts, Run, Source
from process.faults import said
from process.postgres import is_pooled, session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ROLE: Final = "referrals_reconciliation"

_SPACE: Final = 8242
"""This project's advisory locks."""

ENDED: Final = Fault("ended")

_CLOSE_UNFINISHED: Final = """
UPDATE reconciliation_runs SET finished_at = clock_timestamp(), error = coalesce(error, %s),
    fault = CASE WHEN error IS NULL THEN %s ELSE fault END
WHERE org_id = %s AND run_id <> %s AND finished_at IS NULL
"""

_BEGIN: Final = """
INSERT INTO reconciliation_runs (org_id, run_id, source, since, until) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (org_id, run_id) DO UPDATE
SET error = NULL, incomplete = NULL, fault = NULL, ask_again_at = NULL, begun_at = clock_timestamp()
"""

_UNFINISHED: Final = f"""
SELECT run_id, source, since, until, cursor, rows_left, reasons_left, ask_again_at, {", ".join(COUNTS)}
FROM reconciliation_runs
WHERE org_id = %s AND finished_at IS NULL AND (cursor IS NOT NULL OR ask_again_at IS NOT NULL) AND source <> '{FILE}'
AND started_at >= %s ORDER BY started_at DESC LIMIT 1
"""  # noqa: S608 - our own names

_COVERED: Final = """
SELECT max(until) FROM reconciliation_runs
WHERE org_id = %s AND finished_at IS NOT NULL AND error IS NULL AND incomplete IS NULL AND started_at >= %s
"""

_DELTA: Final = """
SELECT delta_url FROM reconciliation_runs
WHERE org_id = %s AND finished_at IS NOT NULL AND error IS NULL AND incomplete IS NULL AND until IS NOT NULL
    AND started_at >= %s
ORDER BY until DESC LIMIT 1
"""
"""Of the last run that saw everything: a later one that did not has read changes that are still to be read."""

_SAVE: Final = f"""
UPDATE reconciliation_runs
SET cursor = %s, finished_at = CASE WHEN %s THEN clock_timestamp() END, error = %s, incomplete = %s, fault = %s,
    rows_left = %s, reasons_left = %s, delta_url = %s, ask_again_at = %s,
    {", ".join(f"{name} = %s" for name in COUNTS)}
WHERE org_id = %s AND run_id = %s
"""  # noqa: S608 - our own names

_LOCK_SESSION: Final = "SELECT pg_try_advisory_lock(hashtextextended('reconciliation ' || %s, %s))"
_LOCK_TRANSACTION: Final = _LOCK_SESSION.replace("advisory_lock", "advisory_xact_lock")

Connection = psycopg.Connection[tuple[Any, ...]]


class RunStore:
    """The tables of reconciliation; a context manager."""

    def __init__(self, database_url: str) -> None:
        """Connect.

        Raises:
            StoreFailed: Postgres is away, or its user may not take the role on.

        """
        with _explained():
            self._connection = psycopg.connect(
                database_url, row_factory=tuple_row, **session(database_url, "referrals reconcile")
            )
        self._database_url = database_url
        self._holder: Connection | None = None
        """Of the locks, where there is a pooler between."""
        try:
            with self._transaction():
                self._is_pooled = is_pooled(self._connection)
        except psycopg.Error as error:
            self._connection.close()
            raise StoreFailed(
                f"the role {ROLE} cannot be taken on ({error.diag.message_primary}): run `referrals db migrate`, and "
                f"GRANT {ROLE} to the user of REFERRALS_DATABASE_URL"
            ) from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the connections; every lock ends."""
        self._connection.close()
        if self._holder is not None:
            self._holder.close()

    def organisations(self) -> list[str]:
        """Return the organisations that have a source."""
        with _explained(), self._transaction() as connection:
            rows = connection.execute("SELECT organisations_to_reconcile()").fetchall()
        return [str(org_id) for (org_id,) in rows]

    def due(self, *, by_own_interval: bool) -> list[str]:
        """Return the organisations whose time has come, or those whose time the leader's crontab says.

        The former have an interval of their own, or a source that has asked for peace until now.
        """
        with _explained(), self._transaction() as connection:
            rows = connection.execute(
                "SELECT org_id FROM reconciliation_schedule() "
                "WHERE CASE WHEN %s THEN due_at <= clock_timestamp() ELSE run_every IS NULL END",
                [by_own_interval],
            ).fetchall()
        return [str(org_id) for (org_id,) in rows]

    def source(self, org_id: str) -> Source | None:
        """Return an organisation's source; None: it has none."""
        with self._acting_for(org_id) as connection:
            row = connection.execute(
                "SELECT kind, url, fields, statuses, reading, client, delta, overlap, configured_at "
                "FROM membership_sources WHERE org_id = %s",
                [org_id],
            ).fetchone()
        if row is None:
            return None
        kind, url, fields, statuses, reading, client, is_delta, overlap, configured_at = row
        return Source(
            kind=kind,
            url=url,
            reading=Reading(
                fields=fields,
                statuses=statuses,
                marks=reading.get("marks", {}),
                times=reading.get("times", ""),
                zone=reading.get("zone", ""),
            ),
            parameter=reading.get("parameter", ""),
            client=None if client is None else msgspec.convert(client, Client),
            is_delta=is_delta,
            overlap=overlap,
            configured_at=configured_at,
        )

    def has_token(self, org_id: str) -> bool:
        """Tell whether there is a token for the organisation's membership system."""
        with self._acting_for(org_id) as connection:
            found = connection.execute(
                "SELECT FROM organisation_secrets WHERE org_id = %s AND purpose = 'membership' "
                "AND (expires_at IS NULL OR expires_at > now())",
                [org_id],
            )
            return found.fetchone() is not None

    def issued(self, org_id: str, codes: Collection[str]) -> set[str]:
        """Return which of the codes were issued in the organisation."""
        with self._acting_for(org_id) as connection:
            rows = connection.execute(
                "SELECT referral_code FROM referral_codes WHERE org_id = %s AND referral_code = ANY(%s)",
                [org_id, list(codes)],
            ).fetchall()
        return {code for (code,) in rows}

    def lock(self, org_id: str) -> bool:
        """Keep other processes from reconciling the organisation until the end; False: another one is at it."""
        with _explained():
            if not self._is_pooled:
                row = self._connection.execute(_LOCK_SESSION, [org_id, _SPACE]).fetchone()
            else:
                if self._holder is None:
                    self._holder = psycopg.connect(
                        self._database_url, **session(self._database_url, "referrals reconcile lock")
                    )
                    self._holder.execute("BEGIN")
                    # Nothing is written in it and no snapshot kept, so it stands in nobody's way, however long.
                    self._holder.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                row = self._holder.execute(_LOCK_TRANSACTION, [org_id, _SPACE]).fetchone()
        return row is not None and bool(row[0])

    def plan(self, org_id: str, source: Source, since: datetime | None, *, resume: bool) -> Run:
        """Return the run that is due: one that did not come to its end, if `resume`, else the one after the last.

        With `since` it is one from then on. Where that is later than what is covered so far, it covers no time:
        the next one must not begin after the gap.
        """
        if source.configured_at is None:
            return Run(org_id=org_id, source=source.kind, since=since, until=None)
        with self._acting_for(org_id) as connection:
            at = [org_id, source.configured_at]
            resumable = connection.execute(_UNFINISHED, at).fetchone() if resume and since is None else None
            ((covered,),) = connection.execute(_COVERED, at).fetchall()
            delta = connection.execute(_DELTA, at).fetchone() if source.is_delta and since is None else None
            ((now,),) = connection.execute("SELECT clock_timestamp()").fetchall()
        if resumable is not None:
            run_id, kind, begun_since, until, cursor, rows_left, reasons, ask_again_at, *counts = resumable
            return Run(
                org_id=org_id,
                source=kind,
                since=begun_since,
                until=until,
                cursor=cursor,
                rows_left=_rows_left(rows_left, reasons),
                ask_again_at=ask_again_at,
                is_resumed=True,
                run_id=run_id,
                counts=Counts(**dict(zip(COUNTS, counts, strict=True))),
            )
        due = None if covered is None else covered - source.overlap
        leaves_gap = since is not None and due is not None and since > due
        delta_url = None if delta is None else delta[0]
        return Run(
            org_id=org_id,
            source=source.kind,
            since=due if since is None else since,
            until=None if leaves_gap else now,
            cursor=delta_url,
            begins_at_delta=delta_url is not None,
        )

    def begin(self, run: Run) -> None:
        """Note that the run begins or goes on, and that others which did not come to their end never will."""
        with self._acting_for(run.org_id) as connection:
            if run.source != FILE:
                connection.execute(_CLOSE_UNFINISHED, [str(ENDED), Jsonb(ENDED), run.org_id, run.run_id])
            connection.execute(_BEGIN, [run.org_id, run.run_id, run.source, run.since, run.until])

    def save(self, run: Run, *, is_finished: bool = False) -> None:
        """Keep how far the run is, and what it found."""
        counts = [getattr(run.counts, name) for name in COUNTS]
        with self._acting_for(run.org_id) as connection:
            if self._holder is not None:
                self._holder.execute("SELECT 1")  # raises where it is gone, and the lock with it
            connection.execute(_SAVE, [
                run.cursor, is_finished, run.error and str(run.error), run.incomplete and str(run.incomplete),
                None if run.fault is None else Jsonb(run.fault), Jsonb([each[:2] for each in run.rows_left]),
                Jsonb([each.why for each in run.rows_left]), run.delta_url,
                run.ask_again_at, *counts, run.org_id, run.run_id])  # fmt: skip

    @contextmanager
    def _acting_for(self, org_id: str) -> Iterator[Connection]:
        """Give a transaction that sees one organisation."""
        with _explained(), self._transaction() as connection:
            connection.execute("SELECT set_config('referrals.org_id', %s, true)", [org_id])
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Give a transaction of the role's."""
        with self._connection.transaction():
            self._connection.execute("SELECT set_config('role', %s, true)", [ROLE])
            yield self._connection


def _rows_left(rows: list[list[str]], reasons: list[list[Any] | None]) -> list[RowLeft]:
    """Return the rows that a run has left; those that a version before migration 0044 noted have no code."""
    found = zip_longest(rows, reasons[: len(rows)])
    return [RowLeft(place, reason, None if why is None else Why(*why)) for (place, reason), why in found]


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what Postgres says into what to do about it."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise StoreFailed(
            f"{error.diag.message_primary}: the database is older than this program; run: referrals db migrate"
        ) from error
    except psycopg.Error as error:
        raise StoreFailed(said(error)) from error
