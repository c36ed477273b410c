"""`referrals dead-letters`: what could not be used, why, and sent again once that is mended."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from rich.console import Console
from rich.table import Table

from commands.dead_letters_chosen import LetterType, Meant, filters, named, reading
from commands.dead_letters_replay import replay
from commands.saying import say
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings

if TYPE_CHECKING:
    from models.dead_letters import Letter
    from operations.dead_letters import Replayed

LAST: Final = 20


@click.group()
def command() -> None:
    """Look at dead letters, and send them again."""


command.add_command(replay)


@command.command("list")
@filters
@click.option("--open", "only_open", is_flag=True, help="Only those that were not sent again.")
@click.option("--last", default=LAST, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Name the latest N.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def list_(*, only_open: bool, last: int, as_json: bool, **asked: Any) -> None:  # noqa: ANN401  the filters
    """Count dead letters by reason and topic, and name the latest, each with the record that it is of.

    Nothing that stood in an event is shown. Several dead letters of one record (a rebuild sends a second) count each.
    """
    settings = find_settings()
    meant = Meant(settings, asked)
    require_kafka(settings, say)
    latest: list[tuple[Letter, Replayed | None]] = []
    counts: dict[tuple[str, str], Counter[str]] = {}
    with reading(settings, quiet=as_json) as reader:
        replayed = reader.replayed()
        for letter in meant.read(reader):
            sent = replayed.get(letter.identity)
            if only_open and sent is not None:
                continue
            key = letter.reason, letter.source_topic.removeprefix(settings.topic_prefix)
            counts.setdefault(key, Counter())["replayed" if sent else "open"] += 1
            latest.append((letter, sent))
            if len(latest) > 2 * last + 1:
                latest = _latest(latest, last)
    latest = _latest(latest, last)
    if as_json:
        told = [
            {"reason": reason, "topic": topic, "open": count["open"], "replayed": count["replayed"]}
            for (reason, topic), count in sorted(counts.items())
        ]
        letters = [_told(letter, sent) for letter, sent in latest]
        click.echo(json_line({"counts": told, "letters": letters}))
        return
    _show(counts, latest)


@command.command()
@click.argument("letter", type=LetterType(), metavar="PARTITION/OFFSET")
@click.option("--value", "with_value", is_flag=True, help="The record's value too, as it came; it may name a member.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def show(*, letter: tuple[int, int], with_value: bool, as_json: bool) -> None:
    """Show one dead letter: what is wrong, where it came from, and whether it was sent again."""
    settings = find_settings()
    require_kafka(settings, say)
    with reading(settings, quiet=True) as reader:
        found = named(reader, [letter])[0]
        sent = reader.replayed().get(found.identity)
    told = _told(found, sent)
    if with_value:
        told["value"] = (found.value or b"").decode("utf-8", "backslashreplace")
    if as_json:
        click.echo(json_line(told))
        return
    for name, said in told.items():
        click.echo(f"{name.replace('_', ' ')}: {'-' if said is None else said}")


def _latest(letters: list[tuple[Letter, Replayed | None]], last: int) -> list[tuple[Letter, Replayed | None]]:
    """Return the latest, the latest first."""
    begin = datetime.min.replace(tzinfo=UTC)
    return sorted(letters, key=lambda each: (each[0].at or begin, each[0].offset), reverse=True)[:last]


def _told(letter: Letter, sent: Replayed | None) -> dict[str, Any]:
    """Return what is told of a dead letter: nothing that stood in the event but its code and organisation."""
    code, org_id = letter.named()
    return {
        "letter": letter.name,
        "at": _time(letter.at),
        "reason": letter.reason,
        "message": letter.message,
        "stage": letter.stage,
        "source": letter.source,
        "referral_code": code,
        "org_id": org_id,
        "records": letter.records,
        "bytes": len(letter.value or b""),
        "again": letter.is_again,
        "replayed_at": None if sent is None else sent.at,
    }


def _show(counts: dict[tuple[str, str], Counter[str]], latest: list[tuple[Letter, Replayed | None]]) -> None:
    if not counts:
        click.echo("no dead letters")
        return
    console = Console(highlight=False, soft_wrap=True)
    table = Table("reason", "topic", box=None, pad_edge=False)
    for name in ("open", "replayed"):
        table.add_column(name, justify="right")
    for (reason, topic), count in sorted(counts.items()):
        table.add_row(reason, topic, f"{count['open']:,}", f"{count['replayed']:,}")
    console.print(table)
    for letter, sent in latest:
        state = f", replayed {sent.at}" if sent is not None else ""
        line = f"{letter.name}  {_time(letter.at) or '-'}  {letter.reason}  {letter.source}: {letter.message}{state}"
        console.print(line, markup=False)


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"
