"""Records that the fold cannot take, in the middle of a backlog on a real broker: read again, found, set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # it is not in its __all__

from local.parts import Parts
from tests.component import DEADLINE_S
from tests.crew import wait_until
from tests.integration.test_watchdog import Shop
from tests.shop import BAD, PARTITIONS, aside, topics

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ORDERS: Final = 12_000
"""Of each partition: more than a batch, so that work is thrown away that did not fail."""
CUSTOMERS: Final = 50
BAD_AT: Final = (0, 7_000, 7_001, ORDERS - 1)


@pytest.fixture
def shop(parts: Parts, tmp_path: Path) -> Iterator[Shop]:
    """Give a shop without workers, with a topic for what is set aside."""
    with closing(Shop(parts.bootstrap_servers, tmp_path)) as made:
        (answer,) = made.admin.create_topics([NewTopic(aside(made.app_id), num_partitions=1)]).values()
        answer.result()
        yield made


def committed(servers: str, topic: str, partition: int) -> list[tuple[bytes, bytes | None]]:
    """Return keys and values of what is committed in a partition."""
    settings = {"bootstrap.servers": servers, "group.id": uuid4().hex, "isolation.level": "read_committed"}
    consumer = Consumer({**settings, "enable.auto.commit": False, "enable.partition.eof": True})
    with closing(consumer):
        consumer.assign([TopicPartition(topic, partition, 0)])
        found = []
        while (message := consumer.poll(DEADLINE_S)) is not None and message.error() is None:
            found.append((message.key() or b"", message.value()))
        return found


@pytest.mark.parametrize("fault", ["fold-fails-at-bad", "changes-fail-at-bad"])
def test_the_records_at_fault_are_set_aside_and_all_others_count(shop: Shop, parts: Parts, fault: str) -> None:
    """Once, though what was folded before them was thrown away; whether the fold fails at them, or only at its end."""
    servers = parts.bootstrap_servers
    producer = Producer({"bootstrap.servers": servers})
    expected: Counter[bytes] = Counter()
    for number in range(ORDERS):
        for partition in range(PARTITIONS):
            is_bad = partition == 0 and number in BAD_AT
            key = BAD if is_bad else b"%d-%d" % (partition, number % CUSTOMERS)
            producer.produce(topics(shop.app_id)[0], BAD if is_bad else b"{}", key, partition)
            expected[key] += not is_bad
        producer.poll(0)
    assert producer.flush(DEADLINE_S) == 0

    shop.start(fault)

    def totals() -> dict[bytes, int]:
        changelog = f"{shop.app_id}-totals-changelog"
        rows = [row for partition in range(PARTITIONS) for row in committed(servers, changelog, partition)]
        return {key: int(value or b"0") for key, value in rows if key in expected}

    wait_until(lambda: f"{shop.app_id}-totals-changelog" in shop.admin.list_topics().topics, "no changelog")
    wait_until(lambda: totals() == dict(+expected), shop.log()[-3000:])
    assert committed(servers, aside(shop.app_id), 0) == [(BAD, BAD)] * len(BAD_AT)
    assert shop.lines("work_failed")
    assert not shop.lines("worker_leaves")
