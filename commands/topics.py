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
    """Create the topics that are missing, and the stream app's changelogs, and check those that stand already.

    Partitions, replicas and the names' prefix come from REFERRALS_PARTITIONS, REFERRALS_REPLICATION_FACTOR and
    REFERRALS_TOPIC_PREFIX. A topic that stands with other partitions or another clean-up policy is never changed: it
    is named, with the remedy, and the exit code is 1.
    """
    from streams.app import engine_options  # noqa: PLC0415  `--help` needs no Faust
    from streams.engine.cluster import Cluster  # noqa: PLC0415  the same
    from streams.engine.errors import BadChangelog  # noqa: PLC0415  the same

    settings = load_settings()
    try:
        topics = create_topics(settings)
        changelogs = Cluster(engine_options(settings)).make_changelogs(replication_factor=settings.replication_factor)
    except (TopicMismatch, BadChangelog) as error:
        raise click.ClickException(str(error)) from None
    for topic in topics:
        what = "created" if topic.is_new else "stands already"
        click.echo(f"{topic.name}: {what}, {topic.partitions} partitions, cleanup.policy={topic.cleanup_policy}")
    for name, is_new in changelogs:
        what = "created" if is_new else "stands already"
        click.echo(f"{name}: {what}, {settings.partitions} partitions, cleanup.policy=compact")
