"""Codes published once more, where they belong after a change of the number of partitions.

The codes topic is compacted by partition, so the first issue of a code stays where it was, and its readers look for it
where the code belongs now. What is published says that it stands (models/issues.py); published twice it says nothing
new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException

from models.changes import MENTORS
from models.issues import standing_issue
from models.mentors import decode_mentor
from streams.engine.changelog import load_rows
from streams.engine.errors import CommitFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from models.outgoing import Outgoing
    from streams.engine.options import EngineOptions

FLUSH_S: Final = 120.0

PRODUCER: Final = {"enable.idempotence": True, "partitioner": "murmur2_random"}
"""Kafka's standard partitioner; librdkafka's own default is another one."""


def issue_again(options: EngineOptions, topic: str, numbers: Iterable[int]) -> None:
    """Publish the issues of all codes whose rows are in these partitions; raises as `send_all`.

    Args:
        options: the stream app's wiring.
        topic: full name of the codes topic.
        numbers: the partitions, one loaded after the other.

    """
    now_ms = options.now_ms()
    for number in numbers:
        mentors = load_rows(options, [number])[number].rows[MENTORS].values()
        send_all(options, (standing_issue(topic, decode_mentor(row), now_ms=now_ms) for row in mentors))


def send_all(options: EngineOptions, records: Iterable[Outgoing]) -> None:
    """Produce records by their keys, each acknowledged.

    Raises:
        KafkaException: one was refused.
        CommitFailed: some are not acknowledged in time.

    """
    refused: list[KafkaError] = []

    def note(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    producer = options.clients.producer({**options.client_config, **PRODUCER})
    for record in records:
        headers: list[tuple[str, str | bytes | None]] = [*record.headers]
        producer.produce(record.topic, record.value, record.key, on_delivery=note, headers=headers)
    left = producer.flush(FLUSH_S)
    if refused:
        raise KafkaException(refused[0])
    if left:
        raise CommitFailed(f"{left:,} records are not acknowledged after {FLUSH_S:g} s: run this again")
