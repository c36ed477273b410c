"""The demo's organisations as people would make them: with a name, a landing page and secrets; and the way to look in.

The sample programme only publishes codes and events, so its organisations would be without all that.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID, uuid4

from edges.registry.database import owner_database
from edges.registry.keys import with_keys
from edges.registry.organisations import create_organisation
from edges.registry.secret_box import secret_box
from edges.registry.secrets import SecretStore, webhook_text
from edges.registry.tokens import make_token
from local.demo.pseudonyms import organisation_name

if TYPE_CHECKING:
    from pathlib import Path

    from local.sample.programme import Mentor, Programme
    from process.settings import Settings

ADDRESS_FILE: Final = "dashboard.txt"


class Showpiece(NamedTuple):
    """The organisation of the busiest mentor, and what is needed to look at it and to post to it."""

    name: str
    mentor: Mentor
    webhook_secret: str
    dashboard: str
    """The dashboard's address, with a coordinator's token."""


def make_organisations(programme: Programme, settings: Settings, *, web_url: str) -> Showpiece:
    """Make the programme's organisations through the registry, before its codes are published."""
    mentors = programme.people()
    settings = with_keys(settings)
    secrets = asyncio.run(_make({mentor.org_id for mentor in mentors}, settings, landing_url=f"{web_url}/welcome"))
    mentor = mentors[0]
    token = make_token(settings, org_id=UUID(mentor.org_id), subject=uuid4(), role="coordinator")
    return Showpiece(
        name=organisation_name(mentor.org_id),
        mentor=mentor,
        webhook_secret=webhook_text(secrets[mentor.org_id]),
        dashboard=f"{web_url}/dashboard#token={token}",
    )


def write_address(showpiece: Showpiece, data_dir: Path) -> Path:
    """Write the dashboard's address into a file for this user alone: it is too long for most terminals."""
    path = data_dir / ADDRESS_FILE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{showpiece.dashboard}\n")
    return path


async def _make(org_ids: set[str], settings: Settings, *, landing_url: str) -> dict[str, bytes]:
    """Make the organisations, and return the webhook secret of each."""
    async with owner_database(settings.database_url) as database:
        store = SecretStore(database, secret_box(settings))
        return {
            org_id: (
                await create_organisation(
                    database,
                    store,
                    name=organisation_name(org_id),
                    landing_url=landing_url,
                    org_id=UUID(org_id),
                )
            ).webhook.secret
            for org_id in sorted(org_ids)
        }
