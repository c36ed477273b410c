"""Two installations on one real Kafka: each counts its own, whoever restarts; and those who had one name until now."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient

from models.topics import CLICKS, CODES
from process.setting_groups.stream import FORMER_APP_ID
from process.settings import Settings, load_settings
from proof.verify.oracle import Oracle
from tests.component import environment
from tests.crew import READY, ROOT, Crew, differences, wait_until
from tests.integration.test_stream_app import counts_of, send

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

CODE: Final = "ABCDEFGH"
AT: Final = "2026-11-20T10:00:00Z"
TIMEOUT_S: Final = 30.0


class Programme:
    """An installation with one worker and one code, the same code as the others'."""

    def __init__(self, settings: Settings, directory: Path, *, app_id: str | None = None) -> None:
        name = {"app_id": app_id} if app_id else {}
        self.settings = load_settings(
            bootstrap_servers=settings.bootstrap_servers,
            database_url=settings.database_url,
            topic_prefix=f"test-{uuid4().hex[:12]}.",
            partitions=settings.partitions,
            **name,
        )
        self.crew = Crew(self.settings, directory)
        self._workers = 0
        issued = {"referral_code": CODE, "org_id": str(uuid4()), "mentor_id": str(uuid4()), "issued_at": AT}
        send(self.settings, [(CODES, CODE, issued)])

    @property
    def worker(self) -> str:
        """The last worker."""
        return f"{self.settings.topic_prefix}{self._workers}"

    def start(self) -> None:
        """Start a worker and wait until it has its partitions."""
        self._workers += 1
        self.crew.start(self.worker, "stream")
        self.crew.wait_log(self.worker, READY)

    def restart(self) -> None:
        """Kill the worker and start another one."""
        self.crew.kill(self.worker)
        self.start()

    def click(self, count: int) -> None:
        """Let so many clicks come."""
        click = {"referral_code": CODE, "occurred_at": AT}
        send(self.settings, [(CLICKS, CODE, {**click, "click_id": str(uuid4())}) for _ in range(count)])

    def counted(self) -> int:
        """Return the clicks published."""
        return int(counts_of(self.settings).get(CODE, {}).get("total_clicks", 0))

    def wait_counted(self, clicks: int) -> None:
        """Wait until so many clicks are counted, and let the oracle find nothing wrong."""
        wait_until(lambda: self.counted() == clicks, f"{self.counted()} counted, not {clicks}")
        report = Oracle(self.settings).check(wait_s=60, with_database=False)
        assert report.is_clean, differences(report)

    def run(self, *arguments: str, app_id: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command under the name that follows from the prefix, or under this one."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "commands", *arguments],
            cwd=ROOT, env=environment(self.settings) | {"REFERRALS_APP_ID": app_id},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


Make = Callable[..., Programme]


@pytest.fixture
def make(settings: Settings, tmp_path: Path) -> Iterator[Make]:
    """Give a maker of installations on one cluster; they are stopped at the end."""
    made: list[Programme] = []

    def programme(app_id: str | None = None) -> Programme:
        made.append(Programme(settings, tmp_path, app_id=app_id))
        return made[-1]

    yield programme
    for each in made:
        each.crew.stop()


def test_two_installations_never_meet(make: Make) -> None:
    """The same code in both, other counts; killed, started again in turn: each has its own, and its own names."""
    one, other = make(), make()
    one.start()
    other.start()
    one.click(3)
    other.click(5)
    one.wait_counted(3)
    other.wait_counted(5)
    one.restart()
    one.click(1)
    one.wait_counted(4)
    other.restart()
    other.click(1)
    other.wait_counted(6)
    one.wait_counted(4)
    for each in (one, other):
        assert "worker_leaves" not in each.crew.log(each.worker)
        admin = AdminClient({"bootstrap.servers": each.settings.bootstrap_servers})
        changelogs = [name for name in admin.list_topics(timeout=TIMEOUT_S).topics if name.endswith("-changelog")]
        assert sum(name.startswith(each.settings.topic_prefix) for name in changelogs) == 4
        groups = admin.list_consumer_groups(request_timeout=TIMEOUT_S).result().valid
        assert f"{each.settings.topic_prefix}stream" in {group.group_id for group in groups}


@pytest.mark.long
@pytest.mark.parametrize("what", ["offsets", "rows that say it"])
def test_a_state_under_the_name_of_before_is_not_begun_anew(make: Make, what: str) -> None:
    """No worker starts and no topic is made under the new name; under the one that is named it goes on."""
    before = make(app_id=FORMER_APP_ID)
    before.start()
    before.click(3)
    before.wait_counted(3)
    before.crew.end(before.worker)
    admin = AdminClient({"bootstrap.servers": before.settings.bootstrap_servers})
    try:
        if what != "offsets":
            admin.delete_consumer_groups([FORMER_APP_ID], request_timeout=TIMEOUT_S)[FORMER_APP_ID].result()
        for arguments in (("stream",), ("topics", "create")):
            refused = before.run(*arguments)
            assert refused.returncode == 1, refused.stdout
            assert f"set REFERRALS_APP_ID={FORMER_APP_ID} to go on with what is counted" in refused.stderr
            assert f"REFERRALS_APP_ID={before.settings.topic_prefix}stream to count everything anew" in refused.stderr
        names = admin.list_topics(timeout=TIMEOUT_S).topics
        assert not [name for name in names if name.startswith(f"{before.settings.topic_prefix}stream")]
        assert before.run("topics", "create", app_id=FORMER_APP_ID).returncode == 0
        before.start()
        before.click(1)
        before.wait_counted(4)
        before.crew.end(before.worker)
    finally:
        before.crew.kill(before.worker)
        _forget(admin, FORMER_APP_ID)


@pytest.mark.long
def test_one_name_for_two_installations_is_refused(make: Make) -> None:
    """Somebody gives two prefixes one name: who comes second counts nothing of the other's, and both are told."""
    name = f"shared-{uuid4().hex[:8]}"
    one, other = make(app_id=name), make(app_id=name)
    one.start()
    one.click(3)
    one.wait_counted(3)
    one.crew.end(one.worker)
    other.click(5)
    other.start()
    other.crew.wait_log(other.worker, "another application works under the same name")
    assert f'"other_prefix":"{one.settings.topic_prefix}"' in other.crew.log(other.worker).replace(": ", ":")
    time.sleep(1.0)
    assert other.counted() == 0
    other.crew.end(other.worker)
    one.start()
    one.click(1)
    one.wait_counted(4)


def _forget(admin: AdminClient, app_id: str) -> None:
    """Delete what is kept under a name: other tests' installations are on the same broker."""
    names = [name for name in admin.list_topics(timeout=TIMEOUT_S).topics if name.startswith(f"{app_id}-")]
    for answer in admin.delete_topics(names, operation_timeout=TIMEOUT_S).values() if names else ():
        answer.result()
    group = admin.delete_consumer_groups([app_id], request_timeout=TIMEOUT_S)[app_id]
    group.exception()  # where it is gone already, that is as good
