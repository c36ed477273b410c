"""Secrets and organisations on real Postgres: what is stored, who sees it, and how it is replaced."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from edges.registry.database import Connection
from edges.registry.errors import BadOrganisation, OrganisationExists, UnknownOrganisation
from edges.registry.organisations import Organisation, create_organisation, list_organisations, set_organisation
from edges.registry.secret_box import SecretBox
from edges.registry.secrets import SecretStore, reseal
from process.settings import Settings
from tests.registry import BOX, KEY, Owned, app_database, owned_registry

pytestmark = pytest.mark.integration

NOW = timedelta(0)
KEY_2 = bytes(range(32))


async def rows(connection: Connection, statement: str, *values: Any) -> list[Any]:  # noqa: ANN401 - any value
    """Run a statement and return its rows."""
    cursor = await connection.execute(statement.encode(), values)
    return await cursor.fetchall()


async def all_rows(settings: Settings, statement: str, *values: Any) -> list[Any]:  # noqa: ANN401 - the same
    """Run a statement as who owns the tables."""
    async with await psycopg.AsyncConnection.connect(settings.database_url) as connection:
        return await rows(connection, statement, *values)


async def two_organisations(registry: Owned) -> tuple[UUID, UUID]:
    """Make two organisations, each with a mentor who has a code that waits to be published."""
    ours, theirs = await registry.new_organisation(), await registry.new_organisation()
    for org_id in (ours, theirs):
        await registry.codes.issue(org_id, uuid4())
    return ours, theirs


async def test_secrets_are_not_in_the_database(settings: Settings) -> None:
    """What is stored opens with the key, and is not the secret in any form that is easily seen."""
    async with owned_registry(settings) as registry:
        made = await create_organisation(registry.database, registry.secrets, name="Ours", landing_url=None)
        (secret,) = await registry.secrets.good(made.org_id, "webhook")
    assert secret == made.webhook.secret
    assert len(secret) == 32
    ((everything,),) = await all_rows(settings, "SELECT string_agg(s::text, '') FROM organisation_secrets AS s")
    assert secret.hex() not in everything


async def test_the_replaced_secret_is_good_for_a_while(settings: Settings) -> None:
    """Two are good after a replacement, the new one first; a secret that has expired is good no more, and then gone.

    Ended with a secret are those that were replaced before it, which may be the one that got into wrong hands.
    """
    async with owned_registry(settings) as registry:
        org_id, secrets = await registry.new_organisation(), registry.secrets
        first = await secrets.in_use(org_id, "webhook")
        second = await secrets.replace(org_id, "webhook")
        assert await secrets.good(org_id, "webhook") == [second.secret, first]
        (left,) = await all_rows(
            settings, "SELECT expires_at - now() FROM organisation_secrets WHERE expires_at IS NOT NULL"
        )
        assert timedelta(days=6, hours=23) < left[0] <= timedelta(days=7)

        third = await secrets.replace(org_id, "webhook", replaced_good_for=NOW)
        assert await secrets.good(org_id, "webhook") == [third.secret]
        assert await secrets.in_use(org_id, "webhook") == third.secret
        fourth = await secrets.replace(org_id, "webhook", b"4" * 24)
        assert await secrets.good(org_id, "webhook") == [fourth.secret, third.secret]
        fifth = await secrets.replace(org_id, "webhook", replaced_good_for=timedelta(days=9))
        assert await secrets.good(org_id, "webhook") == [fifth.secret, fourth.secret, third.secret]
        ids = await all_rows(settings, "SELECT secret_id FROM organisation_secrets WHERE purpose = 'webhook'")
        assert (second.secret_id,) not in ids
        assert fourth.secret == b"4" * 24


async def test_a_credentials_key_is_ended_alone(settings: Settings) -> None:
    """What keys before it have signed stays good, as badges do."""
    async with owned_registry(settings) as registry:
        org_id, secrets = await registry.new_organisation(), registry.secrets
        earlier = await secrets.good(org_id, "credential")
        await secrets.replace(org_id, "credential")
        newest = await secrets.replace(org_id, "credential", replaced_good_for=NOW)
        assert len(earlier) == 1
        assert await secrets.good(org_id, "credential") == [newest.secret, *earlier]


async def test_purposes_and_organisations_are_apart(settings: Settings) -> None:
    """A replacement touches no other secret."""
    async with owned_registry(settings) as registry:
        ours, theirs = await registry.new_organisation(), await registry.new_organisation()
        before = await registry.secrets.good(ours, "code"), await registry.secrets.good(theirs, "webhook")
        await registry.secrets.replace(ours, "webhook", replaced_good_for=NOW)
        await registry.secrets.replace(ours, "membership", b"token")
        assert await registry.secrets.good(ours, "membership") == [b"token"]
        assert await registry.secrets.good(theirs, "membership") == []
        assert before == (await registry.secrets.good(ours, "code"), await registry.secrets.good(theirs, "webhook"))


async def test_replacements_at_once_leave_one_in_use(settings: Settings) -> None:
    """Five at the same time: each is good, one is in use."""

    async def replace(org_id: UUID) -> bytes:
        async with owned_registry(settings) as registry:
            return (await registry.secrets.replace(org_id, "webhook")).secret

    async with owned_registry(settings) as registry:
        org_id = await registry.new_organisation()
        made = await asyncio.gather(*(replace(org_id) for _ in range(5)))
        good = await registry.secrets.good(org_id, "webhook")
    assert len(good) == 6
    assert set(made) < set(good)
    assert good[0] in made


async def test_nobody_to_have_a_secret(settings: Settings) -> None:
    """An organisation that is not there."""
    async with owned_registry(settings) as registry:
        with pytest.raises(UnknownOrganisation):
            await registry.secrets.replace(uuid4(), "webhook")
        assert await registry.secrets.good(uuid4(), "webhook") == []


async def test_resealed_with_the_newest_key(settings: Settings) -> None:
    """Everything opens with the new key alone then; a second time there is nothing to do."""
    async with owned_registry(settings) as registry:
        org_id, _ = await two_organisations(registry)
        secret = await registry.secrets.in_use(org_id, "code")
        both, new = SecretBox({1: KEY, 2: KEY_2}), SecretBox({2: KEY_2})
        assert await reseal(registry.database, both) == 6
        assert await SecretStore(registry.database, new).in_use(org_id, "code") == secret
        assert await reseal(registry.database, new) == 0


async def test_resealing_is_all_or_nothing(settings: Settings) -> None:
    """A row that cannot be opened is named, and the others stay as they were."""
    async with owned_registry(settings) as registry:
        await two_organisations(registry)
        await all_rows(settings, "SELECT 1")
        async with registry.database.for_all() as connection:
            await connection.execute(
                "UPDATE organisation_secrets SET sealed = 'x' WHERE secret_id = (SELECT max(secret_id::text)::uuid FROM"
                " organisation_secrets)"
            )
        with pytest.raises(Exception, match="was not encrypted with key version 1"):
            await reseal(registry.database, SecretBox({1: KEY, 2: KEY_2}))
    assert await all_rows(settings, "SELECT DISTINCT key_version FROM organisation_secrets") == [(1,)]


async def test_another_organisations_rows_cannot_be_seen(settings: Settings) -> None:
    """Of secrets, codes and outbox the HTTP side's role sees one organisation's, also when it asks for another's."""
    async with owned_registry(settings) as registry, app_database(settings) as app:
        ours, theirs = await two_organisations(registry)
        async with app.acting_for(str(ours)) as connection:
            for table in ("organisation_secrets", "referral_codes", "mentors", "codes_outbox", "organisations"):
                assert {row[0] for row in await rows(connection, f"SELECT org_id FROM {table}")} == {ours}, table  # noqa: S608
                asked = f"SELECT 1 FROM {table} WHERE org_id = %s"  # noqa: S608
                assert await rows(connection, asked, theirs) == [], table
        store = SecretStore(app, BOX)
        assert await store.good(ours, "code") == await registry.secrets.good(ours, "code") != []


class Impostor:
    """Acts for one organisation, whatever it is asked to act for."""

    def __init__(self, app: Any, org_id: UUID) -> None:  # noqa: ANN401 - what the test opened
        self._app = app
        self._org_id = org_id

    def acting_for(self, org_id: str) -> Any:  # noqa: ANN401, ARG002 - the same
        """Open a transaction for the one."""
        return self._app.acting_for(str(self._org_id))


async def test_another_organisations_secret_cannot_be_had_by_a_wrong_transaction(settings: Settings) -> None:
    """A programming error that mixes up two organisations finds nothing."""
    async with owned_registry(settings) as registry, app_database(settings) as app:
        ours, theirs = await two_organisations(registry)
        assert await SecretStore(Impostor(app, ours), BOX).good(theirs, "code") == []


async def test_another_organisations_rows_cannot_be_written(settings: Settings) -> None:
    """Row-level security refuses a mentor, a code or an outbox row of another organisation, and any change at all."""
    async with owned_registry(settings) as registry, app_database(settings) as app:
        ours, theirs = await two_organisations(registry)
        values = {"org": theirs, "id": uuid4()}
        for statement in (
            "INSERT INTO mentors VALUES (%(org)s, %(id)s)",
            "INSERT INTO referral_codes VALUES ('ABCDEFGH12', %(org)s, %(id)s, now())",
            "INSERT INTO codes_outbox VALUES (DEFAULT, %(org)s, 'ABCDEFGH12', %(id)s, now())",
            "INSERT INTO organisation_secrets VALUES (%(org)s, %(id)s, 'code', 1, 'x')",
            "UPDATE organisation_secrets SET expires_at = now()",
            "DELETE FROM codes_outbox",
            "DELETE FROM referral_codes",
            "UPDATE organisations SET landing_url = 'https://elsewhere.example'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with app.acting_for(str(ours)) as connection:
                    await connection.execute(statement.encode(), values)


async def test_what_crosses_organisations_is_for_the_app_alone(settings: Settings) -> None:
    """The two functions work for its role, are refused to anybody else, and look only where they should."""
    stranger = f"stranger_{uuid4().hex}"
    async with owned_registry(settings) as registry, app_database(settings) as app:
        ours, theirs = await two_organisations(registry)
        await set_organisation(registry.database, theirs, landing_url="https://theirs.example/join")
        ((code,),) = await all_rows(settings, "SELECT referral_code FROM referral_codes WHERE org_id = %s", theirs)
        async with app.acting_for(str(ours)) as connection:
            # A caller's own tables of the same names are not what the functions read.
            await connection.execute(
                "CREATE TEMP TABLE referral_codes (referral_code text, org_id uuid) ON COMMIT DROP"
            )
            await connection.execute("CREATE TEMP TABLE codes_outbox (LIKE public.codes_outbox) ON COMMIT DROP")
            landing = await rows(connection, "SELECT * FROM landing_of_code(%s)", code)
            assert landing == [(theirs, "https://theirs.example/join")]
            assert await rows(connection, "SELECT * FROM landing_of_code('NEVER00001')") == []
            assert {row[0] for row in await rows(connection, "SELECT * FROM take_from_outbox(5)")} == {ours, theirs}
    for call in ("take_from_outbox(1)", "landing_of_code('NEVER00001')"):
        statement = f"CREATE ROLE {stranger}; SET LOCAL ROLE {stranger}; SELECT * FROM {call}"  # noqa: S608 - ours
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for function"):
            await all_rows(settings, statement)


async def test_organisations_are_made_changed_and_listed(settings: Settings) -> None:
    """By name; a landing page is set, kept, and taken away."""
    async with owned_registry(settings) as registry:
        database, org_id = registry.database, uuid4()
        await create_organisation(
            database, registry.secrets, name=" Ours ", landing_url="https://ours.example/join?a=1", org_id=org_id
        )
        await registry.codes.issue_many(org_id, [uuid4(), uuid4()])
        expected = Organisation(
            org_id, "Ours", "https://ours.example/join?a=1", "UTC", 2, ["code", "credential", "webhook"]
        )
        assert await list_organisations(database) == [expected]
        assert await set_organisation(database, org_id, name="Åse") == ("Åse", "https://ours.example/join?a=1", "UTC")
        assert await set_organisation(database, org_id, landing_url="") == ("Åse", None, "UTC")
        with pytest.raises(UnknownOrganisation):
            await set_organisation(database, uuid4(), name="x")


async def test_an_organisation_of_the_codes_topic_is_taken_over_once(settings: Settings) -> None:
    """The topic has named it, so it has no name and no secrets; with them it exists, and stays as it is."""
    org_id = uuid4()
    async with owned_registry(settings) as registry:
        async with registry.database.for_all() as connection:
            await connection.execute("INSERT INTO organisations (org_id) VALUES (%s)", [org_id])
        await registry.new_organisation(org_id=org_id)
        secret = await registry.secrets.in_use(org_id, "code")
        with pytest.raises(OrganisationExists, match=f"rotate-secret {org_id}"):
            await create_organisation(
                registry.database, registry.secrets, name="Theirs", landing_url=None, org_id=org_id
            )
        assert await registry.secrets.good(org_id, "code") == [secret]
        (listed,) = await list_organisations(registry.database)
    assert listed.name == "Ours"


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\0b"])
async def test_bad_names(settings: Settings, name: str) -> None:
    """Nothing is made."""
    async with owned_registry(settings) as registry:
        with pytest.raises(BadOrganisation, match="a name has 1 to 200 characters"):
            await create_organisation(registry.database, registry.secrets, name=name, landing_url=None)
        assert await list_organisations(registry.database) == []


BAD_ADDRESSES = (
    "x",
    "javascript:alert(1)",
    "//example.org",
    "https://",
    "https://user:password@example.org/",
    "https://example.org/a b",
    "https://example.org/\n",
    "https://example.org:port/",
    f"https://example.org/{'x' * 2_000}",
)


async def test_bad_landing_pages(settings: Settings) -> None:
    """People are sent there: http or https, with a host, without a password, and nothing that splits a header."""
    async with owned_registry(settings) as registry:
        org_id = await registry.new_organisation()
        for url in BAD_ADDRESSES:
            with pytest.raises(BadOrganisation, match="is no landing page's address"):
                await set_organisation(registry.database, org_id, landing_url=url)
        assert await set_organisation(registry.database, org_id) == ("Ours", None, "UTC")
