"""`referrals publish`: JSON lines into the source topics."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path

import rich_click as click
from rich.console import Console

from commands.complaints import Complaints
from commands.progress import progress_on
from commands.saying import say
from edges.publishing.files import INTERRUPTED_FLUSH_S, FilePublisher, Published, Strict
from edges.publishing.producer import TopicMissing
from process.reaching import require_kafka
from process.running import find_settings

STANDARD_INPUT = "-"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--strict", is_flag=True, help="Stop at the first bad line; what was read before is published.")
@click.option("--unchecked", is_flag=True, help="Publish what will be a dead letter too, to test what follows it.")
def command(files: Sequence[str], *, strict: bool, unchecked: bool) -> None:
    r"""Publish clicks, registrations and codes from JSON lines.

    Each line is {"topic": "clicks" | "registrations" | "codes", "value": {...}}; the value goes to the topic as it
    stands, keyed by its normalised referral code; one that is not as described is repaired where its meaning is
    certain. FILE can be - for standard input.

    Every line is acknowledged by Kafka when the exit code is 0. A malformed line, one whose value would be a dead
    letter or is more than a day ahead, and one that Kafka did not take, are named on standard error with file and
    number (the first 50, or 5 where no line is good; then their total), the others go on, and the exit code is 1.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    progress = progress_on(console) if console.is_terminal else None
    total = None if STANDARD_INPUT in files else sum(Path(name).stat().st_size for name in files)
    task = progress.add_task("publishing", total=total, rate="") if progress else None
    started_s = time.monotonic()

    def show() -> None:
        if progress is not None and task is not None:
            done = publisher.published
            rate = f"{done.sent.total():,} lines, {_rate(done, started_s):,}/s"
            progress.update(task, completed=done.read_bytes, rate=rate)

    complaints = Complaints(console, lambda: publisher.published.sent.total() > 0)
    settings = find_settings()
    require_kafka(settings, say, waits=True)
    publisher = FilePublisher(settings, complain=complaints, progress=show, strict=strict, unchecked=unchecked)
    with progress or nullcontext(), closing(complaints):
        _publish(publisher, files)
    done = publisher.published
    by_topic = ", ".join(f"{name} {count:,}" for name, count in sorted(done.sent.items()))
    click.echo(
        f"published {done.acknowledged:,} lines ({by_topic or 'none'}) in {time.monotonic() - started_s:.1f} s, "
        f"{_rate(done, started_s):,}/s; {done.malformed:,} malformed, {done.refused:,} refused, "
        f"{done.rejected:,} not acknowledged"
    )
    if done.malformed and not done.sent:
        say('no line is one: is it the right file? A line is {"topic": "clicks", "value": {...}}')
    if not done.is_complete:
        sys.exit(1)


def _publish(publisher: FilePublisher, files: Sequence[str]) -> None:
    """Publish the files; when stopped, wait a little for what is under way and say how far it came."""
    try:
        publisher.check_topics()
        for name in files:
            with click.open_file(name, "rb") as file:
                publisher.publish(file, "standard input" if name == STANDARD_INPUT else name)
        publisher.finish()
    except TopicMissing as error:
        raise click.ClickException(str(error)) from None
    except Strict as stop:
        publisher.finish()
        click.echo(f"stopped at {stop}, as --strict asks", err=True)
    except KeyboardInterrupt:
        done = publisher.finish(INTERRUPTED_FLUSH_S)
        click.echo(
            f"stopped: {done.acknowledged:,} lines acknowledged, {done.unanswered:,} without an answer; lines after "
            "them were not read",
            err=True,
        )
        raise


def _rate(done: Published, started_s: float) -> int:
    return round(done.sent.total() / max(time.monotonic() - started_s, 1e-3))
