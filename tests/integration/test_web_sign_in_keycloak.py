"""Signing in with a real Keycloak, by the settings that docs/sign-in.md gives."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from process.settings import Settings
from tests.integration.test_web_sign_in import OURS, Browser
from tests.keycloak import CLIENT, CLIENT_SECRET, keycloak, realm, sign_in_at
from tests.web import running_web

pytestmark = [pytest.mark.long, pytest.mark.integration, pytest.mark.timeout(420)]

ALDER: Final = str(uuid4())
MENTOR: Final = str(uuid4())


async def test_who_is_who(settings: Settings, tmp_path: Path) -> None:
    """Roles and groups of Keycloak are roles and organisations here; who has none of either is nobody."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("INSERT INTO organisations (org_id, name) VALUES (%s, 'Alder')", [ALDER])
    users: dict[str, tuple[list[str], list[str], dict[str, str]]] = {
        "kari": (["coordinator"], ["/orgs/alder"], {}),
        "ola": (["coordinator", "admin"], ["/orgs/alder"], {}),
        "mona": (["mentor"], ["/orgs/alder"], {"mentor_id": MENTOR}),
        "no-role": ([], ["/orgs/alder"], {}),
        "elsewhere": (["admin"], ["/orgs/birch"], {}),
    }
    with keycloak(tmp_path, realm("alder", back_to=f"{OURS}/sign-in/callback", users=users)) as issuer:
        async with running_web(
            settings,
            public_url=OURS,
            oidc_issuer=issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SecretStr(CLIENT_SECRET),
            oidc_org_claim="groups",
            oidc_organisations=f"/orgs/alder={ALDER}",
            oidc_role_claim="realm_access.roles",
            oidc_roles="coordinator=coordinator,admin=org_admin,mentor=mentor",
        ) as web:
            found = {}
            for user in users:
                browser = Browser(web)
                begun = await browser.send("GET", "/sign-in/provider?return_to=/dashboard")
                back = urlsplit(await sign_in_at(begun.headers["location"], user))
                await browser.send("GET", f"{back.path}?{back.query}")
                who = await browser.who()
                found[user] = None if who is None else (who["orgId"], who["role"])
                if user == "mona":
                    assert (who or {})["subject"] == MENTOR
    assert found == {
        "kari": (ALDER, "coordinator"),
        "ola": (ALDER, "org_admin"),
        "mona": (ALDER, "mentor"),
        "no-role": None,
        "elsewhere": None,
    }
