"""`referrals explain`: why a mentor holds a badge, or does not, back to the registrations and clicks."""

from __future__ import annotations

from contextlib import closing, nullcontext
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click
from rich.console import Console

from commands.progress import progress_on
from commands.saying import say
from commands.trees import show_tree
from models.errors import BadCode
from models.tolerance import read_code, read_uuid
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings
from process.settings import Settings

if TYPE_CHECKING:
    from operations.explaining import Explanation
    from operations.mentor_rows import MentorRows


@click.command()
@click.argument("mentor")
@click.option("--org", type=click.UUID, metavar="ORG", help="In this organisation only.")
@click.option("--badge", metavar="BADGE", help="Of this badge only: its id, its name, or its threshold.")
@click.option("--tables-only", is_flag=True, help="What Postgres says, at once: no topic is read.")
@click.option("--members", is_flag=True, help="Name the members who were confirmed; else they are coordinates alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, with every registration that counted.")
def command(
    *, mentor: str, org: UUID | None, badge: str | None, tables_only: bool, members: bool, as_json: bool
) -> None:
    """Explain what a mentor holds and what he does not: each badge, its milestone, the registration that crossed.

    MENTOR is his id or his referral code. Of each milestone: its record, the registration that made the count
    (topic/partition/offset, when it happened, when it came), those before it, and the clicks until then. Of each badge
    that he does not hold: why, as it was decided. It reads the partitions where his code belongs from their beginning.

    Exit codes: 0 done; 1 nobody knows him, or Kafka or Postgres cannot be read.
    """
    from commands.explain_report import told, tree  # noqa: PLC0415  `--help` needs neither Kafka nor Postgres

    found = _explain(
        find_settings(), mentor, None if org is None else str(org), with_topics=not tables_only, quiet=as_json
    )
    if badge is not None and not any(_is_named(each, badge) for each in found):
        raise click.ClickException(f"{badge}: no organisation of the mentor has such a badge")
    shown = None if badge is None else badge.casefold()
    if as_json:
        organisations = [told(each, shown, with_members=members) for each in found]
        click.echo(json_line({"mentor_id": found[0].rows.mentor_id, "organisations": organisations}))
        return
    for each in found:
        show_tree(tree(each, shown, with_members=members))


def _explain(
    settings: Settings, mentor: str, org_id: str | None, *, with_topics: bool, quiet: bool
) -> list[Explanation]:
    """Return what is known of the mentor, by organisation."""
    from operations.explaining import MentorTopics, explain  # noqa: PLC0415  `--help` needs neither Kafka nor Postgres

    known = _rows(settings, mentor, org_id)
    if not with_topics:
        return [explain(rows, None) for rows in known]
    require_kafka(settings, say)
    console = Console(stderr=True)
    bar = progress_on(console) if console.is_terminal and not quiet else None
    task = bar.add_task("reading", total=None, rate="") if bar else None

    def show(done: int, of: int) -> None:
        if bar is not None and task is not None:
            bar.update(task, completed=done, total=of)

    with bar or nullcontext(), closing(MentorTopics(settings, progress=show)) as topics:
        return [explain(rows, topics.read(rows)) for rows in known]


def _rows(settings: Settings, mentor: str, org_id: str | None) -> list[MentorRows]:
    from operations.mentor_rows import organisations_of, owners_of_code, read_mentor  # noqa: PLC0415  the same
    from operations.tables import tables  # noqa: PLC0415  the same

    mentor_id, code = _named(mentor)
    with tables(settings.database_url) as database:
        if mentor_id is None:
            owners = [row for row in owners_of_code(database, code) if org_id in {None, row["org_id"]}]
            if not owners:
                raise click.ClickException(f"code {code} was not issued{_there(org_id)}, as far as Postgres knows")
            mentor_id, org_id = owners[0]["mentor_id"], owners[0]["org_id"]
        found = [each for each in organisations_of(database, mentor_id) if org_id in {None, each}]
        if not found:
            raise click.ClickException(
                f"mentor {mentor_id}: no code, counts or milestones{_there(org_id)}; a code that is only in the topic "
                "is known when `referrals counts` has read it"
            )
        return [read_mentor(database, each, mentor_id) for each in found]


def _named(mentor: str) -> tuple[str | None, str]:
    """Return the id that was given, or None and the code."""
    mentor_id = read_uuid(mentor)
    if mentor_id is not None:
        return mentor_id, ""
    try:
        return None, read_code(mentor)
    except BadCode as fault:
        raise click.UsageError(f"{mentor!r} is neither a mentor's id nor a referral code: {fault}") from None


def _there(org_id: str | None) -> str:
    return "" if org_id is None else f" in organisation {org_id}"


def _is_named(explanation: Explanation, badge: str) -> bool:
    from commands.explain_report import chosen  # noqa: PLC0415  the same

    return bool(chosen(explanation, badge.casefold()))
