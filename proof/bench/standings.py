"""Where the rows of an app stand, read as they are committed: its group's offsets follow up to a second later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from process.administrator import cluster_metadata
from process.settings import Settings
from proof.bench.cluster import REQUEST_TIMEOUT_S, Position
from proof.verify.reading import FIRST_TABLE
from streams.engine.standing import STANDING_KEY, decode_standing

RECORDS_PER_LOOK: Final = 100_000
LOOK_S: Final = 0.01


class Standings:
    """The standings in the changelog of an app, from its beginning on; nothing for a program that writes none.

    All of the changelog is read, so it is to be asked only until what is waited for has come.
    """

    def __init__(self, settings: Settings) -> None:
        """Look for the app's changelog with each look, until it is there."""
        self._topic = f"{settings.app_id}-{FIRST_TABLE}-changelog"
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": f"{settings.app_id}-standings",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 2,
            }
        )
        self._is_assigned = False
        self._positions: dict[Position, int] = {}

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def stop(self) -> None:
        """Read no more of it."""
        self._consumer.unassign()

    def positions(self) -> Mapping[Position, int]:
        """Return the offset after the last record of each source partition that is in the rows, as committed by now."""
        if not self._is_assigned:
            found = cluster_metadata(self._consumer.list_topics, timeout=REQUEST_TIMEOUT_S).topics
            if self._topic not in found:
                return {}
            self._consumer.assign([TopicPartition(self._topic, number, 0) for number in found[self._topic].partitions])
            self._is_assigned = True
        for message in self._consumer.consume(RECORDS_PER_LOOK, LOOK_S):
            if (fault := message.error()) is not None:
                raise KafkaException(fault)
            if message.key() == STANDING_KEY and (standing := decode_standing(message.value())) is not None:
                for topic, at in standing.positions.items():
                    self._positions[topic, message.partition() or 0] = at
        return self._positions
