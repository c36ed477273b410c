"""What the registry needs of Postgres: transactions for one organisation, or for all.

The HTTP side gives it transactions of its own pool (`edges/web/database.py`), as a role that sees one organisation.
Commands give it one connection of whoever owns the tables.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString, Protocol

import psycopg
from psycopg.rows import tuple_row

from edges.registry.errors import NotAllowed, NotMigrated
from process.postgres import session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

Connection = psycopg.AsyncConnection[Any]

_ACT_FOR: Final = "SELECT set_config('referrals.org_id', %s, true)"


class Organisations(Protocol):
    """Gives transactions that see one organisation."""

    def acting_for(self, org_id: str) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction for an organisation, committed at the end of the body."""


class OwnerDatabase:
    """One connection of a command, for one transaction at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def acting_for(self, org_id: str) -> AsyncIterator[Connection]:
        """Open a transaction for an organisation, committed at the end of the body."""
        async with self._connection.transaction():
            await self._connection.execute(_ACT_FOR, [org_id])
            yield self._connection

    @asynccontextmanager
    async def for_all(self) -> AsyncIterator[Connection]:
        """Open a transaction for every organisation; the tables' owner sees all of them."""
        async with self._connection.transaction():
            yield self._connection


@asynccontextmanager
async def owner_database(url: str) -> AsyncIterator[OwnerDatabase]:
    """Connect for the body.

    Raises:
        psycopg.OperationalError: Postgres cannot be reached.
        NotMigrated, NotAllowed: what the body asked for is not there, or not for this user.

    """
    with explained():
        async with await psycopg.AsyncConnection.connect(url, **session(url, "referrals registry")) as connection:
            yield OwnerDatabase(connection)


async def rows_of(
    connection: Connection, query: LiteralString, values: Sequence[Any] | Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Run a statement that returns rows, and return them as tuples whatever the connection's own form is."""
    cursor = await connection.cursor(row_factory=tuple_row).execute(query, values)
    return await cursor.fetchall()


@contextmanager
def explained() -> Iterator[None]:
    """Turn what Postgres says of a missing table, function or right into what to do about it."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise NotMigrated(
            f"{error.diag.message_primary}: the database is older than this program; run: referrals db migrate"
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotAllowed(
            f"{error.diag.message_primary}: REFERRALS_DATABASE_URL must name the user who owns the tables"
        ) from error
