"""The registry for tests: as who owns the tables, or as the HTTP side's role on as many connections as asked for."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from edges.registry.database import Connection, OwnerDatabase, owner_database
from edges.registry.issuing import CodeRegistry
from edges.registry.organisations import create_organisation
from edges.registry.secret_box import SecretBox
from edges.registry.secrets import SecretStore
from process.settings import Settings

KEY = bytes(32)  # the same as tests/web.py's, so that both can work on one database
SECRET_KEYS = f"1:{base64.b64encode(KEY).decode()}"
BOX = SecretBox({1: KEY})
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Owned:
    """The registry as who owns the tables."""

    database: OwnerDatabase
    secrets: SecretStore
    codes: CodeRegistry

    async def new_organisation(self, *, org_id: UUID | None = None) -> UUID:
        """Make an organisation and return its id."""
        made = await create_organisation(self.database, self.secrets, name="Ours", landing_url=None, org_id=org_id)
        return made.org_id


@asynccontextmanager
async def owned_registry(settings: Settings) -> AsyncIterator[Owned]:
    """Open the registry as commands do."""
    async with owner_database(settings.database_url) as database:
        secrets = SecretStore(database, BOX)
        yield Owned(database, secrets, CodeRegistry(database, secrets))


class AppDatabase:
    """Transactions as the role referrals_app, each on a connection of its own up to a number."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def acting_for(self, org_id: str) -> AsyncIterator[Connection]:
        """Open a transaction for an organisation."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT set_config('referrals.org_id', %s, true)", [org_id])
            yield connection


@asynccontextmanager
async def app_database(settings: Settings, *, connections: int = 2) -> AsyncIterator[AppDatabase]:
    """Open connections as the HTTP side's role; all of them stand when the body begins."""

    async def take_role(connection: psycopg.AsyncConnection[object]) -> None:
        await connection.execute("SET ROLE referrals_app")

    async with AsyncConnectionPool(
        settings.database_url,
        kwargs={"autocommit": True},
        min_size=connections,
        max_size=connections,
        timeout=PATIENCE_S,
        configure=take_role,
        open=False,
    ) as pool:
        await pool.wait(PATIENCE_S)
        yield AppDatabase(pool)


@asynccontextmanager
async def app_registry(settings: Settings, *, connections: int = 2) -> AsyncIterator[CodeRegistry]:
    """Open the registry as the HTTP side has it."""
    async with app_database(settings, connections=connections) as database:
        yield CodeRegistry(database, SecretStore(database, BOX))


def with_secret_keys(settings: Settings) -> Settings:
    """Return the settings with the key that these tests encrypt with."""
    return settings.model_copy(update={"secret_keys": SecretStr(SECRET_KEYS)})
