"""Rows from changelogs: read to their end, committed records only, last one of each key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from streams.engine.batch import Rows
    from streams.engine.options import EngineOptions

FIRST_OFFSET: Final = 0
"""As a number: the symbolic beginning is asked for from the broker first, and asked again half a second later if
the leaders are not known yet, which they never are in a consumer just made. Nothing is deleted from a changelog
but by compaction; else `auto.offset.reset` finds the first offset."""

RECORDS_PER_CALL: Final = 10_000
WAIT_S: Final = 0.05
"""A call waits this long for more records: short, because at the end of a partition none come."""


def load_rows(options: EngineOptions, partitions: Collection[int], *, cancelled: Callable[[], bool]) -> dict[int, Rows]:
    """Return the rows of source partitions: of each table's changelog the last committed row of each key.

    Blocks. The partitions' producers must have started, so that the changelogs end in no open transaction.
    One consumer reads all of them: starting one takes longer than reading a small changelog.

    Args:
        options: the application's wiring.
        partitions: the source partitions.
        cancelled: asked between calls; when true, what was read so far is returned.

    Raises:
        KafkaException: a changelog cannot be read.

    """
    loaded: dict[int, Rows] = {number: {table: {} for table in options.tables} for number in partitions}
    places = {
        (options.changelog(table), number): loaded[number][table] for number in partitions for table in options.tables
    }
    consumer = Consumer(
        {
            **options.client_config,
            "group.id": f"{options.app_id}-recovery",  # asked for by the client; nothing is committed
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536,
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 2,  # by default a full queue is looked at again only after a second
        }
    )
    try:
        consumer.assign([TopicPartition(topic, number, FIRST_OFFSET) for topic, number in places])
        unfinished = set(places)
        while unfinished and not cancelled():
            for message in consumer.consume(RECORDS_PER_CALL, WAIT_S):
                place: Any = (message.topic(), message.partition())
                fault = message.error()
                if fault is None:
                    key: Any = message.key()
                    row = message.value()
                    if row is not None:
                        places[place][key] = row
                    else:
                        places[place].pop(key, None)
                elif fault.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name that the client gives it
                    unfinished.discard(place)
                elif not fault.retriable():
                    raise KafkaException(fault)
    finally:
        consumer.close()
    return loaded
