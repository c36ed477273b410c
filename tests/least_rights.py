"""An installation on a secured Kafka in which each component comes as a user of its own there, and in Postgres."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Generic, LiteralString, TypeVar

import psycopg
from confluent_kafka import KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient, ResourceType  # type: ignore[attr-defined]  # not in its __all__
from pydantic import SecretStr

from local.installation.starting import as_environment
from models.topics import TOPICS
from operations.acls import PREFIXED, Component, OwnTopics, Right, rights
from process.settings import Settings, load_settings
from sinks import logins
from streams.app import engine_options
from tests.component import ROOT
from tests.crew import wait_until
from tests.guarded_kafka import TIMEOUT_S
from tests.secured_kafka import SecuredBrokers
from tests.web import JWT_SECRET, SECRET_KEYS

Brokers = TypeVar("Brokers", bound=SecuredBrokers)
PREFIX: Final = "least."
RUN_S: Final = 180.0
"""More than `verify --wait` is ever told, or what it has found would be lost with it."""
DENIED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


class Users(Generic[Brokers]):
    """The components' users, each by SCRAM behind TLS; and the administrator, who gives them their rights."""

    def __init__(
        self,
        kafka: Brokers,
        database_url: str,
        folder: Path,
        *,
        prefix: str = PREFIX,
        **given: Any,  # noqa: ANN401 - of any setting
    ) -> None:
        self.kafka = kafka
        self._given = given
        self.prefix = prefix
        self._database_url = database_url
        who = logins.logins(f"{prefix}{logins.PLACE}", logins.ROLES_OF, {})
        of_components = {login.component: kafka.password_of(login.component) for login in who}
        logins.apply(database_url, who, given_passwords=of_components)
        self.passwords = {login.name: of_components[login.component] for login in who}
        """In Postgres, by login."""
        self._names = {login.component: login.name for login in who}
        self.come_by(database_url)
        self.folder = folder
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        kafka.let_in(*Component)
        app = engine_options(self.settings(None))
        self.own = OwnTopics([app.changelog(table) for table in app.tables], app.leader_topic)
        self.rights: dict[Component, list[Right]] = rights(self.settings(None), self.own)
        self.topics = [topic.full_name(prefix) for topic in TOPICS] + [*self.own.changelogs, self.own.leader]

    def come_by(self, database_url: str) -> None:
        """Let the components come to Postgres by another address of it."""
        self._at_postgres = {
            component: logins.address(database_url, name, self.passwords[name])
            for component, name in self._names.items()
        }

    def change(self, **given: object) -> None:
        """Let everybody have other settings from now on."""
        self._given |= given

    def settings(self, component: str | None, **changed: object) -> Settings:
        """Return the settings of a component; None: the administrator's."""
        by_password = {
            "bootstrap_servers": self.kafka.at("SCRAM"),
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": component,
            "sasl_password": self.kafka.password_of(str(component)),
            "ssl_ca_location": self.kafka.folder / "authority.pem",
            # Who has none must not ask for one: nobody listens there.
            "database_url": self._at_postgres.get(str(component), "postgresql://nobody@127.0.0.1:1/none"),
        }
        given: dict[str, Any] = {
            "bootstrap_servers": self.kafka.bootstrap_servers,
            "database_url": self._database_url,
            "topic_prefix": self.prefix,
            "partitions": 2,
            "data_dir": self.folder / "data",
            "web_port": 0,
            "monitoring_port": "off",
            "secret_keys": SecretStr(SECRET_KEYS),
            "jwt_secret": SecretStr(JWT_SECRET),
            "log_format": "json",
            **self._given,
        }
        return load_settings(**given | ({} if component is None else by_password) | changed)

    def run(self, component: str | None, *arguments: str, code: int = 0) -> str:
        """Run a command as a component's user, or as the administrator; return what it says."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "commands", *arguments],
            cwd=ROOT, env=self.environment(component), capture_output=True, text=True, check=False, timeout=RUN_S,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    def told(self, component: str, *arguments: str) -> dict[str, Any]:
        """Return what a command says with --json."""
        found: dict[str, Any] = json.loads(self.run(component, *arguments, "--json"))
        return found

    @contextmanager
    def at_work(self, *components: str, user: str | None = None) -> Iterator[None]:
        """Run components for the body, each as its own user or another of Kafka's; they must end well."""
        for name in components:
            with self._file(name).open("wb") as log:
                self._started[name] = subprocess.Popen(
                    [sys.executable, "-P", "-m", "commands", name],
                    cwd=ROOT, env=self.environment(user or name, name), stdout=log, stderr=log,
                )  # fmt: skip
        try:
            yield
            for process in self._started.values():
                process.send_signal(signal.SIGTERM)
            for name, process in self._started.items():
                assert process.wait(TIMEOUT_S) == 0, self.log(name)
        finally:
            for process in self._started.values():
                process.kill()
                process.wait()

    def pid(self, component: str) -> int:
        """Return the process id of a component that was started."""
        return self._started[component].pid

    def log(self, component: str) -> str:
        """Return what a component has logged."""
        return self._file(component).read_text(errors="replace")

    def web_url(self) -> str:
        """Return where the HTTP side listens, as its log says."""
        wait_until(lambda: '"web_listens"' in self.log("web"), self.log("web"))
        line = next(line for line in self.log("web").splitlines() if '"web_listens"' in line)
        return str(json.loads(line)["url"])

    def wait_for(self, query: LiteralString, wanted: tuple[object, ...], *values: str) -> None:
        """Wait until a query gives this row."""

        def found() -> tuple[object, ...] | None:
            with psycopg.connect(self._database_url) as connection:
                return connection.execute(query, values).fetchone()

        logs = "\n".join(self.log(name)[-1500:] for name in self._started)
        wait_until(lambda: found() == wanted, f"{query} is {found()}, not {wanted}\n{logs}")

    def may(self, component: Component) -> dict[str, set[str]]:
        """Return what the broker itself says that somebody may do, by topic."""
        admin = AdminClient({**self.settings(component).kafka_client_config(), "log_level": 0})
        answers = admin.describe_topics(TopicCollection(self.topics), include_authorized_operations=True)
        found = {}
        for name, answer in answers.items():
            try:
                found[name] = {operation.name for operation in answer.result(TIMEOUT_S).authorized_operations or ()}
            except KafkaException as error:
                if error.args[0].code() not in DENIED:
                    raise
        return found

    def groups_seen(self, who: Component | None, of: Component | None = None) -> set[str]:
        """Return the groups that somebody sees (None: the administrator), or those that are a component's to see."""
        admin = AdminClient({**self.settings(who).kafka_client_config(), "log_level": 0})
        found = {group.group_id for group in admin.list_consumer_groups().result(TIMEOUT_S).valid}
        if of is None:
            return found
        ours = [right for right in self.rights[of] if right.kind is ResourceType.GROUP]
        return {
            name
            for name in found
            if any(name == right.name or (right.pattern is PREFIXED and name.startswith(right.name)) for right in ours)
        }

    def refused(self, component: Component) -> set[str]:
        """Try to write to every topic that is not this component's to write to; return those that refused."""
        ours = set(self.topics) & {
            right.name for right in self.rights[component] if AclOperation.WRITE in right.operations
        }
        refused = set()

        def note(error: KafkaError | None, message: Any) -> None:  # noqa: ANN401 - librdkafka's
            if error is not None and error.code() in DENIED:
                refused.add(message.topic())

        producer = Producer({**self.settings(component).kafka_client_config(), "log_level": 0})
        for topic in set(self.topics) - ours:
            producer.produce(topic, b"{}", b"key", on_delivery=note)
        producer.flush(TIMEOUT_S)
        return refused | ours

    def may_begin(self, component: Component, transactional_id: str) -> bool:
        """Tell whether somebody may begin, and so fence others, under an id."""
        config = {**self.settings(component).kafka_client_config(), "log_level": 0}
        try:
            Producer({**config, "transactional.id": transactional_id}).init_transactions(TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in DENIED:
                raise
            return False
        return True

    def environment(self, user: str | None, component: str | None = None) -> dict[str, str]:
        """Return the variables of somebody's user at Kafka, and of a component's login, or the same's, at Postgres."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")}
        of_other = {"database_url": self._at_postgres[component]} if component in self._at_postgres else {}
        return inherited | as_environment(self.settings(user, **of_other))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.log"
