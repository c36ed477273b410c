"""`referrals topics create`: the contract's topics on the cluster."""

from __future__ import annotations

import rich_click as click

from operations.topics import TopicMismatch, create_topics
from process.settings import load_settings


@click.group()
def command() -> None:
    """Create Kafka's topics."""


@command.command()
def create() -> None:
    """Create the topics that are missing, and check those that stand already.

    Partitions, replicas and the names' prefix come from REFERRALS_PARTITIONS, REFERRALS_REPLICATION_FACTOR and
    REFERRALS_TOPIC_PREFIX. A topic that stands with other partitions or another clean-up policy is never changed: it
    is named, with the remedy, and the exit code is 1.
    """
    try:
        topics = create_topics(load_settings())
    except TopicMismatch as error:
        raise click.ClickException(str(error)) from None
    for topic in topics:
        what = "created" if topic.is_new else "stands already"
        click.echo(f"{topic.name}: {what}, {topic.partitions} partitions, cleanup.policy={topic.cleanup_policy}")
