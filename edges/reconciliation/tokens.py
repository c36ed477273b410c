"""The bearer token of a membership system: a secret of its organisation, kept by the registry."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from edges.registry.database import owner_database
from edges.registry.keys import with_keys
from edges.registry.secret_box import secret_box
from edges.registry.secrets import SecretStore, parse_secret

if TYPE_CHECKING:
    from process.settings import Settings


def read_token(settings: Settings, org_id: str) -> str:
    """Return the token that is in use.

    Raises:
        SettingsError: the keys that secrets are encrypted with are not given.
        RegistryError: there is none, or it cannot be decrypted.

    """
    box = secret_box(with_keys(settings))

    async def read() -> bytes:
        async with owner_database(settings.database_url) as database:
            return await SecretStore(database, box).in_use(UUID(org_id), "membership")

    return asyncio.run(read()).decode()


def keep_token(settings: Settings, org_id: str, token: str) -> None:
    """Put a token in use; the one before it ends now.

    Raises:
        SettingsError: the keys that secrets are encrypted with are not given.
        RegistryError: it cannot be a token, or there is no such organisation.

    """
    secret = parse_secret("membership", token)
    box = secret_box(with_keys(settings))

    async def keep() -> None:
        async with owner_database(settings.database_url) as database:
            await SecretStore(database, box).replace(UUID(org_id), "membership", secret, replaced_good_for=timedelta(0))

    asyncio.run(keep())
