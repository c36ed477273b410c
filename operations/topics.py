"""Create the contract's topics on a cluster, or find that they stand already as they must.

What stands already is never changed: partitions decide where a key lives, and a clean-up policy decides what is lost,
so a difference is an error that names the remedy, and a person decides.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from models.topics import SOURCES, TOPICS, Topic
from process.settings import Settings

LOOK_AGAIN_S: Final = 0.1

REQUEST_TIMEOUT_S: Final = 30.0
"""A broker that has just started needs a few seconds to answer the first request."""

LOG_CRITICAL: Final = 2
"""librdkafka's level, as syslog counts: what it tries again is nobody's concern, what fails is raised here."""


class TopicMismatch(Exception):  # noqa: N818  read as what is wrong: a topic mismatch
    """A topic stands on the cluster otherwise than it must; each line names topic, found, wanted and remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicFound:
    """One topic after `create_topics`."""

    name: str
    """The full name, with the installation's prefix."""
    partitions: int
    cleanup_policy: str
    """`compact` or `delete`."""
    is_new: bool
    """True: just created; False: it stood already."""


def create_topics(settings: Settings) -> list[TopicFound]:
    """Make sure that every topic of the contract stands with the wanted partitions and clean-up policy.

    Safe to call any number of times, by several processes at once. Returns the topics in the contract's order.
    Raises TopicMismatch where topics that stood already differ: nothing is changed on them, what was missing is
    created; and confluent_kafka.KafkaException where the cluster cannot be reached or refuses.
    """
    admin = AdminClient({**settings.kafka_client_config(), "log_level": LOG_CRITICAL})
    wanted = {topic.full_name(settings.topic_prefix): topic for topic in TOPICS}
    created = _create_missing(admin, wanted, settings)
    found = _describe(admin, list(wanted), created)
    faults = [
        fault for topic in found for fault in _faults(topic, wanted[topic.name], wanted_partitions=settings.partitions)
    ]
    if faults:
        raise TopicMismatch("\n".join(faults))
    return found


def _create_missing(admin: AdminClient, wanted: dict[str, Topic], settings: Settings) -> set[str]:
    """Ask for what is missing and return what this call created; another process may be faster, which is as good."""
    standing = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    missing = [
        NewTopic(
            name,
            num_partitions=settings.partitions,
            replication_factor=settings.replication_factor,
            config=topic.config(),
        )
        for name, topic in wanted.items()
        if name not in standing
    ]
    created = set()
    if missing:
        for name, future in admin.create_topics(missing, operation_timeout=REQUEST_TIMEOUT_S).items():
            try:
                future.result()
                created.add(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
    return created


def _describe(admin: AdminClient, names: list[str], created: set[str]) -> list[TopicFound]:
    """Read partitions and clean-up policy of the topics; a new one takes a moment until every request knows it."""
    deadline_s = time.monotonic() + REQUEST_TIMEOUT_S
    while True:
        topics = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = admin.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
        try:
            configs = {resource.name: future.result() for resource, future in answers.items()}
            return [
                TopicFound(
                    name=name,
                    partitions=len(topics[name].partitions),
                    cleanup_policy=configs[name]["cleanup.policy"].value,
                    is_new=name in created,
                )
                for name in names
            ]
        except (KeyError, KafkaException) as error:
            is_unknown = isinstance(error, KeyError) or error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            if not is_unknown or time.monotonic() > deadline_s:
                raise
        time.sleep(LOOK_AGAIN_S)


def _faults(found: TopicFound, wanted: Topic, *, wanted_partitions: int) -> list[str]:
    """Return a line for each thing in which the topic differs from what it must be."""
    faults = []
    if found.partitions != wanted_partitions:
        why = " (and the two other source topics)" if wanted in SOURCES else ""
        faults.append(
            f"{found.name}: found {found.partitions} partitions, wanted {wanted_partitions}; set REFERRALS_PARTITIONS="
            f"{found.partitions} if the topic is right, else delete the topic{why} and create it again: keys would "
            "move to other partitions if partitions were added"
        )
    policy = wanted.config()["cleanup.policy"]
    if found.cleanup_policy != policy:
        faults.append(
            f"{found.name}: found cleanup.policy={found.cleanup_policy or 'none'}, wanted {policy}; set it with "
            f"kafka-configs --alter --entity-type topics --entity-name {found.name} --add-config cleanup.policy="
            f"{policy}, or choose another REFERRALS_TOPIC_PREFIX if the topic belongs to somebody else"
        )
    return faults
