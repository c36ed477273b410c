"""`referrals erase-member`: a member's id goes, the counts stay; what cannot go at once is said with its time."""

from __future__ import annotations

import sys
import time
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from rich.console import Console

from commands.progress import progress_on
from commands.saying import say
from models.tolerance import read_uuid
from process.faults import said
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings

if TYPE_CHECKING:
    from operations.erasing import Remains
    from operations.member_traces import MemberTraces, UnderCode
    from process.settings import Settings

STANDARD_INPUT: Final = "-"
LOOK_AGAIN_S: Final = 0.5
EXIT_NOT_DONE: Final = 1


@click.command()
@click.argument("member")
@click.option("--org", type=click.UUID, metavar="ORG", help="Only under the codes of this organisation.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say where the id stands, and erase nothing.")
@click.option("--wait-s", default=30.0, show_default=True, type=click.FloatRange(min=0), metavar="S",
              help="Wait so long for the stream app and `referrals counts`.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(*, member: str, org: Any, yes: bool, dry_run: bool, wait_s: float, as_json: bool) -> None:  # noqa: ANN401  click's UUID
    """Erase a member (GDPR, article 17): his id goes, counts and badges stay.

    MEMBER is his id, or - to read it from standard input, so that it stands in no shell's history. Under each code that
    he is known by, an erasure goes into the registrations topic; the stream app and `referrals counts` follow. Later
    events of his under that code change nothing. What Kafka cannot delete at once is named with the time by which it is
    gone. Run it again to see how far that is: it sends nothing twice.

    Exit codes: 0 done, or nothing to be done; 1 not done yet, or Kafka or Postgres cannot be read.
    """
    from operations.member_traces import MemberTraces  # noqa: PLC0415  `--help` needs neither Kafka nor Postgres
    from operations.reading import CannotRead  # noqa: PLC0415  the same

    member_id = _member(member)
    settings = find_settings()
    require_kafka(settings, say)
    console = Console(stderr=True)
    bar = progress_on(console) if console.is_terminal and not as_json else None
    task = bar.add_task("looking", total=None, rate="") if bar else None

    def show(done: int, of: int) -> None:
        if bar is not None and task is not None:
            bar.update(task, completed=done, total=of)

    try:
        with closing(MemberTraces(settings, member_id, progress=show)) as traces:
            with bar or nullcontext():
                traces.look()
            erasing = _Erasing(settings, traces, member_id, None if org is None else str(org))
            if not dry_run:
                erasing.send(ask=not yes, quiet=as_json)
                erasing.wait(wait_s)
            erasing.report(as_json=as_json, dry_run=dry_run)
    except CannotRead as fault:
        raise click.ClickException(str(fault)) from None
    if not dry_run and not erasing.is_done:
        sys.exit(EXIT_NOT_DONE)


def _member(given: str) -> str:
    """Return the id that was given. It is never repeated: what a terminal shows is often kept."""
    text = sys.stdin.readline().strip() if given == STANDARD_INPUT else given
    member_id = read_uuid(text)
    if member_id is None:
        raise click.UsageError("MEMBER is not a member's id: a UUID, as in new_member_id")
    return member_id


class _Erasing:
    """One member on his way out."""

    def __init__(self, settings: Settings, traces: MemberTraces, member_id: str, org_id: str | None) -> None:
        self._settings = settings
        self._traces = traces
        self._member_id = member_id
        self._org_id = org_id
        self._orgs: dict[str, str] = {}
        self._marked: set[str] = set()
        self._sent: set[str] = set()
        self._look_at_tables()

    @property
    def codes(self) -> list[UnderCode]:
        """The codes that are meant."""
        return [
            under for code, under in sorted(self._traces.codes.items()) if self._org_id in {None, self._orgs.get(code)}
        ]

    @property
    def is_done(self) -> bool:
        """Whether the stream app holds the id no more, and Postgres knows."""
        return all(under.is_done and self._is_marked(under) for under in self.codes)

    def send(self, *, ask: bool, quiet: bool) -> None:
        """Send what is missing, once somebody has said yes."""
        from edges.publishing.erasing import NotSent, send_erasures  # noqa: PLC0415  `--help` needs no Kafka
        from edges.publishing.producer import TopicMissing  # noqa: PLC0415  the same
        from models.erasures import erasure_of  # noqa: PLC0415  the same

        missing = [under.code for under in self.codes if under.is_to_be_erased]
        if not missing:
            return
        if ask:
            if not quiet:
                for line in self._pair_lines():
                    click.echo(line, err=True)
            question = (
                f"Erase this member under {len(missing)} code{'s' if len(missing) > 1 else ''}? It cannot be undone."
            )
            click.confirm(question, abort=True, err=True)
        now = datetime.now(UTC)
        try:
            send_erasures(self._settings, [erasure_of(code, self._member_id, at=now) for code in missing])
        except (NotSent, TopicMissing) as fault:
            raise click.ClickException(str(fault)) from None
        self._sent = set(missing)

    def wait(self, wait_s: float) -> None:
        """Wait until the stream app and the projection have done what the erasures say, up to so long."""
        deadline_s = time.monotonic() + wait_s
        while not self.is_done and time.monotonic() < deadline_s:
            time.sleep(LOOK_AGAIN_S)
            self._traces.look_at_rows()
            self._look_at_tables()

    def report(self, *, as_json: bool, dry_run: bool) -> None:
        """Say what was done, what is left, and when that goes."""
        from operations.erasing import keeping, remains  # noqa: PLC0415  the same

        left = remains(self._traces.standing(), keeping(self._settings, self._traces.topics), datetime.now(UTC))
        if as_json:
            pairs = [self._pair_told(under) for under in self.codes]
            told = {"done": self.is_done, "pairs": pairs, "remains": [_remains_told(each) for each in left]}
            click.echo(json_line(told))
            return
        for line in self._pair_lines():
            click.echo(line)
        if not self.codes:
            where = "" if self._org_id is None else " of this organisation"
            click.echo(f"the id stands under no referral code{where}")
        for each in left:
            click.echo(_remains_line(each))
        if not left:
            click.echo("no topic has the id")
        click.echo("backups of Kafka and Postgres go when they expire; Postgres has never had the id")
        if not dry_run and not self.is_done:
            say("not done yet: start `referrals stream` and `referrals counts`, and run this again")

    def _look_at_tables(self) -> None:
        import psycopg  # noqa: PLC0415  the same

        from operations.erasing import marked, organisations  # noqa: PLC0415  the same
        from operations.tables import CannotLook, tables  # noqa: PLC0415  the same

        try:
            with tables(self._settings.database_url) as database:
                self._orgs = organisations(database, self._traces.codes.values())
                self._marked = marked(database, self._traces.codes.values(), self._orgs)
        except (CannotLook, psycopg.OperationalError) as fault:
            raise click.ClickException(f"Postgres (REFERRALS_DATABASE_URL): {said(fault)}") from None

    def _is_marked(self, under: UnderCode) -> bool:
        """Tell whether Postgres knows; of a code that is not issued it has nothing to know."""
        return under.code in self._marked or under.code not in self._orgs

    def _state(self, under: UnderCode) -> str:
        if under.is_done:
            return "erased now" if under.code in self._sent else "erased before"
        return "not erased yet"

    def _pair_lines(self) -> list[str]:
        lines = []
        for under in self.codes:
            org_id = self._orgs.get(under.code)
            whose = "not issued, as far as Postgres knows" if org_id is None else f"organisation {org_id}"
            said = [self._state(under), _many(under.events, "registration")]
            if under.came_after:
                said.append(f"{under.came_after:,} of them sent after the erasure (tell who sends them)")
            if under.letters:
                said.append(_many(under.letters, "dead letter"))
            if under.is_done and not self._is_marked(under):
                said.append("Postgres does not know yet")
            lines.append(f"code {under.code} ({whose}): {', '.join(said)}")
        return lines

    def _pair_told(self, under: UnderCode) -> dict[str, Any]:
        return {
            "referral_code": under.code,
            "org_id": self._orgs.get(under.code),
            "erased_pair": under.name,
            "state": self._state(under),
            "registrations": under.events,
            "came_after": under.came_after,
            "dead_letters": under.letters,
            "stream": under.is_done,
            "postgres": self._is_marked(under),
        }


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _remains_line(each: Remains) -> str:
    what = f"{each.topic}: {each.records:,} {each.what}, from {each.first.partition}/{each.first.offset} on"
    if each.is_held:
        return f"{what}: held by the stream app"
    if each.gone_by is None:
        return f"{what}: nothing in its settings says when they go ({each.setting})"
    return f"{what}: gone by {each.gone_by:%Y-%m-%d %H:%M:%SZ} ({each.setting})"


def _remains_told(each: Remains) -> dict[str, Any]:
    return {
        "topic": each.topic,
        "what": each.what,
        "records": each.records,
        "first": str(each.first),
        "held": each.is_held,
        "gone_by": None if each.gone_by is None else f"{each.gone_by:%Y-%m-%dT%H:%M:%SZ}",
        "settings": each.setting,
    }
