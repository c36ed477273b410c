"""The administrator's client, as everything of ours has it: one that finds a cluster that was away a moment ago.

librdkafka sends what an administrator asks to whom it took for the controller when it last looked around, and looks
again after 5 minutes. A client that was told of no controller (a broker that has just come back is fenced for a moment,
and then the cluster has none), or of one that died since, waits for it until its request times out, while the cluster
answers (seen: librdkafka 2.16, Kafka 4).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]  # it is not in its __all__

LOOK_AROUND: Final = {"topic.metadata.refresh.interval.ms": 5_000}
"""How often a client looks anew who the controller is."""
LOOK_AGAIN_S: Final = 0.1


def standing(ask: Callable[..., ClusterMetadata], topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
    """Return brokers and topics; wait for as long as the cluster answers that it has no brokers.

    Any client of librdkafka makes an error of that answer, which a broker gives that is about to be one again.

    Args:
        ask: the `list_topics` of an administrator, a producer or a consumer.
        topic: the only one that is asked for.
        timeout: seconds, of all together; -1 is without end.

    Raises:
        KafkaException: the cluster does not answer in time.

    """
    begun_s = time.monotonic()
    left_s = timeout
    while True:
        try:
            return ask(*([] if topic is None else [topic]), timeout=left_s)
        except KafkaException as error:
            waited_s = time.monotonic() - begun_s + LOOK_AGAIN_S
            if error.args[0].code() != KafkaError._PARTIAL or 0 <= timeout <= waited_s:  # noqa: SLF001  its name
                raise
        time.sleep(LOOK_AGAIN_S)
        left_s = timeout if timeout < 0 else timeout - waited_s


class Administrator(AdminClient):
    """librdkafka's client for what an administrator asks. It answers only as long as somebody holds it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make it without connecting; `config` is how to reach Kafka."""
        super().__init__({**LOOK_AROUND, **config})

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Return brokers and topics as `standing` does; `topic` is the only one that is asked for."""
        return standing(super().list_topics, topic, timeout)
