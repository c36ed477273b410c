"""Create the contract's topics on a cluster, or find that they stand already as they must.

What decides where a key lives (partitions) and what is lost (the clean-up policy) is never changed on a topic that
stands: a difference is an error that names the remedy, and a person decides. Topics that the program writes may have
any number of partitions: nothing is joined with them, and their order by key would break if any were added. What only
bounds for how long older
versions stay is set, unless somebody has set it otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.topics import SOURCES, TOPICS, WRITTEN_PARTITIONS_MAX, Topic
from process import topics as cluster
from process.administrator import Administrator
from process.settings import Settings

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
    mended: tuple[str, ...] = ()
    """What was set on one that stood already, and what it was."""
    cautions: tuple[str, ...] = ()
    """What somebody should know of it, with the remedy."""


def create_topics(settings: Settings) -> list[TopicFound]:
    """Make sure that every topic of the contract stands with the wanted partitions and clean-up policy.

    Safe to call any number of times, by several processes at once. Returns the topics in the contract's order.
    Raises TopicMismatch where topics that stood already differ: they are not changed, what was missing is created;
    process.topics.NotAllowed where this user may not create one; and confluent_kafka.KafkaException where the cluster
    cannot be reached or refuses otherwise.
    """
    admin = Administrator({**settings.kafka_client_config(), "log_level": LOG_CRITICAL})
    topics = {topic.full_name(settings.topic_prefix): topic for topic in TOPICS}
    wanted = {name: wanted_topic(topic, settings) for name, topic in topics.items()}
    standing = admin.list_topics(timeout=cluster.REQUEST_TIMEOUT_S).topics
    created = cluster.make(admin, [topic for name, topic in wanted.items() if name not in standing])
    found = cluster.describe(admin, list(wanted), made=wanted)
    faults = [fault for name, topic in found.items() for fault in _faults(topic, wanted[name], topics[name])]
    if faults:
        raise TopicMismatch("\n".join(faults))
    return [
        TopicFound(
            name=name,
            partitions=topic.partitions,
            cleanup_policy=topic.config.get(cluster.POLICY, ""),
            is_new=name in created,
            mended=tuple(cluster.mend(admin, topic, wanted[name])),
            cautions=tuple(cluster.cautions(topic, wanted[name], is_mended=True)),
        )
        for name, topic in found.items()
    ]


def wanted_topic(topic: Topic, settings: Settings) -> cluster.WantedTopic:
    """Return a topic of the contract as the installation must have it; one that the program writes, as it is made."""
    return cluster.WantedTopic(
        name=topic.full_name(settings.topic_prefix),
        partitions=settings.partitions if topic in SOURCES else min(settings.partitions, WRITTEN_PARTITIONS_MAX),
        replicas=settings.replication_factor,
        config=topic.config(),
        bounds=topic.bounds(),
    )


def _faults(found: cluster.StandingTopic, wanted: cluster.WantedTopic, topic: Topic) -> list[str]:
    """Return a line for each thing in which the topic differs from what it must be."""
    faults = cluster.faults(found, batch_bytes=topic.message_bytes_max)
    if topic in SOURCES and found.partitions != wanted.partitions:
        faults.append(
            f"{found.name}: found {found.partitions} partitions, wanted {wanted.partitions}; set REFERRALS_PARTITIONS="
            f"{found.partitions} if the topic is right, or let `referrals state reshard --partitions "
            f"{wanted.partitions}` change all three with what was counted: added by hand, keys would move to other "
            "partitions"
        )
    policy = wanted.config[cluster.POLICY]
    if found.config and found.config[cluster.POLICY] != policy:
        faults.append(
            f"{found.name}: found cleanup.policy={found.config[cluster.POLICY] or 'none'}, wanted {policy}; set it "
            f"with kafka-configs --alter --entity-type topics --entity-name {found.name} --add-config cleanup.policy="
            f"{policy}, or choose another REFERRALS_TOPIC_PREFIX if the topic belongs to somebody else"
        )
    return faults
