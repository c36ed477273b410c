"""On a real broker behind TLS: let in by password, by certificate, by token, and by nothing less; the least rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from operations.acls import Component
from process.settings import load_settings
from tests.crew import wait_until
from tests.guarded_kafka import PASSWORD, USER
from tests.integration.test_topics_guarded import Guarded
from tests.least_rights import PREFIX, Users
from tests.least_rights_at_work import see_through, with_rights
from tests.own_kafka import own_kafka
from tests.pgbouncer import pgbouncer
from tests.secured_kafka import KEY_PASSWORD, SecuredKafka
from tests.snippets import run_by
from tests.terminal import Terminal
from tests.tokens import giver_of_tokens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

IMPLIED: Final = {"READ": "DESCRIBE", "WRITE": "DESCRIBE", "ALTER_CONFIGS": "DESCRIBE_CONFIGS"}
"""What Kafka lets somebody do besides."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Give one."""
    with own_kafka(SecuredKafka, tmp_path_factory.mktemp("secured") / "kafka") as kafka:
        kafka.let_in(USER)
        yield kafka


@pytest.fixture(scope="module")
def ways(kafka: SecuredKafka) -> Iterator[dict[str, dict[str, Any]]]:
    """Give the settings of who comes by each listener."""
    authority = {"ssl_ca_location": kafka.folder / "authority.pem"}
    with giver_of_tokens(kafka.password_of) as tokens:
        yield {
            "SCRAM": authority
            | {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}
            | {"sasl_username": USER, "sasl_password": PASSWORD},
            "MUTUAL": authority
            | {"security_protocol": "SSL", "ssl_certificate_location": kafka.folder / "user.pem"}
            | {"ssl_key_location": kafka.folder / "user.key", "ssl_key_password": KEY_PASSWORD},
            "TOKENS": authority
            | {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_url": tokens.url}
            | {"sasl_oauth_client_id": USER, "sasl_oauth_client_secret": PASSWORD, "sasl_oauth_scope": "kafka"},
        }


def test_a_worker_counts_however_it_is_let_in(
    kafka: SecuredKafka, ways: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Both of its clients, aiokafka and librdkafka, are told the same; it is the same user each time."""
    installation = Guarded(kafka.bootstrap_servers, tmp_path_factory.mktemp("worker"))
    installation.make()
    for number, (listener, security) in enumerate(ways.items(), start=1):
        installation.of_user = installation.environment(kafka.at(listener), **security)
        installation.log.write_text("")
        installation.count(number)


@pytest.mark.parametrize(
    ("listener", "wrong"),
    [
        ("SCRAM", {"sasl_password": "another"}),
        ("SCRAM", {"ssl_ca_location": None}),
        ("MUTUAL", {"ssl_certificate_location": None, "ssl_key_location": None}),
        ("TOKENS", {"sasl_oauth_client_secret": "another"}),
    ],
)
def test_who_proves_less_is_not_let_in(
    kafka: SecuredKafka, ways: dict[str, dict[str, Any]], listener: str, wrong: dict[str, Any]
) -> None:
    """Nor is a broker believed whose certificate nobody vouches for."""

    def listed(**changed: Any) -> set[str]:  # noqa: ANN401 - of any field
        settings = load_settings(bootstrap_servers=kafka.at(listener), **ways[listener] | changed)
        return set(AdminClient({**settings.kafka_client_config(), "log_level": 0}).list_topics(timeout=2).topics)

    assert isinstance(listed(), set)
    with pytest.raises(KafkaException):
        listed(**wrong)


@pytest.fixture
def users(kafka: SecuredKafka, database_url: str, tmp_path: Path) -> Users[SecuredKafka]:
    """Give the components' users with the rights of `acls apply`, given twice, and the topics, made by one of them."""
    return with_rights(Users(kafka, database_url, tmp_path))


@pytest.fixture
def pooled_users(kafka: SecuredKafka, database_url: str, tmp_path: Path) -> Iterator[Users[SecuredKafka]]:
    """Give the same of another installation, with a PgBouncer in transaction mode before its Postgres."""
    users = Users(kafka, database_url, tmp_path, prefix="pooled.")
    with pgbouncer(tmp_path / "pgbouncer", database_url, users.passwords) as url:
        users.come_by(url)
        yield with_rights(users)


def test_each_component_does_its_work_and_no_others(users: Users[SecuredKafka], tmp_path: Path) -> None:
    """From a code to an award, each step by its own user; and what is another's the broker refuses."""
    see_through(users, tmp_path)
    _keep_apart(users)


def test_rights_are_given_as_the_page_says(kafka: SecuredKafka, database_url: str, tmp_path: Path) -> None:
    """By the administrator, from a terminal; what is there already is not given again."""
    (tmp_path / "terminal").mkdir()
    terminal = Terminal(tmp_path / "terminal", **Users(kafka, database_url, tmp_path).environment(None))
    for snippet in run_by("tests/integration/test_secured.py", "docs/secure.md"):
        assert "added User:CN=web,O=Birch: " in terminal.paste(snippet.text)
        assert terminal.paste(snippet.text).splitlines()[-1].startswith("0 added")


@pytest.mark.long
def test_each_component_does_its_work_behind_pgbouncer(pooled_users: Users[SecuredKafka], tmp_path: Path) -> None:
    """In transaction mode, with three connections for each login; none of them stumbles over it."""
    see_through(pooled_users, tmp_path)
    for name in ("stream", "badges", "counts", "web"):
        lines = [json.loads(line) for line in pooled_users.log(name).splitlines() if line.startswith("{")]
        assert [line for line in lines if line.get("level") in {"warning", "error"}] == []


def _keep_apart(users: Users[SecuredKafka]) -> None:
    """See that the broker lets nobody do what is another's, as it says itself and as it does when it is tried."""
    everything = set(users.topics)
    for component in Component:
        wanted: dict[str, set[str]] = {}
        for right in users.rights[component]:
            names = {operation.name for operation in right.operations}
            wanted.setdefault(right.name, set()).update(names | {IMPLIED[name] for name in names & IMPLIED.keys()})
        expected = {name: wanted[name] for name in users.topics if name in wanted}
        assert users.may(component) == expected, component
        assert users.refused(component) == everything, component
        assert users.groups_seen(component) == users.groups_seen(None, component), component
        assert users.may_begin(component, f"{PREFIX}stream-0") == (component is Component.STREAM)
    with users.at_work("badges", user="counts"):
        wait_until(lambda: "Group authorization failed" in users.log("badges"), users.log("badges"))
    said = users.run("badges", "stream", code=1)
    assert f"topic {PREFIX}codes.v1 does not exist or this user may not DESCRIBE it" in said
    said = users.run("counts", "topics", "create", code=1)
    assert f"topic {PREFIX}milestones.v1 is missing, and this user may not create it" in said
