"""A worker on a real broker behind TLS: let in by password, by certificate, by token, and by nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from process.settings import load_settings
from tests.guarded_kafka import PASSWORD, USER
from tests.integration.test_topics_guarded import Guarded
from tests.own_kafka import own_kafka
from tests.secured_kafka import KEY_PASSWORD, SecuredKafka, giver_of_tokens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Give one."""
    with own_kafka(SecuredKafka, tmp_path_factory.mktemp("secured") / "kafka") as kafka:
        kafka.let_in()
        yield kafka


@pytest.fixture(scope="module")
def ways(kafka: SecuredKafka) -> Iterator[dict[str, dict[str, Any]]]:
    """Give the settings of who comes by each listener."""
    authority = {"ssl_ca_location": kafka.folder / "authority.pem"}
    with giver_of_tokens() as url:
        yield {
            "SCRAM": authority
            | {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}
            | {"sasl_username": USER, "sasl_password": PASSWORD},
            "MUTUAL": authority
            | {"security_protocol": "SSL", "ssl_certificate_location": kafka.folder / "user.pem"}
            | {"ssl_key_location": kafka.folder / "user.key", "ssl_key_password": KEY_PASSWORD},
            "TOKENS": authority
            | {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_url": url}
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
