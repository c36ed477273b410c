"""Badges taken along, from the real server, and verified by libraries that are not ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import pytest_asyncio

from models.badges import FIRST_RECRUIT, SEEDED_DEFINITIONS
from process.settings import Settings
from tests import node
from tests.mentor_rows import execute, put_award, put_mentor, put_name
from tests.milestones import MENTOR, OTHER_ORG, new_id
from tests.registry import owned_registry
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

PUBLIC_URL: Final = "https://refer.example"
VERIFIER: Final = Path(__file__).resolve().parents[1] / "open_badges"


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the command that verifies a credential."""
    return node.prepare(VERIFIER, tmp_path_factory.mktemp("verifier") / "open_badges", "verify.mjs")


@pytest_asyncio.fixture
async def org_id(settings: Settings) -> str:
    """Give an organisation with a mentor who holds the first badge."""
    async with owned_registry(settings) as registry:
        org_id = str(await registry.new_organisation())
    put_mentor(settings, org_id=org_id)
    put_award(settings, 1, org_id=org_id)
    return org_id


@pytest_asyncio.fixture
async def web(settings: Settings, org_id: str) -> AsyncIterator[Web]:
    """Give a client of a server that people reach by https, as the mentor."""
    async with running_web(settings, public_url=PUBLIC_URL) as web:
        web.headers.update(bearer("mentor", org_id=org_id, subject=MENTOR))
        yield web


def address(org_id: str, *, mentor_id: str = MENTOR, badge_id: str = FIRST_RECRUIT) -> str:
    """Return where a credential is."""
    return f"/v1/orgs/{org_id}/mentors/{mentor_id}/awards/{badge_id}/credential"


async def issued(web: Web, org_id: str, **headers: str) -> dict[str, Any]:
    """Return the mentor's credential."""
    answer = await web.get(address(org_id), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vc")
    assert answer.headers["content-disposition"] == f'attachment; filename="badge-{FIRST_RECRUIT}.json"'
    found: dict[str, Any] = answer.json()
    return found


async def verified(command: list[str], web: Web, credential: dict[str, Any]) -> str:
    """Return what the verifier says, which is given the issuer's document as the server answers it to strangers."""
    host, *path = credential["issuer"]["id"].removeprefix("did:web:").split(":")
    assert f"https://{host}" == PUBLIC_URL
    answer = await web.get(f"/{'/'.join(path)}/did.json", headers={"Authorization": ""})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    return node.run(command, json.dumps({"credential": credential, "document": answer.json()})).strip()


async def rotate(settings: Settings, org_id: str, *, replaced_good_for: timedelta | None = None) -> None:
    """Put another key in use, as `orgs rotate-secret` does."""
    async with owned_registry(settings) as registry:
        await registry.secrets.replace(UUID(org_id), "credential", replaced_good_for=replaced_good_for)


async def test_a_badge_is_taken_along_and_verified(
    web: Web, settings: Settings, org_id: str, verifier: list[str]
) -> None:
    """Its holder, what for, when and by whom; a word that is changed is seen."""
    put_name(settings, "Åse Bjørn", org_id=org_id)
    assert (await web.get(f"/v1/orgs/{org_id}/mentors/{MENTOR}/awards")).json()["canBeTakenAlong"] is True
    credential = await issued(web, org_id)
    assert await verified(verifier, web, credential) == "verified"
    subject = credential["credentialSubject"]
    assert credential["issuer"] == {"id": f"did:web:refer.example:orgs:{org_id}", "type": ["Profile"], "name": "Ours"}
    assert (subject["id"], subject["identifier"][0]["identityHash"]) == (f"urn:uuid:{MENTOR}", "Åse Bjørn")
    assert subject["achievement"]["name"] == SEEDED_DEFINITIONS[0].name
    assert subject["achievement"]["criteria"] == {"narrative": "Brought 1 member whose membership was confirmed."}
    assert credential["validFrom"] == credential["awardedDate"] == "2026-11-20T12:30:00Z"
    subject["id"] = f"urn:uuid:{new_id()}"
    assert await verified(verifier, web, credential) == "Invalid signature."


async def test_in_the_language_of_whoever_asks(web: Web, org_id: str, verifier: list[str]) -> None:
    """In Bokmål, and signed as well."""
    credential = await issued(web, org_id, **{"Accept-Language": "nb"})
    achievement = credential["credentialSubject"]["achievement"]
    assert (achievement["inLanguage"], achievement["name"]) == ("nb", "Første verving")
    assert await verified(verifier, web, credential) == "verified"


async def test_a_key_that_was_replaced_stays_good_and_one_that_was_ended_does_not(
    web: Web, settings: Settings, org_id: str, verifier: list[str]
) -> None:
    """A badge stays, so what proves it goes on; what a lost key has signed does not, and is taken along again."""
    first = await issued(web, org_id)
    await rotate(settings, org_id)
    second = await issued(web, org_id)
    assert first["id"] == second["id"]
    assert first["proof"][0]["verificationMethod"] != second["proof"][0]["verificationMethod"]
    assert [await verified(verifier, web, each) for each in (first, second)] == ["verified", "verified"]
    await rotate(settings, org_id, replaced_good_for=timedelta(0))
    third = await issued(web, org_id)
    assert await verified(verifier, web, first) == "verified"
    assert await verified(verifier, web, third) == "verified"
    assert await verified(verifier, web, second) != "verified"


async def test_only_what_is_held(web: Web, settings: Settings, org_id: str) -> None:
    """404 for a badge of somebody else, or of the same mentor in another organisation; 422 for what is no id."""
    second = SEEDED_DEFINITIONS[1].badge_id
    put_mentor(settings, org_id=OTHER_ORG, code="ABCDEFGH34")
    put_award(settings, 5, org_id=OTHER_ORG)
    coordinator = bearer(org_id=org_id)
    assert (await web.get(address(org_id, badge_id=second))).status_code == 404
    assert (await web.get(address(org_id, badge_id=second), headers=coordinator)).status_code == 404
    assert (await web.get(address(org_id, mentor_id=new_id()), headers=coordinator)).status_code == 404
    assert (await web.get(address(org_id, badge_id="first"), headers=coordinator)).status_code == 422
    assert (await web.get(address(org_id), headers=coordinator)).status_code == 200


async def test_where_nothing_can_be_signed(web: Web, settings: Settings, org_id: str) -> None:
    """Without a key, or an address by which others could verify, no page offers it and nobody is named as issuer."""
    put_mentor(settings, org_id=OTHER_ORG, code="ABCDEFGH34")
    put_award(settings, 1, org_id=OTHER_ORG)
    keyless = bearer("mentor", org_id=OTHER_ORG, subject=MENTOR)
    answer = await web.get(address(OTHER_ORG), headers=keyless)
    assert (answer.status_code, "no key" in answer.json()["detail"]) == (404, True)
    told = (await web.get(f"/v1/orgs/{OTHER_ORG}/mentors/{MENTOR}/awards", headers=keyless)).json()
    assert (len(told["awards"]), told["canBeTakenAlong"]) == (1, False)
    for nobody in (OTHER_ORG, new_id(), "first"):
        assert (await web.get(f"/orgs/{nobody}/did.json")).status_code == 404
    spool = settings.data_dir / "another spool"
    async with running_web(settings, public_url="http://refer.example", spool_dir=spool) as plain:
        plain.headers.update(bearer("mentor", org_id=org_id, subject=MENTOR))
        assert "no https" in (await plain.get(address(org_id))).json()["detail"]
        assert (await plain.get(f"/orgs/{org_id}/did.json")).status_code == 404
        assert not (await plain.get(f"/v1/orgs/{org_id}/mentors/{MENTOR}/awards")).json()["canBeTakenAlong"]


async def test_a_key_that_cannot_be_read_is_for_the_operator(web: Web, settings: Settings, org_id: str) -> None:
    """503, without a word of the key to strangers."""
    execute(settings, "UPDATE organisation_secrets SET key_version = 9 WHERE purpose = 'credential'")
    for path in (address(org_id), f"/orgs/{org_id}/did.json"):
        answer = await web.get(path)
        assert answer.status_code == 503
        assert "key version" not in answer.text
