"""Postgres as an operator's commands read it: each organisation by itself, under row-level security.

Which organisations there are is asked as a login that sees all of them; what they have, as the role that sees one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from psycopg.rows import dict_row

from process.postgres import session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROLE: Final = "referrals_reader"
"""Sees the rows of the organisation that its transaction has set, and can change nothing."""
_ACT_FOR: Final = "SELECT set_config('role', %s, true), set_config('referrals.org_id', %s, true)"

Row = dict[str, Any]


class CannotLook(Exception):  # noqa: N818  read as what is wrong
    """The tables cannot be read; the message has the remedy."""


class Tables:
    """A connection of a command."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def of_all(self, query: LiteralString, values: Mapping[str, Any]) -> list[Row]:
        """Return the rows of a statement that looks for organisations, as the login that sees all of them."""
        with self._connection.transaction():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def acting_for(self, org_id: str) -> Iterator[psycopg.Connection[Row]]:
        """Open a transaction that sees one organisation, in one snapshot, and changes nothing."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self._connection.execute(_ACT_FOR, [ROLE, org_id])
            yield self._connection


@contextmanager
def tables(url: str) -> Iterator[Tables]:
    """Connect for the body; identifiers come as UUIDs.

    Raises psycopg.OperationalError where Postgres cannot be reached, and CannotLook.
    """
    try:
        with psycopg.Connection[Row].connect(
            url, row_factory=dict_row, **session(url, "referrals operations")
        ) as connection:
            yield Tables(connection)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise CannotLook(
            f"{error.diag.message_primary}: the database is older than this program; run: referrals db migrate"
        ) from error
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue) as error:
        raise CannotLook(
            f"{error.diag.message_primary}: REFERRALS_DATABASE_URL must name the login of `verify` (see: referrals db "
            f"roles) or who owns the tables, and he must be able to take on the role {ROLE}; run: referrals db migrate"
        ) from error
