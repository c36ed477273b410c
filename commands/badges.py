"""`referrals badges`: the badge consumer, from milestones to awards."""

from __future__ import annotations

import rich_click as click


@click.command()
def command() -> None:
    """Award badges for the milestones that mentors reach.

    Reads the milestones topic and writes milestones, badge_awards and badge_decisions in REFERRALS_DATABASE_URL.
    Instances share the partitions. Runs until SIGTERM or Ctrl-C.
    """
    from commands.sinks import run_until_stopped  # noqa: PLC0415 - `--help` needs neither Kafka nor Postgres
    from sinks.components import badge_consumer  # noqa: PLC0415 - the same

    run_until_stopped("badges", badge_consumer)
