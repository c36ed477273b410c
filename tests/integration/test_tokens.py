"""Every client let in by token (OAUTHBEARER): tokens that run out within seconds, refused ones, and givers behind TLS.

The broker ends the connection of whoever has not shown a new token when the old one has run out (KIP-368), as Kafka
does where `connections.max.reauth.ms` is set, and most who run it for others set it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from operations.acls import Component
from process.reaching import Look
from process.settings import load_settings
from tests.component import ROOT
from tests.crew import Traffic, events, wait_until
from tests.guarded_kafka import USER
from tests.least_rights import Users
from tests.least_rights_at_work import AT_WORK, see_through, with_rights
from tests.own_kafka import own_kafka
from tests.secured_kafka import SecuredKafka, certify
from tests.tokens import Tokens, giver_of_tokens

pytestmark = [pytest.mark.long, pytest.mark.integration, pytest.mark.timeout(420)]

LIFE_S: Final = 10
"""Of a token: each component has several while it works."""
AWAY_S: Final = 25.0
"""All tokens have run out by then, and every component has been refused another one."""
COMMANDS: Final = {
    "topics": ["topics", "create"],
    "acls": ["acls", "apply", "--dry-run"],
    "publish": ["publish", "{file}", "--unchecked"],
    "dead-letters": ["dead-letters", "list"],
    "verify": ["verify", "--no-checkpoint"],
    "stream": ["state", "show"],
    "erase-member": ["erase-member", "0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a", "--yes"],
    "reconcile": ["reconcile"],
}


class ByToken(Users[SecuredKafka]):
    """The components' users, each let in by tokens of its own; the administrator too, but to give rights."""

    tokens: Tokens

    def settings(self, component: str | None, **changed: object) -> Any:  # noqa: ANN401 - as the base's
        """Return the settings of a component, which comes by token."""
        if component is None:
            return super().settings(component, **changed)
        by_token = {
            "bootstrap_servers": self.kafka.at("TOKENS"),
            "sasl_mechanism": "OAUTHBEARER",
            "sasl_username": None,
            "sasl_password": None,
            "sasl_oauth_token_url": self.tokens.url,
            "sasl_oauth_client_id": component,
            "sasl_oauth_client_secret": self.kafka.password_of(component),
            "sasl_oauth_ca_location": self.kafka.folder / "authority.pem",
        }
        return super().settings(component, **by_token | changed)

    def silent(self, *names: str) -> list[str]:
        """Return the components of these that have not said who refuses them, and by which setting."""
        return [name for name in names if not _says_why(self.log(name), self.tokens.url)]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Give one."""
    with own_kafka(SecuredKafka, tmp_path_factory.mktemp("tokens") / "kafka") as kafka:
        yield kafka


@pytest.fixture
def tokens(kafka: SecuredKafka) -> Iterator[Tokens]:
    """Give who gives them, behind TLS with a certificate of the brokers' authority."""
    certificate = certify("giver", kafka.authority).write(kafka.folder / "giver.pem")
    with giver_of_tokens(kafka.password_of, life_s=LIFE_S, certificate=certificate) as tokens:
        yield tokens


@pytest.fixture
def users(
    request: pytest.FixtureRequest, kafka: SecuredKafka, tokens: Tokens, database_url: str, tmp_path: Path
) -> ByToken:
    """Give the components' users, with rights and topics."""
    ByToken.tokens = tokens
    users = ByToken(kafka, database_url, tmp_path, prefix=f"{request.node.name}.")
    with_rights(users)
    return users


def test_each_component_works_by_tokens_that_run_out(users: ByToken, tmp_path: Path) -> None:
    """From a code to an award, a sign-up, a replay and an erasure; nobody has noticed that a token was replaced."""
    see_through(users, tmp_path)
    for name in AT_WORK:
        assert users.tokens.given[name] > 3, users.tokens.given
        lines = [json.loads(line) for line in users.log(name).splitlines() if line.startswith("{")]
        wrong = [line for line in lines if line.get("level") == "error" or "kafka_" in str(line.get("event"))]
        assert wrong == [], name
    for words in (["show"], ["accept", "--partition", "0"], ["rebuild", "--all"]):
        users.run("stream", "state", *words)
    assert "records checked, 2 wrong" in users.run("verify", "producers", "check", code=1)
    assert users.told("dead-letters", "dead-letters", "list")
    assert set(users.tokens.given) == set(Component)
    assert not users.tokens.refused


def test_who_gets_no_tokens_for_a_while_goes_on_after_it(users: ByToken) -> None:
    """Each component says meanwhile who refuses it and by which setting; what was sent meanwhile is counted once."""
    settings = users.settings(Component.PUBLISH)
    with users.at_work(*AT_WORK):
        traffic = Traffic(events(2_000, settings, seed=5, mentors=200), settings, events_per_s=None)
        traffic.start()
        traffic.finish()
        users.wait_for("SELECT count(*) > 20 FROM mentor_counts", (True,))
        users.web_url()
        users.tokens.is_open = False
        time.sleep(AWAY_S)
        wait_until(lambda: not users.silent(*AT_WORK), f"{users.silent(*AT_WORK)} do not say why")
        assert users.tokens.refused.keys() >= set(AT_WORK)
        users.tokens.is_open = True
        traffic = Traffic(events(2_000, settings, seed=6, mentors=200), settings, events_per_s=None)
        traffic.start()
        traffic.finish()
        users.run("verify", "verify", "--wait", "120", "--no-checkpoint")


def test_every_command_says_who_refuses(users: ByToken, tmp_path: Path) -> None:
    """A wrong secret: where tokens are asked for, as whom, and the settings that say so."""
    file = tmp_path / "events.jsonl"
    file.write_text("")
    users.tokens.is_open = False
    whole: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT}
    started = {
        name: subprocess.Popen[str](
            [sys.executable, "-P", "-m", "commands", *(word.format(file=file) for word in words)],
            env=users.environment(name), **whole,
        )
        for name, words in COMMANDS.items()
    }  # fmt: skip
    said = {name: process.communicate(timeout=120)[0] for name, process in started.items()}
    assert {name for name, process in started.items() if process.returncode == 0} == set()
    assert {name: text for name, text in said.items() if not _says_why(text, users.tokens.url)} == {}


def test_whose_certificate_nobody_vouches_for_is_not_believed(kafka: SecuredKafka, tokens: Tokens) -> None:
    """Without the setting the machine's authorities are asked, who do not know ours; the message says both."""
    ByToken.tokens = tokens
    given: dict[str, Any] = {
        "bootstrap_servers": kafka.at("TOKENS"), "security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER",
        "ssl_ca_location": kafka.folder / "authority.pem", "sasl_oauth_token_url": tokens.url,
        "sasl_oauth_client_id": USER, "sasl_oauth_client_secret": kafka.password_of(USER),
    }  # fmt: skip
    look = Look(load_settings(**given))
    assert not look.answers(3.0)
    assert _says_why(str(look), tokens.url)
    assert "(REFERRALS_SASL_OAUTH_CA_LOCATION) vouches for who answers there" in str(look)
    assert not tokens.given
    assert Look(load_settings(**given, sasl_oauth_ca_location=kafka.folder / "authority.pem")).answers(10.0)
    assert tokens.given[USER] == 1


def _says_why(text: str, url: str) -> bool:
    return all(words in text for words in (url, "REFERRALS_SASL_OAUTH_TOKEN_URL", "REFERRALS_SASL_OAUTH_CLIENT_SECRET"))
