"""Certificates renewed under way: every component starts afresh by itself, and then the old ones are good no more.

The broker's listener lets nobody in without a certificate. It is started again with another certificate and another
authority: who had not taken the new files would neither believe it nor be let in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from operations.acls import Component
from tests.crew import Traffic, events, wait_until
from tests.least_rights import Users
from tests.own_kafka import own_kafka
from tests.own_postgres import own_postgres
from tests.secured_kafka import Certificate, SecuredKafka, certify

pytestmark = [pytest.mark.long, pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(300)]

STARTED: Final = {"stream": "partitions_ready", "web": "web_listens"}
AT_WORK: Final = ("stream", "badges", "counts", "web")
NEW_AUTHORITY: Final = certify("another authority")


class Renewing(SecuredKafka):
    """A broker that believes a second authority, and in the end that one alone."""

    def prepare(self) -> None:
        """Believe both."""
        super().prepare()
        with (self.folder / "authority.pem").open("ab") as file:
            file.write(NEW_AUTHORITY.as_pem())

    def renew(self) -> None:
        """Start again, as a crash would have it, with a certificate of the new authority, which alone is believed."""
        self.kill()
        certify("broker", NEW_AUTHORITY).write(self.folder / "broker.pem")
        (self.folder / "authority.pem").write_bytes(NEW_AUTHORITY.as_pem())
        self.start()


class Certified(Users[Renewing]):
    """The components' users by certificate, each from a folder of its own."""

    def certify(self, component: str, by: Certificate, *believed: Certificate) -> None:
        """Write whom it believes, and its certificate and key, first the key."""
        folder = self.folder / component
        folder.mkdir(exist_ok=True)
        (folder / "authority.pem").write_bytes(b"".join(each.as_pem() for each in believed))
        certify(component, by).write(folder / "new.pem", key=folder / "user.key")
        time.sleep(0.2)
        (folder / "new.pem").replace(folder / "user.pem")

    def settings(self, component: str | None, **changed: object) -> Any:  # noqa: ANN401 - as the base's
        """Return the settings of a component, which comes by certificate."""
        if component not in AT_WORK:
            return super().settings(component, **changed)
        by_certificate = {
            "bootstrap_servers": self.kafka.at("MUTUAL"),
            "security_protocol": "SSL",
            "sasl_mechanism": None,
            "sasl_username": None,
            "sasl_password": None,
            "ssl_ca_location": self.folder / component / "authority.pem",
            "ssl_certificate_location": self.folder / component / "user.pem",
            "ssl_key_location": self.folder / component / "user.key",
        }
        return super().settings(component, **by_certificate | changed)


@pytest.fixture
def users(tmp_path: Path) -> Iterator[Certified]:
    """Give an installation whose components have certificates of the first authority, and believe it alone."""
    with (
        own_kafka(Renewing, tmp_path / "kafka") as kafka,
        own_postgres(tmp_path / "postgres") as url,
    ):
        users = Certified(kafka, url, tmp_path)
        users.run(None, "acls", "apply", "--principals", "User:{component}")
        users.run("topics", "topics", "create")
        for component in AT_WORK:
            users.certify(component, kafka.authority, kafka.authority)
        yield users


def test_each_starts_afresh_and_nothing_is_lost(users: Certified) -> None:
    """As the same processes; share links and pages are answered all the time; the oracle finds nothing wrong."""
    settings = users.settings(Component.PUBLISH)
    with users.at_work(*AT_WORK):
        pids = {name: users.pid(name) for name in AT_WORK}
        asking = Asking(users.web_url())
        asking.start()
        traffic = Traffic(events(None, settings, seed=3, mentors=300), settings, events_per_s=100)
        traffic.start()
        users.wait_for("SELECT count(*) > 20 FROM mentor_counts", (True,))
        for name, text in STARTED.items():
            wait_until(lambda name=name, text=text: text in users.log(name), f"{name} is not at work")  # type: ignore[misc]
        for component in AT_WORK:
            users.certify(component, NEW_AUTHORITY, users.kafka.authority, NEW_AUTHORITY)
        for name in AT_WORK:
            wait_until(lambda name=name: "certificates_renewed" in users.log(name), f"{name} saw no new certificate")  # type: ignore[misc]
        for name, text in STARTED.items():
            wait_until(lambda name=name, text=text: users.log(name).count(text) > 1, f"{name} is not at work again")  # type: ignore[misc]
        users.kafka.renew()
        time.sleep(5.0)
        traffic.end()
        asking.end()
        users.run("verify", "verify", "--wait", "90", "--no-checkpoint")
        assert {name: users.pid(name) for name in AT_WORK} == pids


class Asking(threading.Thread):
    """Asks the HTTP side whether it lives, ten times a second, each time by a new connection."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/health/live"
        self._ended = threading.Event()
        self._answers: list[str] = []

    def run(self) -> None:
        """Ask until the end; called by the thread."""
        while not self._ended.wait(0.1):
            try:
                self._answers.append(str(httpx.get(self._url, timeout=120).status_code))
            except httpx.HTTPError as error:
                self._answers.append(type(error).__name__)

    def end(self) -> None:
        """Ask no more, and see that each was answered."""
        self._ended.set()
        self.join()
        assert set(self._answers) == {"200"}, {each: self._answers.count(each) for each in self._answers}
