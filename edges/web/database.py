"""The HTTP side's way into Postgres: as the role `referrals_app`, for one organisation at a time.

The role owns nothing, and row-level security shows it the rows of the organisation that a transaction names. So a route
that forgets an organisation sees nothing, and one that is given a wrong query cannot see another's rows. Role and
organisation are set in each transaction, for it alone: a pooler between (PgBouncer) may give each another connection.
What is behind the role is what the login is; one that has nothing else (`REFERRALS_WEB_DATABASE_URL`) gains nothing by
leaving it.

Failure handling: Postgres may be away at the start and at any time later; whoever asks meanwhile gets
`DatabaseUnavailable` after at most `PATIENCE_S`, mostly at once, and the pool connects again by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString, Self

import psycopg
import structlog
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from process.postgres import MAY_DO_MORE, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from process.settings import Settings

ROLE: Final = "referrals_app"
PATIENCE_S: Final = 2.0
"""The longest wait for a connection."""
ABSENT_S: Final = 2.0
"""When somebody has waited for a connection in vain, others are refused at once for so long: else every answer would be
late by `PATIENCE_S` while Postgres is away."""
ANSWER_S: Final = 3.0
"""How long who asks whether Postgres can be used is kept waiting. One that is stopped keeps its connections, and on
these nothing fails for half a minute."""
STATEMENT_S: Final = 30.0
"""The longest that Postgres works on one statement."""
CONNECTIONS_MAX: Final = 10
WAITING_MAX: Final = 1_000
"""Requests that may wait for a connection; more are refused at once."""
RECONNECT_S: Final = 3.0
"""After so long without success the pool gives up until it is asked again; it bounds its growing pauses."""

_SHUTDOWN: Final = "57P"
"""How the states begin that a server ends its connections with."""

_NO_CONNECTION: Final = (PoolTimeout, PoolClosed, TooManyRequests)

_AS_APP: Final = "SELECT set_config('role', %s, true), set_config('statement_timeout', %s, true)"
_ACT_FOR: Final = f"{_AS_APP}, set_config('referrals.org_id', %s, true)"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]
Query = LiteralString | bytes
Values = Sequence[Any] | Mapping[str, Any] | None


class DatabaseUnavailable(Exception):  # noqa: N818  read as what is wrong
    """Postgres cannot be used now; the message says why, without the address."""


class Database:
    """A pool of connections; a context manager."""

    def __init__(self, settings: Settings, *, component: str = "web") -> None:
        """`component` is whose it is: Postgres, the log and the pool's threads call it so."""
        self._log = structlog.get_logger(component)
        self._pool = AsyncConnectionPool(
            settings.database_url,
            connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
            kwargs=session(settings.database_url, f"referrals {component}", connect_timeout_s=2),
            configure=self._configure,
            min_size=2,
            max_size=CONNECTIONS_MAX,
            max_waiting=WAITING_MAX,
            timeout=PATIENCE_S,
            reconnect_timeout=RECONNECT_S,
            open=False,
            name=component,
        )
        self.reason = "Postgres does not answer"
        """Why there is no connection, where there is none."""
        self._absent_until_s = 0.0
        self._asking: asyncio.Task[str | None] | None = None
        self._is_said = False
        """That the login may do more than the role."""

    async def __aenter__(self) -> Self:
        """Begin to connect; wait for nothing."""
        await self._pool.open(wait=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close every connection."""
        if self._asking is not None:
            self._asking.cancel()
        await self._pool.close()

    @asynccontextmanager
    async def acting_for(self, org_id: str | None) -> AsyncIterator[Connection]:
        """Give a connection in a transaction that acts for an organisation; committed at the end.

        None: for none, so that only what belongs to no organisation can be seen, and functions that are made for it.
        Identifiers come as text. Raises DatabaseUnavailable.
        """
        with _translated(self):
            try:
                async with self._pool.connection() as connection, connection.transaction():
                    await connection.execute(*_first(org_id))
                    yield connection
            except psycopg.OperationalError as error:
                if _is_broken(error):
                    await self._pool.check()  # so that whoever tries again does not get the next dead one
                raise

    async def rows(self, org_id: str | None, query: Query, values: Values = None) -> Rows:
        """Run one statement for an organisation, in one round trip, and return its rows, identifiers as text.

        It may be run twice where the connection breaks, so it must be one that only reads, or that changes nothing the
        second time. Raises DatabaseUnavailable.
        """
        with _translated(self):
            try:
                return await self._rows(org_id, query, values)
            except psycopg.OperationalError as error:
                if not _is_broken(error):
                    raise
                await self._pool.check()  # Postgres was started again: the idle connections are dead as well
                return await self._rows(org_id, query, values)

    async def fault(self) -> str | None:
        """Return why Postgres cannot be used now, None where it can; it is told within `ANSWER_S`."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="postgres-asked")
        asking = self._asking  # not cancelled with who waits: it takes psycopg long to give up what it has sent
        answered, _ = await asyncio.wait({asking}, timeout=ANSWER_S)
        return asking.result() if answered else f"Postgres does not answer within {ANSWER_S:.0f} s"

    async def _ask(self) -> str | None:
        try:
            await self.rows(None, "SELECT 1 FROM referral_codes LIMIT 0")
        except DatabaseUnavailable as error:
            return str(error)
        return None

    async def _rows(self, org_id: str | None, query: Query, values: Values) -> Rows:
        async with self._pool.connection() as connection:
            # Two statements sent as one are one transaction, so role and organisation are set for the second alone.
            # They are planned each time; a pipeline could prepare them, and costs 90 us of Python.
            cursor = psycopg.AsyncClientCursor(connection)
            await cursor.execute(*_acting_first(org_id, query, values))
            cursor.nextset()
            return await cursor.fetchall()

    def note_absence(self) -> None:
        """Note that somebody has waited for a connection in vain: for a moment nobody else does."""
        self._absent_until_s = time.monotonic() + ABSENT_S

    def is_absent(self) -> bool:
        """Tell whether there is no connection, and was none for who asked just now."""
        return time.monotonic() < self._absent_until_s and not self._pool.get_stats()["pool_available"]

    async def _configure(self, connection: Connection) -> None:
        """See that the role can be taken on; called for every new connection."""
        try:
            ((may_do_more,),) = await (await connection.execute(MAY_DO_MORE)).fetchall()
            async with connection.transaction():
                await connection.execute(*_first(None))
        except psycopg.Error as error:
            self.reason = (
                f"the role {ROLE} cannot be taken on ({error.diag.message_primary}): run `referrals db migrate`, and "
                f"GRANT {ROLE} to the user of REFERRALS_DATABASE_URL"
            )
            self._log.error("database_unusable", reason=self.reason)
            raise
        self.reason = "Postgres does not answer"
        if may_do_more and not self._is_said:
            self._is_said = True
            self._log.warning(
                "database_login_may_do_more",
                remedy="set REFERRALS_WEB_DATABASE_URL, and run `referrals db migrate`, which makes that login",
            )
        connection.adapters.register_loader("uuid", TextLoader)


def _first(org_id: str | None) -> tuple[LiteralString, list[str]]:
    """Return the statement that a transaction begins with, and its values."""
    limit_ms = str(int(STATEMENT_S * 1000))
    return (_AS_APP, [ROLE, limit_ms]) if org_id is None else (_ACT_FOR, [ROLE, limit_ms, org_id])


def _acting_first(org_id: str | None, query: Query, values: Values) -> tuple[bytes, Values]:
    """Return a statement that sets role and organisation and then does the query, and the values of both."""
    text = query.encode() if isinstance(query, str) else query
    first, firsts = _first(org_id)
    if isinstance(values, Mapping):
        named = {f"acting_{number}": value for number, value in enumerate(firsts)}
        first_named = first.encode() % tuple(f"%({name})s".encode() for name in named)
        return first_named + b";" + text, {**values, **named}
    return first.encode() + b";" + text, [*firsts, *(values or ())]


def _is_broken(error: psycopg.OperationalError) -> bool:
    """Tell whether it was the connection that failed, and not the statement, or the pool for want of connections."""
    if isinstance(error, _NO_CONNECTION):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_SHUTDOWN)


class _translated:  # noqa: N801  used like a function, and contextmanager's generator costs four times as much
    """Gives Postgres's errors the meaning that the routes act on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        """Begin; raise DatabaseUnavailable at once where Postgres was away just now."""
        if self._database.is_absent():
            raise DatabaseUnavailable(self._database.reason)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise DatabaseUnavailable in place of whatever a later attempt may mend."""
        if isinstance(error, _NO_CONNECTION):
            self._database.note_absence()
            raise DatabaseUnavailable(self._database.reason) from error
        if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
            msg = f"{error.diag.message_primary}: the database is not migrated, run `referrals db migrate`"
            raise DatabaseUnavailable(msg) from error
        if isinstance(error, psycopg.OperationalError):
            msg = "Postgres does not answer"
            raise DatabaseUnavailable(msg) from error
