"""The sinks' connection to Postgres, and the one place where its errors get the meaning that the sinks act on.

One connection for each sink, because a sink is one thread. It connects when first needed and again after each
failure. A COMMIT whose answer was lost counts as failed: the batch is done again, which changes nothing if it had
been committed.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg

from process.postgres import session
from sinks.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUERIES: Final = Path(__file__).parent / "queries.sql"
_HEADING: Final = re.compile(r"^-- name: (\w+) --$", re.MULTILINE)

_SILENCE_MS: Final = 10_000
"""The server gives up a process of ours that stands still in a transaction for so long: others wait for its rows."""

Connection = psycopg.Connection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]


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

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the body in one transaction, committed at its end.

        Raises:
            StoreUnavailable: anything but a fault of the data; the transaction was not committed, or nobody knows.
            psycopg.DataError, psycopg.IntegrityError: the data are at fault; the transaction was rolled back.

        """
        with self._translated():
            connection = self._connected()
            with connection.transaction():
                yield connection

    def has_news(self) -> bool:
        """Tell whether there were notifications, or may have been while there was no connection, since asked last.

        Raises:
            StoreUnavailable: the connection is gone.

        """
        with self._translated():
            connection = self._connected()
            news = [*connection.notifies(timeout=0)] if self._channel else []
            missed, self._may_have_missed_news = self._may_have_missed_news, False
            return bool(news) or missed

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
                prepare_threshold=None,
                **session(self._url, self._application_name),
            )
            self._may_have_missed_news = True
            self._connection.execute(f"SET idle_in_transaction_session_timeout = {_SILENCE_MS}".encode())
            if self._channel:
                self._connection.execute(f"LISTEN {self._channel}".encode())
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.DataError, psycopg.IntegrityError):
            raise
        except psycopg.errors.UndefinedTable as error:
            self.close()
            msg = f"{error.diag.message_primary}: the database is not migrated, run `referrals db migrate`"
            raise StoreUnavailable(msg) from error
        except psycopg.Error as error:
            self.close()
            msg = str(error).strip() or type(error).__name__
            raise StoreUnavailable(msg) from error


def query(connection: Connection, name: str, values: Mapping[str, Any] | None = None) -> Rows:
    """Run a statement of queries.sql by its name and return its rows."""
    cursor = connection.execute(_queries()[name], values)
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
