"""Two badge consumers under load: one is frozen past its session timeout; Postgres is killed again and again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from local.parts import Parts
from models.badges import SEEDED_DEFINITIONS
from process.settings import Settings
from tests.installation import Installation, wait_until
from tests.milestones import ORG, milestone, new_id

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

POSTGRES_KILLS = 5


@pytest.fixture
def installation(settings: Settings) -> Installation:
    """Give an installation with topics."""
    return Installation(settings.model_copy(update={"partitions": 4}))


class Load:
    """Mentors who reach 1, 5 and 10, published until stopped; they become known only at the end."""

    def __init__(self, installation: Installation) -> None:
        self.mentors: list[str] = []
        self._installation = installation
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Publish during the body, then make every mentor known."""
        publisher = threading.Thread(target=self._publish)
        publisher.start()
        try:
            yield
        finally:
            self._stop.set()
            publisher.join()
        with psycopg.connect(self._installation.settings.database_url) as connection:
            connection.execute("INSERT INTO organisations VALUES (%s)", [ORG])
            connection.cursor().executemany(
                "INSERT INTO mentors VALUES (%s, %s)", [(ORG, mentor_id) for mentor_id in self.mentors]
            )

    def _publish(self) -> None:
        while not self._stop.wait(0.05):
            batch = [new_id() for _ in range(10)]
            self._installation.publish(*(milestone(t, mentor_id=m) for m in batch for t in (1, 5, 10)))
            self.mentors += batch

    def assert_exact(self) -> None:
        """Wait until all is read and awarded, and find each award and each decision exactly once."""
        expected = 3 * len(self.mentors)
        explain = self._installation.explain
        wait_until(lambda: self._installation.count("badge_awards") == expected, explain)
        wait_until(lambda: self._installation.committed("badges") == expected, explain)
        decided = self._installation.query("SELECT count(*) FROM badge_decisions WHERE badge_id IS NOT NULL")
        assert decided == [(expected * len(SEEDED_DEFINITIONS),)]
        assert self._installation.query("SELECT DISTINCT state FROM milestones") == [("decided",)]


@pytest.mark.long
def test_frozen_past_the_session_timeout(installation: Installation) -> None:
    """A consumer frozen, maybe in a transaction, holds the other up for seconds; when it wakes nothing is doubled."""
    load = Load(installation)
    with installation.running("badges") as frozen, installation.running("badges"):
        with load.running():
            wait_until(lambda: installation.count("milestones") > 0, installation.explain)
            frozen.signal(signal.SIGSTOP)
            time.sleep(installation.settings.session_timeout_s + 2)
            before = installation.count("milestones")
            wait_until(lambda: installation.count("milestones") > before, installation.explain)  # the other goes on
            frozen.signal(signal.SIGCONT)
            time.sleep(2)
        load.assert_exact()


def test_postgres_killed_again_and_again(installation: Installation, parts: Parts) -> None:
    """Postgres is killed without order several times under load: every award once, and no process ends."""
    name = installation.settings.database_url.rsplit("/", 1)[1]
    installation.query(f'ALTER DATABASE "{name}" SET synchronous_commit = on')  # off in tests: a kill may lose commits
    load = Load(installation)
    with installation.running("badges"), installation.running("badges"):
        with load.running():
            wait_until(lambda: installation.count("milestones") > 0, installation.explain)
            for _ in range(POSTGRES_KILLS):
                parts.postgres.kill()
                time.sleep(0.5)
                parts.postgres.start()
                time.sleep(1)
        load.assert_exact()
