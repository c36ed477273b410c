"""Starts an installation: parts, then topics and tables, then the components; and stops it in the opposite order.

The order matters once: the components find their topics and tables, instead of failing until these are there.
"""

from __future__ import annotations

import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import SecretStr

from edges.registry.keys import load_or_make_keys
from local import parts
from local.installation.components import COMPONENTS, MAIL, process_names
from local.installation.holder import find_holder, is_held
from local.installation.monitoring import choose_ports
from local.installation.web import LOGIN, WEB, choose_port, url_of, web_url
from local.parts.databases import with_user
from local.parts.supervisor import Supervisor
from process.settings import Settings, field_of, load_settings, variable_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


WEB_PORT: Final = "web-port"
"""The file in the data directory that keeps the port of the HTTP side."""


class Installation:
    """What runs: the parts, the settings under which the components work, and the supervisor that holds them."""

    def __init__(
        self,
        parts_: parts.Parts,
        settings: Settings,
        supervisor: Supervisor,
        processes: Mapping[str, str],
        monitoring_ports: Mapping[str, int],
        former_members: frozenset[str],
    ) -> None:
        self.parts = parts_
        self.settings = settings
        self.supervisor = supervisor
        self.processes = processes
        """What each process is called, and its component: `stream-1` to `stream`."""
        self._monitoring_ports = monitoring_ports
        self._former_members = former_members

    @property
    def environment(self) -> dict[str, str]:
        """The variables under which any command of ours works on this installation; secrets are left out.

        It finds those that were made for the installation in its data directory.
        """
        given = as_environment(self.settings)
        return {name: value for name, value in given.items() if not _is_secret(name)}

    @property
    def web_url(self) -> str:
        """Where the HTTP side is."""
        return web_url(self.settings)

    @property
    def addresses(self) -> dict[str, str]:
        """Where it is, as `up --json` prints it."""
        return {
            "bootstrap_servers": self.settings.bootstrap_servers,
            "database_url": self.settings.database_url,
            "web_url": self.web_url,
        }

    @property
    def monitoring_urls(self) -> dict[str, str]:
        """Where each process answers /metrics, /health/live and /health/ready, by what it is called."""
        urls = {name: url_of(self.settings.monitoring_host, port) for name, port in self._monitoring_ports.items()}
        web = {name: self.web_url for name, component in self.processes.items() if component == WEB}
        return urls | web

    def wait_until_ready(self, announce: Callable[[str], None]) -> None:
        """Wait until each process is at work, and announce each; raise NotReady where one does not come."""
        from local.installation.readiness import wait_until_ready  # noqa: PLC0415  Kafka's client is slow to import

        wait_until_ready(
            self.settings, self.processes, self.supervisor, former_members=self._former_members, announce=announce
        )


@contextmanager
def start_installation(
    settings: Settings | None = None,
    *,
    data_dir: Path | None,
    durable: bool,
    components: Sequence[str] | None = None,
    kind: parts.Kind = "auto",
    wait_ready: bool = True,
    announce: Callable[[str], None],
) -> Iterator[Installation]:
    """Start everything, give it to the body of the `with` when it is ready, and stop it after that.

    Args:
        settings: the installation's; None: the environment's. The addresses in it count where they were given.
        data_dir: where data and logs are kept; None: a temporary directory, removed at the end.
        durable: False spares every sync to disk, for data that is thrown away.
        components: what is to run; one named twice runs in two processes, `stream-1` and `stream-2`; None: one of each,
            and `mail` where there is a mail server.
        kind: which Kafka and Postgres (`local.parts.start`).
        wait_ready: False gives it as soon as topics and tables are there and the components are started.
        announce: told in lines of text what happens; also later, from other threads, of ends and restarts.

    Raises:
        PartsError: Kafka, Postgres or a component does not come up; the message says which and why.
        KafkaAway: the Kafka that was given does not answer.

    """
    settings = settings or load_settings()
    if components is None:
        components = (*COMPONENTS, WEB, *(() if settings.smtp_host is None else (MAIL,)))
    if data_dir is not None and is_held(data_dir):  # before anything of ports is said: whoever holds it has them
        raise _in_use(data_dir, find_holder(data_dir) or "another run")
    if kind in {"auto", "external"} and settings.is_given("bootstrap_servers"):
        from process.reaching import require_kafka  # noqa: PLC0415  Kafka's client is slow to import

        require_kafka(settings, announce)
    port = choose_port(settings, data_dir / WEB_PORT if data_dir is not None else None, announce)
    given_url = settings.database_url if settings.is_given("database_url") else None
    with (
        _holder_named(data_dir),
        parts.start(kind, data_dir=data_dir, durable=durable, settings=settings, announce=announce) as running,
    ):
        found = {"bootstrap_servers": running.bootstrap_servers, "database_url": running.database_url}
        if "REFERRALS_SECURITY_PROTOCOL" in running.environment():
            found["security_protocol"] = "PLAINTEXT"
        settings = settings.model_copy(update={**found, "data_dir": running.data_dir, "web_port": port})
        if settings.public_url is None:
            settings = settings.model_copy(update={"public_url": web_url(settings)})
        if settings.web_database_url is None and running.database_url != given_url:
            # Postgres is ours, so that the login can be made; its password is another each time.
            web = with_user(running.database_url, LOGIN, secrets.token_urlsafe(24))
            settings = settings.model_copy(update={"web_database_url": web})
        load_or_make_keys(running.data_dir)
        former_members = _set_up(settings)
        at_postgres = {} if running.database_url == given_url else _logins(settings)
        processes = process_names(components)
        ports = choose_ports(settings, [name for name, component in processes.items() if component != WEB], announce)
        with Supervisor(
            log_dir=running.data_dir / "logs",
            env=as_environment(settings),
            announce=announce,
            running=running.running,
        ) as supervisor:
            for name, component in processes.items():
                monitored = {"REFERRALS_MONITORING_PORT": str(ports[name])} if name in ports else {}
                if component in at_postgres:
                    monitored["REFERRALS_DATABASE_URL"] = at_postgres[component]
                command = [sys.executable, "-P", "-m", "commands", component]
                live_url = _live_url(settings, component, ports.get(name))
                supervisor.start(name, command, env=monitored, live_url=live_url)
            installation = Installation(running, settings, supervisor, processes, ports, former_members)
            if wait_ready:
                installation.wait_until_ready(announce)
            yield installation


def _live_url(settings: Settings, component: str, port: int | None) -> str | None:
    """Return where a process of the component answers while it lives; None where it does not."""
    if component == WEB:
        return f"{web_url(settings)}/health/live"
    return None if port is None else f"{url_of(settings.monitoring_host, port)}/health/live"


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the settings that were given as the variables that give them."""
    return {
        variable_of(name): _as_text(value)
        for name in sorted(settings.model_fields_set)
        if (value := getattr(settings, name)) is not None
    }


def _is_secret(variable: str) -> bool:
    field = Settings.model_fields[field_of(variable)]
    return SecretStr in get_args(field.annotation)


def _as_text(value: Any) -> str:  # noqa: ANN401  the type of any setting
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@contextmanager
def _holder_named(data_dir: Path | None) -> Iterator[None]:
    """Where the directory is in use, say by whom."""
    try:
        yield
    except parts.PartsError as error:
        holder = find_holder(data_dir) if data_dir is not None and "in use" in str(error) else None
        if holder is None:
            raise
        raise _in_use(data_dir, holder) from None


def _in_use(data_dir: Path | None, holder: str) -> parts.PartsError:
    return parts.PartsError(f"{data_dir} is in use by {holder}: stop that, or choose another directory with --data-dir")


def _logins(settings: Settings) -> dict[str, str]:
    """Make the components' own logins at a Postgres that is ours, and return the addresses by them."""
    from sinks import logins  # noqa: PLC0415  imported while Kafka starts, not before

    who = logins.logins(f"{settings.topic_prefix}{logins.PLACE}", (*COMPONENTS, MAIL), {})
    passwords = {login.component: secrets.token_urlsafe(24) for login in who}
    # The tables stay whose they are: other commands come as him.
    logins.apply(settings.database_url, who, given_passwords=passwords, hand_over=False)
    return {
        login.component: logins.address(settings.database_url, login.name, passwords[login.component]) for login in who
    }


def _set_up(settings: Settings) -> frozenset[str]:
    """Create the topics, migrate the database, and return who is left in the consumer groups; all at the same time."""
    from local.installation.readiness import members_now  # noqa: PLC0415  imported while Kafka starts, not before
    from operations.topics import create_topics  # noqa: PLC0415  the same
    from sinks.migrate import migrate  # noqa: PLC0415  the same

    with ThreadPoolExecutor(3, thread_name_prefix="set-up") as pool:
        topics = pool.submit(create_topics, settings)
        tables = pool.submit(migrate, settings.database_url, web_database_url=settings.web_database_url)
        members = pool.submit(members_now, settings)
        topics.result()
        tables.result()
        return members.result()
