"""Asking a cluster that was away a moment ago, or half of a moment: by the administrator's client, or any other.

librdkafka sends what an administrator asks to whom it took for the controller when it last looked around, and looks
again after 5 minutes. A client that was told of no controller (a broker that has just come back is fenced for a moment,
and then the cluster has none), or of one that died since, waits for it until its request times out, while the cluster
answers (seen: librdkafka 2.16, Kafka 4).

And where a connection ends while an answer is awaited, some requests are sent again by librdkafka, and some fail at
once, however long who asked would have waited: topics, their configuration and identity, groups, a partition's ends.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from process.leaders import CUT, LEADER_CHANGES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from confluent_kafka.admin import ClusterMetadata, OffsetSpec, TopicDescription  # type: ignore[attr-defined]  # it is not in its __all__

LOOK_AROUND: Final = {"topic.metadata.refresh.interval.ms": 5_000}
"""How often a client looks anew who the controller is."""
LOOK_AGAIN_S: Final = 0.1
_ALONE: Final = frozenset({KafkaError._PARTIAL})  # noqa: SLF001  its name

Answer = TypeVar("Answer")


def answer_to(ask: Callable[[float], Answer], timeout: float, passing: Collection[int] = CUT) -> Answer:
    """Return what the cluster answers; where it does not because of something that passes, it is asked again.

    Args:
        ask: asks once, and waits so many seconds for the answer at most.
        timeout: seconds, of all together; -1 is without end.
        passing: codes of the errors that pass.

    Raises:
        KafkaException: the cluster does not answer in time, or refuses.

    """
    begun_s = time.monotonic()
    left_s = timeout
    while True:
        try:
            return ask(left_s)
        except KafkaException as error:
            waited_s = time.monotonic() - begun_s + LOOK_AGAIN_S
            if error.args[0].code() not in passing or 0 <= timeout <= waited_s:
                raise
        time.sleep(LOOK_AGAIN_S)
        left_s = timeout if timeout < 0 else timeout - waited_s


def cluster_metadata(
    ask: Callable[..., ClusterMetadata], topic: str | None = None, timeout: float = -1
) -> ClusterMetadata:
    """Return brokers and topics; wait for as long as the cluster answers that it has no brokers, or not at all.

    Any client of librdkafka makes an error of that answer, which a broker gives that is about to be one again.

    Args:
        ask: the `list_topics` of an administrator, a producer or a consumer.
        topic: the only one that is asked for.
        timeout: seconds, of all together; -1 is without end.

    Raises:
        KafkaException: the cluster does not answer in time.

    """
    which = [] if topic is None else [topic]
    return answer_to(lambda left_s: ask(*which, timeout=left_s), timeout, CUT | _ALONE)


def described(admin: Administrator, names: Collection[str], timeout: float) -> dict[str, TopicDescription]:
    """Return topics by name, with their identities and partitions.

    Raises KafkaException where one does not stand, or the cluster does not answer within so many seconds.
    """
    asked = TopicCollection(sorted(names))
    return answer_to(
        lambda left_s: {
            name: answer.result() for name, answer in admin.describe_topics(asked, request_timeout=left_s).items()
        },
        timeout,
    )


def offsets_at(
    admin: Administrator, end: OffsetSpec, places: Iterable[tuple[str, int]], timeout: float
) -> dict[tuple[str, int], int]:
    """Return the offsets at one end of partitions, whether what is there is committed or not.

    Args:
        admin: who asks.
        end: `OffsetSpec.earliest()` or `OffsetSpec.latest()`.
        places: (topic, partition).
        timeout: seconds, of all together.

    Raises:
        KafkaException: a partition is not there, or the cluster does not answer in time.

    """
    asked = {TopicPartition(*place): end for place in places}
    return answer_to(
        lambda left_s: {
            (place.topic, place.partition): answer.result().offset
            for place, answer in admin.list_offsets(asked, request_timeout=left_s).items()
        },
        timeout,
        CUT | LEADER_CHANGES,
    )


class Administrator(AdminClient):
    """librdkafka's client for what an administrator asks. It answers only as long as somebody holds it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make it without connecting; `config` is how to reach Kafka."""
        super().__init__({**LOOK_AROUND, **config})

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """Return brokers and topics as `cluster_metadata` does; `topic` is the only one that is asked for."""
        return cluster_metadata(super().list_topics, topic, timeout)
