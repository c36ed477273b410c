"""Topics as they must be: made where they are missing, compared where they stand, mended where nobody has chosen.

Three kinds of difference:

    fault     nothing may go on like that, for example more in-sync replicas demanded than there are
    caution   it goes on, and somebody should know, for example one replica alone on a cluster of several brokers
    bound     a figure is larger than it must be; `mend` sets it, unless somebody has set it on the topic himself
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    PartitionMetadata,
    ResourceType,
)

from process.administrator import Administrator, answer_to
from process.leaders import CUT

REQUEST_TIMEOUT_S: Final = 30.0
"""A broker that has just started needs a few seconds to answer the first request."""

CONTROLLER_TIMEOUT_S: Final = 10.0
"""Then a request is made anew: librdkafka may wait for a controller that is there. Seen once, for 30 s, after
a broker had been stopped for 4; a request that begins looks at what is there."""

SEEN_S_MAX: Final = 15.0
"""A topic that was made is seen by then."""
LOOK_AGAIN_S: Final = 0.1
SAFE_REPLICAS: Final = 3
"""From so many on two must have a record before it is acknowledged, and one may still be away."""

POLICY: Final = "cleanup.policy"
IN_SYNC: Final = "min.insync.replicas"
LARGEST: Final = "max.message.bytes"

BATCH_BYTES: Final = 1_048_576
"""librdkafka fills a batch to a million bytes before it is compressed, and does not split one that is refused. Kafka's
own default is 12 bytes more than this."""

_UNANSWERED: Final = CUT | {KafkaError._TIMED_OUT}  # noqa: SLF001  its name
_ASKED_AGAIN: Final = _UNANSWERED | {KafkaError.UNKNOWN_TOPIC_OR_PART}
_REFUSED: Final = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})


class NotAllowed(Exception):  # noqa: N818  read as what it is
    """A topic is missing, and the user that we are may not create it; the message says which."""


@dataclass(frozen=True, kw_only=True)
class WantedTopic:
    """A topic as it must be."""

    name: str
    partitions: int
    replicas: int
    """How many it is made with."""
    config: Mapping[str, str] = field(default_factory=dict)
    """What else it is made with."""
    bounds: Mapping[str, float] = field(default_factory=dict)
    """Figures of its configuration that must not be larger."""


@dataclass(frozen=True, kw_only=True)
class StandingTopic:
    """A topic as it is."""

    name: str
    partitions: int
    replicas: int
    """Of the partition that has the fewest."""
    brokers: int
    """How many the cluster has."""
    config: Mapping[str, str]
    """Its configuration, defaults included; empty where this user may not see it."""
    chosen: frozenset[str] = frozenset()
    """What of it was set on the topic itself."""


def describe(admin: Administrator, names: Collection[str], *, made: Collection[str] = ()) -> dict[str, StandingTopic]:
    """Return those of the topics that stand, by name, and that this user may see.

    Those that were made just now are waited for: it takes a moment until every request knows them. What this user may
    not see is not. Raises KafkaException where the cluster does not answer.
    """
    begun_s = time.monotonic()
    while True:
        found = admin.list_topics(timeout=REQUEST_TIMEOUT_S)
        standing = [name for name in names if name in found.topics and found.topics[name].partitions]
        try:
            configs = _configs(admin, standing)
        except KafkaException as error:
            if error.args[0].code() not in _ASKED_AGAIN or time.monotonic() > begun_s + REQUEST_TIMEOUT_S:
                raise
        else:
            unseen = [name for name in made if name not in standing and not _is_hidden(admin, name)]
            if not unseen or time.monotonic() > begun_s + SEEN_S_MAX:
                break
        time.sleep(LOOK_AGAIN_S)
    return {
        name: StandingTopic(
            name=name,
            partitions=len(found.topics[name].partitions),
            replicas=min(len(partition.replicas) for partition in found.topics[name].partitions.values()),
            brokers=len(found.brokers),
            config={key: entry.value or "" for key, entry in configs[name].items()},
            chosen=frozenset(key for key, entry in configs[name].items() if _is_chosen(entry)),
        )
        for name in standing
    }


def _is_hidden(admin: Administrator, name: str) -> bool:
    """Tell whether this user may not see a topic, which is left out where all are asked for."""
    fault = admin.list_topics(name, timeout=REQUEST_TIMEOUT_S).topics[name].error
    return fault is not None and fault.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def make(admin: Administrator, wanted: Collection[WantedTopic]) -> set[str]:
    """Make topics, and return the names of those that this call made; another process may be faster, which is as good.

    Raises NotAllowed where this user may not, and KafkaException where the cluster refuses otherwise.
    """
    new = [
        NewTopic(
            topic.name, num_partitions=topic.partitions, replication_factor=topic.replicas, config=_made_with(topic)
        )
        for topic in wanted
    ]
    made: set[str] = set()
    begun_s = time.monotonic()
    while new:
        answers = admin.create_topics(new, operation_timeout=REQUEST_TIMEOUT_S, request_timeout=CONTROLLER_TIMEOUT_S)
        for name, answer in answers.items():
            try:
                answer.result()
                made.add(name)
            except KafkaException as error:
                code = error.args[0].code()
                if code in _REFUSED:
                    raise NotAllowed(f"topic {name} is missing, and this user may not create it") from error
                if code in _UNANSWERED and time.monotonic() <= begun_s + REQUEST_TIMEOUT_S:
                    time.sleep(LOOK_AGAIN_S)
                    continue
                if code != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
            new = [each for each in new if each.topic != name]
    return made


def grow(admin: Administrator, names: Collection[str], partitions: int) -> None:
    """Let topics have so many partitions, and return when all is seen; those that have as many are left alone.

    Raises NotAllowed where this user may not, and KafkaException where the cluster refuses otherwise.
    """
    begun_s = time.monotonic()
    taken: set[str] = set()
    while True:
        found = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        if all(_has(found[name].partitions, partitions) for name in names):
            return
        if time.monotonic() > begun_s + SEEN_S_MAX:
            raise NotAllowed(f"the partitions that were added to {', '.join(names)} are not seen")
        fewer = [name for name in names if len(found[name].partitions) < partitions]
        taken |= _add(admin, [name for name in fewer if name not in taken], partitions)
        time.sleep(LOOK_AGAIN_S)


def _add(admin: Administrator, names: Collection[str], partitions: int) -> set[str]:
    """Ask for the partitions; return the names of the topics of which the cluster says that they have them."""
    wanted = [NewPartitions(name, partitions) for name in names]
    answers = admin.create_partitions(wanted, operation_timeout=REQUEST_TIMEOUT_S) if wanted else {}
    taken = set()
    for name, answer in answers.items():
        try:
            answer.result()
        except KafkaException as error:
            code = error.args[0].code()
            if code in _REFUSED:
                raise NotAllowed(f"topic {name}: this user may not add partitions to it") from error
            if code in _UNANSWERED:
                continue
            if code != KafkaError.INVALID_PARTITIONS:  # it has them: an earlier request came through
                raise
        taken.add(name)
    return taken


def _has(found: Mapping[int, PartitionMetadata], partitions: int) -> bool:
    return len(found) >= partitions and all(each.leader >= 0 for each in found.values())


def mend(admin: Administrator, topic: StandingTopic, wanted: WantedTopic) -> list[str]:
    """Set what exceeds its bound and was left at the broker's default; return what was set, and what it was.

    Raises KafkaException where the cluster refuses.
    """
    mended = {key: bound for key, bound in _exceeded(topic, wanted).items() if key not in topic.chosen}
    if mended:
        operation = AlterConfigOpType.SET
        entries = [ConfigEntry(key, str(bound), incremental_operation=operation) for key, bound in mended.items()]
        resource = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)
        answer_to(
            lambda left_s: admin.incremental_alter_configs([resource], request_timeout=left_s)[resource].result(),
            REQUEST_TIMEOUT_S,
        )
    return [f"{key}={bound}, was {topic.config[key]}" for key, bound in mended.items()]


def faults(topic: StandingTopic, *, batch_bytes: int = BATCH_BYTES) -> list[str]:
    """Return a line for each thing with which writing to the topic fails, at once or one day, with its remedy.

    Args:
        topic: as it is.
        batch_bytes: the largest batch, and so the largest record, that is sent to it.

    """
    found = []
    in_sync = int(topic.config.get(IN_SYNC, 1))
    if in_sync > topic.replicas > 0:  # a broker that has just started may not know them
        found.append(
            f"{topic.name}: found {IN_SYNC}={in_sync} and {_replicas(topic.replicas)}, so no record is ever "
            f"acknowledged; {_set(topic.name, IN_SYNC, _in_sync(topic.replicas))}, or add replicas with "
            "kafka-reassign-partitions"
        )
    largest = int(topic.config.get(LARGEST, batch_bytes))
    if largest < batch_bytes:
        found.append(
            f"{topic.name}: found {LARGEST}={largest}, and batches have up to {batch_bytes} bytes: one that is refused "
            f"would be tried for ever; {_set(topic.name, LARGEST, batch_bytes)}"
        )
    return found


def cautions(topic: StandingTopic, wanted: WantedTopic, *, is_mended: bool = False) -> list[str]:
    """Return a line for each thing that somebody should know of, with its remedy.

    `is_mended`: what `mend` sets is set; else `topics create` is named as its remedy.
    """
    lines = []
    if not topic.config:
        lines.append(f"{topic.name}: its configuration cannot be checked; allow this user DescribeConfigs on it")
    if topic.replicas == 1 and topic.brokers > 1:
        lines.append(
            f"{topic.name}: found 1 replica on a cluster of {topic.brokers} brokers, so it is lost with one of them; "
            "add replicas with kafka-reassign-partitions, and set REFERRALS_REPLICATION_FACTOR for what is made later"
        )
    elif topic.replicas < wanted.replicas:
        lines.append(
            f"{topic.name}: found {_replicas(topic.replicas)}, wanted {wanted.replicas}; add them with "
            "kafka-reassign-partitions"
        )
    if topic.replicas >= SAFE_REPLICAS and topic.config.get(IN_SYNC) == "1":
        lines.append(
            f"{topic.name}: found {IN_SYNC}=1 and {_replicas(topic.replicas)}, so a record may be acknowledged that "
            f"one broker alone has, and be lost with it; {_set(topic.name, IN_SYNC, _in_sync(topic.replicas))}"
        )
    for key, bound in _exceeded(topic, wanted).items():
        if key in topic.chosen:
            remedy = _set(topic.name, key, bound)
        elif is_mended:
            continue
        else:
            remedy = "run `referrals topics create`"
        lines.append(f"{topic.name}: found {key}={topic.config[key]}, wanted {bound} at most; {remedy}")
    return lines


def _exceeded(topic: StandingTopic, wanted: WantedTopic) -> dict[str, float]:
    return {
        key: bound for key, bound in wanted.bounds.items() if key in topic.config and float(topic.config[key]) > bound
    }


def _made_with(topic: WantedTopic) -> dict[str, str]:
    """Return its configuration; how many must be in sync is never left to a default that may be more than there are."""
    bounds = {key: str(bound) for key, bound in topic.bounds.items()}
    return {**topic.config, **bounds, IN_SYNC: str(_in_sync(topic.replicas))}


def _in_sync(replicas: int) -> int:
    """Return how many of the replicas must have a record: two, and one of them all may be away."""
    return 2 if replicas >= SAFE_REPLICAS else 1


def _replicas(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


def _set(name: str, key: str, value: object) -> str:
    return f"set it with kafka-configs --alter --entity-type topics --entity-name {name} --add-config {key}={value}"


def _is_chosen(entry: ConfigEntry) -> bool:
    return ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG  # the broker's number, or its name


def _configs(admin: Administrator, names: Iterable[str]) -> dict[str, dict[str, ConfigEntry]]:
    """Return the topics' configuration; none of those that this user may not see."""
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    configs: dict[str, dict[str, ConfigEntry]] = {}
    answers = admin.describe_configs(resources, request_timeout=CONTROLLER_TIMEOUT_S) if resources else {}
    for resource, answer in answers.items():
        try:
            configs[resource.name] = answer.result()
        except KafkaException as error:
            if error.args[0].code() not in _REFUSED:
                raise
            configs[resource.name] = {}
    return configs
