"""The sinks' connection to Postgres, and the one place where its errors get the meaning that the sinks act on.

One connection for each sink, because a sink is one thread. It connects when first needed and again after each
failure. A COMMIT whose answer was lost counts as failed: the batch is done again, which changes nothing if it had
been committed.

Nothing waits without end, so that SIGTERM is heard: neither for locks nor for statements. Whoever keeps us waiting is
named: after a lock was not got, a second connection asks during the next attempt whose transaction it is.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
import structlog

from process.faults import said
from process.postgres import MAY_DO_MORE, is_pooled, session
from sinks.errors import StoreUnavailable
from sinks.schema import beyond, missing_from
from sinks.watchdog import SIGNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUERIES: Final = Path(__file__).parent / "queries.sql"
_HEADING: Final = re.compile(r"^-- name: (\w+) --$", re.MULTILINE)

SILENCE_S: Final = 10.0
"""The server gives up a process of ours that stands still in a transaction for so long: others wait for its rows."""

LOCK_TIMEOUT_S: Final = 3.0
"""How late SIGTERM is heard while somebody else has locked what we need."""

STATEMENT_TIMEOUT_S: Final = 60.0
"""No batch takes so long; a server whose disk stands still does."""

LOGINS_REMEDY: Final = "give each component a login of its own: `referrals db roles apply`; docs/postgres.md"

Connection = psycopg.Connection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]


log = structlog.get_logger("sinks")


class Database:
    """A connection that mends itself."""

    def __init__(self, url: str, *, application_name: str, listen_to: str | None = None) -> None:
        """Make it without connecting.

        Args:
            url: the database's address.
            application_name: how Postgres shows the connection.
            listen_to: channel whose notifications `has_news` tells of.

        """
        self._url = url
        self._application_name = application_name
        self._channel = listen_to
        self._connection: Connection | None = None
        self._may_have_missed_news = True
        self._was_blocked = False
        self._blocked_by: str | None = None
        self._is_login_known = False
        self._is_pooled = False

    @contextmanager
    def transaction(self, *, undo: bool = False) -> Iterator[Connection]:
        """Run the body in one transaction, committed at its end, or undone.

        Raises:
            StoreUnavailable: anything but a fault of the data; the transaction was not committed, or nobody knows.
            psycopg.DataError, psycopg.IntegrityError: the data are at fault, or the tables are others than we know;
                the transaction was rolled back.

        """
        with self._translated():
            connection = self._connected()
            with connection.transaction(force_rollback=undo), self._watched(connection):
                yield connection
            self._was_blocked = False

    def has_news(self) -> bool:
        """Tell whether there were notifications, or may have been while there was no connection, since asked last.

        Raises:
            StoreUnavailable: the connection is gone.

        """
        with self._translated():
            connection = self._connected()
            news = [*connection.notifies(timeout=0)] if self._channel and not self._is_pooled else []
            missed, self._may_have_missed_news = self._may_have_missed_news, False
            return bool(news) or missed

    def check_schema(self) -> str | None:
        """See that the tables are as new as this program; say what they have beyond it, None where nothing.

        Raises:
            StoreUnavailable: they are older, or cannot be asked.

        """
        with self.transaction() as connection:
            applied = {name for (name,) in query(connection, "applied_migrations")}
        lacks = missing_from(applied)
        if lacks is not None:
            raise StoreUnavailable(lacks)
        return beyond(applied)

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                # Nothing is prepared, so a statement is planned for its batch and the tables as they are. A plan kept
                # from when they were small reads all mentors for each waiting milestone: 12 s instead of 0.1 s.
                **session(
                    self._url,
                    self._application_name,
                    lock_timeout_s=LOCK_TIMEOUT_S,
                    statement_timeout_s=STATEMENT_TIMEOUT_S,
                    idle_timeout_s=SILENCE_S,
                ),
            )
            self._may_have_missed_news = True
            self._complain_of_login(self._connection)
            self._is_pooled = is_pooled(self._connection)
            if self._channel and not self._is_pooled:  # through a pooler nobody hears, and somebody else would
                self._connection.execute(f"LISTEN {self._channel}".encode())
        return self._connection

    def _complain_of_login(self, connection: Connection) -> None:
        """Say, once, that this login is not kept to its work."""
        if not self._is_login_known:
            self._is_login_known = True
            ((may_do_more,),) = connection.execute(MAY_DO_MORE).fetchall()
            if may_do_more:
                log.warning("database_login_may_do_more", remedy=LOGINS_REMEDY, of=self._application_name)

    @contextmanager
    def _watched(self, connection: Connection) -> Iterator[None]:
        """After a lock was not got: find out, while we wait for it again, who has it."""
        if not self._was_blocked:
            yield
            return
        ((pid,),) = connection.execute("SELECT pg_backend_pid()").fetchall()  # a pooler may give us another each time
        watch = threading.Timer(LOCK_TIMEOUT_S / 2, self._look_who_blocks, [pid])
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
            watch.join()

    def _look_who_blocks(self, pid: int) -> None:
        with (
            suppress(psycopg.Error),
            psycopg.connect(self._url, **session(self._url, self._application_name, statement_timeout_s=1)) as other,
        ):
            blockers = query(other, "blockers", {"pid": pid})
            found = ", ".join(f"pid {blocker} ({name}, {state})" for blocker, name, state in blockers)
            self._blocked_by = found or self._blocked_by

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.DataError, psycopg.IntegrityError):
            raise
        except psycopg.errors.LockNotAvailable as error:
            blocked_by = self._blocked_by if self._was_blocked else None
            self._was_blocked, self._blocked_by = True, None
            self.close()
            msg = f"somebody has locked what is needed for more than {LOCK_TIMEOUT_S:g} s"
            if blocked_by is not None:
                msg += f": {blocked_by}; end that transaction, or SELECT pg_terminate_backend(pid)"
            raise StoreUnavailable(msg, blocked_by=blocked_by) from error
        except psycopg.ProgrammingError as error:  # a table, column, function or right that is not there
            self.close()
            verdict = self._schema_verdict()
            raise StoreUnavailable(f"{said(error)}: {verdict}") from error
        except psycopg.Error as error:
            self.close()
            raise StoreUnavailable(said(error)) from error

    def _schema_verdict(self) -> str:
        """Say how the tables' version differs from ours, for the message of another error."""
        try:
            with psycopg.connect(self._url, **session(self._url, self._application_name)) as other:
                applied = {name for (name,) in query(other, "applied_migrations")}
        except psycopg.ProgrammingError:
            return "the database is not migrated, run `referrals db migrate`"
        except psycopg.Error as error:
            return said(error)
        same = "the tables or rights are not those of this program's migrations: see `referrals db migrate`"
        return missing_from(applied) or beyond(applied) or same


def query(connection: Connection, name: str, values: Mapping[str, Any] | None = None) -> Rows:
    """Run a statement of queries.sql by its name and return its rows."""
    cursor = connection.execute(_queries()[name], values)
    SIGNS.give()
    return cursor.fetchall() if cursor.description else []


def column(values: Iterable[object]) -> str:
    """Return a batch's column as an array literal; for values whose text needs no quotes: ids, codes, numbers, times.

    psycopg would look at each element whether it needs them: 2 us each, half of all that a batch cost.
    """
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def quoted_column(texts: Iterable[str]) -> str:
    """Return a batch's column of any texts as an array literal."""
    quoted = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]
    return f"{{{','.join(quoted)}}}"


@cache
def _queries() -> dict[str, bytes]:
    """Return the statements of queries.sql by name."""
    _, *named = _HEADING.split(_QUERIES.read_text(encoding="utf-8"))
    return {name: text.strip().encode() for name, text in zip(named[::2], named[1::2], strict=True)}
