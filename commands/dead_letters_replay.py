"""`referrals dead-letters replay`: sent again through the front door, and never twice."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import Any

import rich_click as click
from rich.console import Console

from commands.complaints import Complaints
from commands.dead_letters_chosen import LetterType, Meant, filters, named, reading
from commands.saying import say
from edges.publishing.replaying import BEFORE, READY, REFUSED, CannotReplay, Judge, Replay, Verdict
from models.dead_letters import Letter
from operations.topics import TopicMismatch
from process.faults import said
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings
from process.settings import Settings


@click.command()
@click.argument("letters", nargs=-1, type=LetterType(), metavar="[PARTITION/OFFSET]...")
@filters
@click.option("--all", "every", is_flag=True, help="All that there are, where nothing else says which.")
@click.option("--dry-run", is_flag=True, help="Send nothing; say what would be.")
@click.option("--unchecked", is_flag=True, help="Send what will be a dead letter again too, as it stands.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def replay(
    *,
    letters: tuple[tuple[int, int], ...],
    every: bool,
    dry_run: bool,
    unchecked: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401  the filters
) -> None:
    """Send dead letters to the topic that they were read from, each once, however often this is run or killed.

    They go in as `publish` sends: keyed by their code, repaired where that is certain. What would be a dead letter
    again is refused and named (the first 50). A record that was sent again is known for good, also by another dead
    letter of it; what fails again is a new one.

    Exit codes: 0 all that were meant are sent, now or before; 1 some are refused, or the work failed.
    """
    settings = find_settings()
    if bool(letters) + every + any(asked.values()) != 1:
        raise click.UsageError("say which: some by PARTITION/OFFSET, or filters, or --all")
    meant = Meant(settings, asked)
    require_kafka(settings, say)
    complaints = Complaints(Console(stderr=True, highlight=False, soft_wrap=True))
    sender = Replay(settings)
    kinds: Counter[str] = Counter()
    try:
        with closing(complaints), closing(sender):
            if not dry_run:
                sender.begin()  # before the notes are read: whoever was at it has ended then
            with reading(settings, quiet=as_json) as reader:
                judge = Judge(settings.topic_prefix, reader.replayed(), erased=_erased(settings), unchecked=unchecked)
                found = named(reader, letters) if letters else meant.read(reader)
                verdicts = _judged(found, judge, complaints, kinds)
                if dry_run:
                    deque(verdicts, maxlen=0)
                else:
                    sender.send(verdicts)
    except (CannotReplay, TopicMismatch) as error:
        raise click.ClickException(str(error)) from None
    _say(kinds[READY], kinds[BEFORE], kinds[REFUSED], sender.sent, dry_run=dry_run, as_json=as_json)
    if kinds[REFUSED]:
        sys.exit(1)


def _erased(settings: Settings) -> Callable[[], Collection[bytes]]:
    """Return what asks Postgres, once, who was erased; without Postgres nobody is known, and somebody is told so."""

    @cache
    def ask() -> Collection[bytes]:
        import psycopg  # noqa: PLC0415  a replay of clicks needs no Postgres

        from operations.erasing import erased_pairs  # noqa: PLC0415  the same
        from operations.tables import CannotLook, tables  # noqa: PLC0415  the same

        try:
            with tables(settings.database_url) as database:
                return erased_pairs(database)
        except (CannotLook, psycopg.OperationalError) as fault:
            say(f"who was erased is not known, so registrations of such members go too: {said(fault)}")
            return ()

    return ask


def _judged(letters: Iterable[Letter], judge: Judge, complaints: Complaints, kinds: Counter[str]) -> Iterator[Verdict]:
    """Yield what is to be done with each letter; count them, and name what somebody should know."""
    now = datetime.now(UTC)
    for letter in letters:
        verdict = judge.judge(letter, now)
        kinds[verdict.kind] += 1
        if verdict.kind == REFUSED:
            complaints(letter.name, verdict.why)
        elif verdict.kind == READY and letter.records > 1:
            complaints(letter.name, f"it stands for {letter.records:,} records, and only the first of them is in it")
        yield verdict


def _say(ready: int, before: int, refused: int, sent: Counter[str], *, dry_run: bool, as_json: bool) -> None:
    """Say what has come of a replay, or would."""
    if as_json:
        counts = {"ready": ready, "sent": sent.total(), "by_topic": sent, "before": before, "refused": refused}
        click.echo(json_line({"dry_run": dry_run, **counts}))
        return
    by_topic = ", ".join(f"{name} {count:,}" for name, count in sorted(sent.items()))
    what = f"{ready:,} would be replayed" if dry_run else f"{sent.total():,} replayed ({by_topic or 'none'})"
    click.echo(f"{what}; {before:,} were before, {refused:,} refused")
