"""`referrals topics create`: the contract's topics on the cluster."""

from __future__ import annotations

from collections.abc import Iterable

import rich_click as click

from commands.saying import say
from operations.topics import TopicFound, TopicMismatch, create_topics
from process.reaching import require_kafka
from process.running import find_settings
from process.topics import POLICY, NotAllowed, StandingTopic


@click.group()
def command() -> None:
    """Create Kafka's topics."""


@command.command()
def create() -> None:
    """Create the topics that are missing, and the stream app's own, and check those that stand already.

    Partitions, replicas and the names' prefix come from REFERRALS_PARTITIONS, REFERRALS_REPLICATION_FACTOR and
    REFERRALS_TOPIC_PREFIX. Of a topic that stands, only how soon older versions are compacted is set, and said, unless
    somebody has set it on the topic himself. One with other partitions or another clean-up policy, or that takes no
    records, is never changed: it is named, with the remedy, and the exit code is 1.
    """
    from streams.app import engine_options  # noqa: PLC0415  `--help` needs no Faust
    from streams.engine.cluster import Cluster  # noqa: PLC0415  the same
    from streams.engine.errors import BadTopic, NameTaken  # noqa: PLC0415  the same

    settings = find_settings()
    require_kafka(settings, say)
    try:
        topics = create_topics(settings)
        own = Cluster(engine_options(settings)).make_changelogs(replication_factor=settings.replication_factor)
    except (NotAllowed, TopicMismatch, BadTopic, NameTaken) as error:
        raise click.ClickException(str(error)) from None
    for topic in topics:
        _say(topic, topic.cleanup_policy, topic.mended, topic.cautions, is_new=topic.is_new)
    for made in own:
        _say(made.topic, made.topic.config.get(POLICY, ""), made.mended, made.cautions, is_new=made.is_new)


def _say(
    topic: TopicFound | StandingTopic, policy: str, mended: Iterable[str], cautions: Iterable[str], *, is_new: bool
) -> None:
    """Print what became of a topic: what it is and what was set; on standard error what somebody should know."""
    what = "created" if is_new else "stands already"
    counted = f"{topic.partitions} partition{'' if topic.partitions == 1 else 's'}"
    click.echo(f"{topic.name}: {what}, {counted}, cleanup.policy={policy}")
    for change in mended:
        click.echo(f"  set {change}")
    for caution in cautions:
        click.echo(f"warning: {caution}", err=True)
