"""Workers in which something stands still, on a real broker: each ends and says what; those that are well never do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # they are not in its __all__

from local.parts import Parts
from local.parts.kafka import LocalKafka
from process.leaders import passes
from streams.engine.options import EXIT_LEFT
from tests.component import DEADLINE_S, ROOT
from tests.crew import READY, wait_until
from tests.monitoring import ask, url_in
from tests.own_kafka import own_kafka
from tests.shop import PARTITIONS, topics

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

SHORT_S: Final = 3.0
"""A bound in these tests; also the least that a sign must move in."""
SEEN_S: Final = 6.0
"""One of which the second half is long enough to be seen in it."""
STANDS: Final = "worker_stands_still"
PAST_SESSION_S: Final = 9.0
VIEWS: Final = 8
"""So many seconds of the watchdog are more than its bound."""
EVERYTHING: Final = tuple(f"{kind}={SHORT_S}" for kind in ("event_loop", "group", "fetch", "fold", "commit"))


class Shop:
    """Workers of the shop on topics of their own."""

    def __init__(self, bootstrap_servers: str, log_dir: Path) -> None:
        self.app_id = f"shop-{uuid4().hex[:8]}"
        self._servers = bootstrap_servers
        self._log_dir = log_dir
        self._processes: list[subprocess.Popen[bytes]] = []
        self.admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        new = [NewTopic(topic, num_partitions=PARTITIONS) for topic in topics(self.app_id)]
        for answer in self.admin.create_topics(new).values():
            answer.result()

    def start(self, fault: str, *bounds: str) -> subprocess.Popen[bytes]:
        """Start a worker with a planted fault."""
        number = len(self._processes)
        env = {
            **os.environ,
            "REFERRALS_BOOTSTRAP_SERVERS": self._servers,
            "REFERRALS_LOG_FORMAT": "json",
        }
        with (self._log_dir / f"{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.shop", self.app_id, fault, *bounds],
                cwd=ROOT,
                env={**env, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def log(self, number: int = 0) -> str:
        """Return what a worker has logged."""
        return (self._log_dir / f"{number}.log").read_text(errors="replace")

    def lines(self, event: str, number: int = 0) -> list[dict[str, object]]:
        """Return a worker's lines of one kind."""
        lines = (
            line[line.index("{") :] for line in self.log(number).splitlines() if line.endswith("}")
        )  # past a spinner's
        return [line for line in map(orjson.loads, lines) if line["event"] == event]

    def wait_log(self, text: str, *, number: int = 0, times: int = 1) -> None:
        """Wait until a worker has logged something."""
        wait_until(lambda: self.log(number).count(text) >= times, f"no {text!r} in {self.log(number)[-3000:]}")

    def order(self, count: int = 10) -> None:
        """Let orders come, in all partitions."""
        producer = Producer({"bootstrap.servers": self._servers})
        for number in range(count):
            producer.produce(topics(self.app_id)[0], b"{}", f"customer-{number}", number % PARTITIONS)
        assert producer.flush(DEADLINE_S) == 0

    def read(self) -> int:
        """Return how many orders are folded, as the group's offsets say; 0 while their coordinator loads them."""
        asked = ConsumerGroupTopicPartitions(self.app_id)
        (answer,) = self.admin.list_consumer_group_offsets([asked]).values()
        try:
            places = answer.result().topic_partitions
        except KafkaException as error:
            if not passes(error):
                raise
            return 0
        return sum(max(0, place.offset) for place in places if place.topic == topics(self.app_id)[0])

    def change_hands(self) -> None:
        """Let ten orders be folded by a worker that ends, and ten more come."""
        self.order(10)
        first = self.start("none")
        wait_until(lambda: self.read() == 10, "the orders are not read")
        first.terminate()
        first.wait(DEADLINE_S)
        self.order(10)

    def members(self) -> set[str]:
        """Return the ids of the group's members, as the broker has them."""
        (answer,) = self.admin.describe_consumer_groups([self.app_id]).values()
        return {member.member_id for member in answer.result().members}

    def close(self) -> None:
        """Kill all workers."""
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def shop(parts: Parts, tmp_path: Path) -> Iterator[Shop]:
    """Give a shop without workers."""
    with closing(Shop(parts.bootstrap_servers, tmp_path)) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        ("fold-sleeps", "event_loop", "folding"),
        ("fold-spins", "event_loop", "folding"),
        ("commit-hangs", "commit", "commit of partition"),
        ("call-hangs", "call", "call of partition"),
        ("records-are-lost", "fold", "fold has made"),
        ("fetch-hangs", "fetch", "fetch of partition"),
        ("begin-hangs", "takeover", "takeover"),
        ("join-hangs", "join", "join"),
        ("assignor-hangs", "group", "group"),
    ],
)
def test_a_worker_that_stands_still_ends_and_says_what(shop: Shop, fault: str, kind: str, says: str) -> None:
    """Where the cluster answers, a start afresh is the cure; the exit code asks for it."""
    shop.order()
    is_seen = kind == "event_loop"
    process = shop.start(fault, f"{kind}={SEEN_S if is_seen else SHORT_S}")
    if is_seen:  # from half of the bound on, by who asks from outside
        shop.wait_log("monitoring_listens")
        url = url_in(shop.log())
        wait_until(lambda: ask(url, "/health/live").missing.keys() == {"event_loop"}, "nobody sees it")
    assert process.wait(DEADLINE_S) == EXIT_LEFT, shop.log()[-3000:]
    assert len(shop.lines(STANDS)) == 1, shop.log()[-6000:]
    (line,) = shop.lines(STANDS)
    assert says in str(line["reason"])
    assert "MainThread" in line["threads"]  # type: ignore[operator]  # an object


@pytest.mark.parametrize("fault", ["assignor-fails", "assignor-fails-later"])
def test_an_exception_in_the_assignor_ends_the_worker(shop: Shop, fault: str) -> None:
    """Aiokafka keeps it for who asks, or ends its task with it, and the process lived on outside the group."""
    process = shop.start(fault)
    assert process.wait(DEADLINE_S) == EXIT_LEFT, shop.log()[-3000:]
    (line,) = shop.lines("worker_leaves")
    assert (line["kind"], "ZeroDivisionError" in str(line["reason"])) == ("NotInGroup", True)


def test_a_worker_that_leaves_is_no_member_any_more(shop: Shop) -> None:
    """The broker knows it when the process is gone: nobody waits for its session to end."""
    shop.start("none")
    shop.wait_log(READY)
    others = shop.members()
    leaves = shop.start("fold-fails")
    shop.wait_log(READY, number=1)
    wait_until(lambda: len(shop.members()) > len(others), "the second is no member")
    shop.order()
    assert leaves.wait(DEADLINE_S) == EXIT_LEFT, shop.log(1)[-3000:]
    assert shop.members() == others


@pytest.mark.long
def test_a_worker_that_has_nothing_to_do_is_well(shop: Shop) -> None:
    """Also one without partitions: the third of three, where there are two."""
    for number in range(PARTITIONS + 1):
        shop.start("none", *EVERYTHING, f"join={SHORT_S * 4}")
        shop.wait_log(READY, number=number)
    seen = [len(shop.lines("view", number)) for number in range(PARTITIONS + 1)]
    for number in range(PARTITIONS + 1):
        wait_until(lambda n=number: len(shop.lines("view", n)) >= seen[n] + VIEWS, "no views")  # type: ignore[misc]
        assert STANDS not in shop.log(number)
        assert all(line["is_well"] for line in shop.lines("view", number))


def test_a_group_whose_offsets_are_being_loaded_begins_nothing_anew(shop: Shop) -> None:
    """A worker reads on where its rows stand, and aiokafka's word for the group's offsets is not asked for."""
    shop.change_hands()
    shop.start("group-loads")
    wait_until(lambda: shop.read() >= 20, "the orders that follow are not read")
    assert "worker_leaves" not in shop.log(1)


def test_a_worker_fetches_what_it_folds_and_no_more(shop: Shop) -> None:
    """From where its rows stand: neither its changelogs, nor what lies before, nor the group's offsets one by one."""
    shop.change_hands()
    shop.start("requests-are-noted")
    wait_until(lambda: shop.read() >= 20, "the orders that follow are not read")
    asked = shop.lines("asked", 1)
    fetched = {str(topic) for line in asked for topic in line["topics"]}  # type: ignore[attr-defined]
    assert fetched == set(topics(shop.app_id))
    assert not [line for line in asked if line["request"] == "OffsetFetchRequest"]


def test_a_worker_is_stopped_though_it_cannot_commit(shop: Shop) -> None:
    """What is folded is folded again by the next one, and nobody waits for a broker that does not answer."""
    shop.order()
    process = shop.start("commit-hangs")
    wait_until(
        lambda: any(stage["kind"] == "commit" for line in shop.lines("view") for stage in line["stages"]),  # type: ignore[attr-defined]
        "nothing is committed",
    )
    process.terminate()
    assert process.wait(DEADLINE_S) == EXIT_LEFT, shop.log()[-3000:]
    (line,) = shop.lines("worker_leaves")
    assert line["kind"] == "CommitFailed", "the watchdog has ended it"


@pytest.mark.long
def test_a_worker_that_slept_is_well(shop: Shop) -> None:
    """Its clocks went on without it: past its session, and past every bound."""
    process = shop.start("none", *EVERYTHING)
    shop.wait_log(READY)
    shop.order()
    process.send_signal(signal.SIGSTOP)
    time.sleep(PAST_SESSION_S)
    seen = len(shop.lines("view"))
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: len(shop.lines("view")) >= seen + VIEWS, "it does not go on")
    assert STANDS not in shop.log()


@pytest.mark.long
def test_a_broker_that_is_away_is_said_and_waited_for(tmp_path: Path) -> None:
    """Starting afresh would not bring it back; when it is, the same process goes on.

    The broker is its own: one with the topics of all tests takes minutes to come back.
    """
    with own_kafka(LocalKafka, tmp_path / "kafka") as kafka, closing(Shop(kafka.bootstrap_servers, tmp_path)) as shop:
        process = shop.start("none", "fetch=2")
        shop.wait_log(READY)
        kafka.kill()
        try:
            shop.wait_log("waits_for_cluster")
        finally:
            kafka.start()
        seen = len(shop.lines("view"))
        shop.order()
        wait_until(
            lambda: (
                any(line["phase"] == "running" and not line["stages"] for line in shop.lines("view")[seen:])
                or len(shop.lines("view")) >= seen + 3 * VIEWS
            ),
            "it does not go on",
        )
        assert STANDS not in shop.log()
        assert process.poll() is None
