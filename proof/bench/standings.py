"""Where the rows of an app stand, as they are committed: its group's offsets follow up to a second later."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from process.administrator import cluster_metadata
from process.settings import Settings
from proof.bench.cluster import REQUEST_TIMEOUT_S, Position, Watch
from proof.verify.reading import FIRST_TABLE
from streams.engine.changelog import LAST_RECORDS, RECORDS_PER_CALL
from streams.engine.standing import STANDING_KEY, decode_standing


class Standings:
    """The last standings in the changelog of an app; nothing for a program that writes none."""

    def __init__(self, settings: Settings) -> None:
        """Look for the app's changelog with each look, until it is there."""
        self._topic = f"{settings.app_id}-{FIRST_TABLE}-changelog"
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": f"{settings.app_id}-standings",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,
                "log_level": 2,
            }
        )
        self._is_there = False
        self._seen: dict[Position, int] = {}
        """Where the changelog's partitions ended at the last look."""
        self._positions: dict[Position, int] = {}

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def look(self, watch: Watch) -> Mapping[Position, int]:
        """Return the offset after the last record of each source partition that is in the rows now.

        However long the look takes, it is never less than at its beginning. Only the last records of the changelog are
        read, so that whoever is measured is not kept up.
        """
        if not self._is_there:
            found = cluster_metadata(self._consumer.list_topics, timeout=REQUEST_TIMEOUT_S).topics
            self._is_there = self._topic in found
            if not self._is_there:
                return {}
        ends = watch.ends([self._topic])
        grown = {place: end for place, end in ends.items() if end > self._seen.get(place, 0)}
        self._consumer.assign([TopicPartition(*place, max(0, end - LAST_RECORDS)) for place, end in grown.items()])
        unfinished = set(grown)
        while unfinished:
            for message in self._consumer.consume(RECORDS_PER_CALL, 0.01):
                place = (message.topic() or "", message.partition() or 0)
                if (fault := message.error()) is not None:
                    if fault.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  the name that the client gives it
                        raise KafkaException(fault)
                    unfinished.discard(place)
                elif message.key() == STANDING_KEY and (standing := decode_standing(message.value())) is not None:
                    self._positions |= {(topic, place[1]): at for topic, at in standing.positions.items()}
        self._seen = ends
        return self._positions
