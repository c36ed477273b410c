"""Which dead letters a command means: by place, or by reason, topic, organisation, code and time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC
from typing import Any, Final
from uuid import UUID

import rich_click as click
from rich.console import Console

from commands.progress import progress_on
from models.dead_letters import Filter, Letter
from models.errors import BadCode
from models.tolerance import read_code
from models.topics import CLICKS, CODES, MENTOR_COUNTS, MILESTONES, REGISTRATIONS
from operations.dead_letters import DeadLetterReader, of_organisation
from operations.tables import tables
from process.settings import Settings

TOPICS: Final = {
    "codes": CODES,
    "clicks": CLICKS,
    "registrations": REGISTRATIONS,
    "mentor-counts": MENTOR_COUNTS,
    "milestones": MILESTONES,
}
TIME: Final = click.DateTime(["%Y-%m-%dT%H:%M:%SZ"])
_LETTER: Final = re.compile(r"(\d{1,9})/(\d{1,18})")


class LetterType(click.ParamType):
    """A dead letter by its place: PARTITION/OFFSET."""

    name = "letter"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:  # noqa: ANN401  click's signature
        """Return partition and offset."""
        found = _LETTER.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no dead letter; give partition/offset, as list shows them: 3/17", param, ctx)
        return int(found[1]), int(found[2])


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which dead letters are meant."""
    for option in reversed(
        [
            click.option("--reason", "reasons", multiple=True, metavar="REASON", help="BadEvent, WaitedTooLong, ..."),
            click.option("--topic", "topics", multiple=True, type=click.Choice(list(TOPICS)),
                         help="Read from there."),
            click.option("--org", type=click.UUID, metavar="ORG",
                         help="Of this organisation: its codes', and those of codes that nobody has and that name it."),
            click.option("--code", metavar="CODE", help="Of this referral code."),
            click.option("--since", type=TIME, metavar="TIME", help="Written since then; 2026-11-20T10:30:00Z."),
            click.option("--until", type=TIME, metavar="TIME", help="Written before."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@contextmanager
def reading(settings: Settings, *, quiet: bool) -> Iterator[DeadLetterReader]:
    """Open the reader for the body; on a terminal with a bar."""
    console = Console(stderr=True)
    bar = progress_on(console) if console.is_terminal and not quiet else None
    task = bar.add_task("reading", total=None, rate="") if bar else None

    def show(done: int, of: int) -> None:
        if bar is not None and task is not None:
            bar.update(task, completed=done, total=of, rate=f"{done:,} dead letters")

    with bar or nullcontext(), closing(DeadLetterReader(settings, progress=show)) as reader:
        yield reader


class Meant:
    """What the filters of a command mean."""

    def __init__(self, settings: Settings, asked: dict[str, Any]) -> None:
        """Read the options; raise click.UsageError where one is none."""
        try:
            code = None if asked["code"] is None else read_code(asked["code"])
        except BadCode as fault:
            raise click.UsageError(str(fault)) from None
        since, until = (None if asked[name] is None else asked[name].replace(tzinfo=UTC) for name in ("since", "until"))
        self._database_url = settings.database_url
        self._org: UUID | None = asked["org"]
        self._filter = Filter(
            reasons=frozenset(asked["reasons"]),
            topics=frozenset(TOPICS[name].full_name(settings.topic_prefix) for name in asked["topics"]),
            code=code,
            since=since,
            until=until,
        )

    def read(self, reader: DeadLetterReader) -> Iterator[Letter]:
        """Yield the dead letters that are meant."""
        found = reader.read(self._filter)
        if self._org is None:
            yield from found
            return
        with tables(self._database_url) as database:
            yield from of_organisation(found, database, str(self._org))


def named(reader: DeadLetterReader, places: Iterable[tuple[int, int]]) -> list[Letter]:
    """Return the dead letters at these places; one that is not there is the user's mistake."""
    wanted = list(places)
    found = reader.named(wanted)
    missing = set(wanted) - {(letter.partition, letter.offset) for letter in found}
    if missing:
        names = ", ".join(f"{partition}/{offset}" for partition, offset in sorted(missing))
        raise click.ClickException(f"{names}: no such dead letter; see: referrals dead-letters list")
    return found
