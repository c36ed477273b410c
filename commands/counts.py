"""`referrals counts`: the projection of codes and counts into Postgres."""

from __future__ import annotations

import rich_click as click


@click.command()
def command() -> None:
    """Project issued codes and mentors' counts into Postgres, and when what happened.

    Reads the codes and mentor-counts topics and writes organisations, mentors, referral_codes and mentor_counts in
    REFERRALS_DATABASE_URL. Reads clicks and registrations too, as a consumer group of its own (`history`), and adds
    them up by the day on which they occurred; and dead letters, as another group (`letters`), which it lists by
    organisation. Instances share the partitions. Runs until SIGTERM or Ctrl-C.
    """
    from commands.sinks import run_until_stopped  # noqa: PLC0415 - `--help` needs neither Kafka nor Postgres
    from sinks.components import counts_projection, history, letters  # noqa: PLC0415 - the same

    run_until_stopped("counts", counts_projection, history, letters)
