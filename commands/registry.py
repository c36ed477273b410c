"""What the registry's commands share: settings with their keys, the registry for one command, publishing after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import rich_click as click

from edges.registry.database import OwnerDatabase, owner_database
from edges.registry.errors import NotPublished
from edges.registry.issuing import CodeRegistry
from edges.registry.keys import with_keys
from edges.registry.outbox import OutboxRelay
from edges.registry.secret_box import SecretBox, secret_box
from edges.registry.secrets import SecretStore
from process.logs import configure
from process.running import find_settings
from process.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """The registry as who owns the tables."""

    settings: Settings
    database: OwnerDatabase
    box: SecretBox
    secrets: SecretStore
    codes: CodeRegistry


@asynccontextmanager
async def open_registry() -> AsyncIterator[Registry]:
    """Open the registry of REFERRALS_DATABASE_URL for the body."""
    settings = with_keys(find_settings())
    configure(settings)
    box = secret_box(settings)
    async with owner_database(settings.database_url) as database:
        secrets = SecretStore(database, box)
        yield Registry(
            settings=settings, database=database, box=box, secrets=secrets, codes=CodeRegistry(database, secrets)
        )


async def publish_waiting(settings: Settings) -> int | None:
    """Publish the codes that wait, and return how many; None: Kafka cannot have them now, which is said."""
    relay = OutboxRelay(settings)
    try:
        return await relay.publish_waiting()
    except NotPublished as fault:
        click.echo(
            f"referrals: {fault}; what is issued is stored, and published by `referrals web` or the next command that "
            "issues codes",
            err=True,
        )
        return None
    finally:
        await relay.close()


def share_url(settings: Settings, code: str) -> str | None:
    """Return the link that leads to a code; None where nobody has said how people reach the HTTP side."""
    return None if settings.public_url is None else f"{settings.public_url.rstrip('/')}/r/{code}"
