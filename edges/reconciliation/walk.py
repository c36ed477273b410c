"""One run on its way through its source's pages: rows in, members to be compared out, everything else counted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from edges.reconciliation.address import is_path
from edges.reconciliation.deciding import TWO_CODES, Decision, decide, latest_words, under_two_codes
from edges.reconciliation.endpoint import PATIENT, Patience
from edges.reconciliation.errors import PageGone, SourceBusy, SourceFailed
from edges.reconciliation.members import Member, MemberReader
from edges.reconciliation.opening import opened_endpoint
from edges.reconciliation.pages import Page, Trail, csv_pages, first_url, json_pages
from edges.reconciliation.reasons import Fault, Said, Why
from edges.reconciliation.runs import Counts, Run, Source
from edges.reconciliation.tokens import read_token
from edges.reconciliation.verdicts import BadRow, UnclearRow
from models.errors import ReferralError
from models.members import WITHDRAWN, pair_key
from models.spreadsheets import text_lines
from process.settings import SettingsError

if TYPE_CHECKING:
    from edges.reconciliation.endpoint import Endpoint
    from edges.reconciliation.store import RunStore
    from edges.reconciliation.topic import Found
    from process.settings import Settings

GATHER_S: Final = 60.0
"""A slow source is compared after so long at the latest, so that what it said is not asked again after a crash."""
WAIT_MAX_S: Final = 3600.0
"""The longest that a source's wish for peace is waited for; the next run comes back to one that asks for more."""
ROWS_LOGGED: Final = 20
BESIDE_UNCLEAR: Final = Why("beside-unclear")
SURE_ROWS: Final = 50
"""So many rows of a later run without a column are more than chance: systems leave empty fields out."""

log = structlog.get_logger("reconciliation")


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for."""

    org_id: str
    source: Source
    since: datetime | None = None
    """None: since the last run."""
    lines: Iterable[str] | None = None
    """Of a CSV file that is open; None: the source is opened by its address."""


class Walk:
    """One run on its way through its source's pages."""

    def __init__(
        self, job: Job, run: Run, settings: Settings, store: RunStore, *, patience: Patience = PATIENT
    ) -> None:
        self.job = job
        self.run = run
        self.words: dict[bytes, Member] = {}
        """The members that are to be compared in this round."""
        self.uncoded: list[Member] = []
        """Members whose row has no code; the topic may know them under one."""
        self.is_finished = False
        """Nothing is left to do, or nothing that would be done better by going on."""
        self.is_to_be_followed = False
        """It was begun by another process, and the time since then is still to be covered."""
        self.busy_until_s = 0.0
        """By the monotonic clock: until then the source wants peace."""
        self._counts = Counts()
        """Of this round."""
        self._next_url = run.cursor
        self._at_end = False
        self._fault: Exception | None = None
        """Why the source gives no more."""
        self._is_useless = False
        """No later run could go on from where this one is."""
        self._reader = MemberReader(job.source.reading)
        self._settings = settings
        self._store = store
        self._patience = patience
        self._opened = ExitStack()
        self._endpoint: Endpoint | None = None
        self._pages: Iterator[Page] | None = None
        self._pages_taken = 0
        self._trail = Trail()
        self._doubtful: set[str] = set()
        """Members of whom a row of this round is not clear."""
        self._total: int | None = None
        """How many rows the source says that there are."""

    @property
    def is_over(self) -> bool:
        """Whether the run came to its end, or failed."""
        return self.is_finished or self.run.error is not None

    def close(self) -> None:
        """Let the connections go."""
        self._opened.close()

    def gather(self, rows_max: int) -> None:
        """Read pages until they have so many rows, or took too long, or there are no more, or the source fails."""
        members: list[Member] = []
        self._counts, self.words, self.uncoded = Counts(), {}, []
        self._doubtful.clear()
        self.run.ask_again_at = None
        try:
            self._take_pages(members, rows_max)
        except SourceBusy as fault:
            self._wait(fault)
        except PageGone as fault:
            self._fault = fault
            # Pages are not kept for ever; nothing is lost by beginning with the first one again.
            self._is_useless = self.run.is_resumed and self._pages_taken == 0
        except (ReferralError, SettingsError) as fault:
            self._fault = fault
        except OSError as fault:
            said = {"place": self.job.source.url, "said": fault.strerror or type(fault).__name__}
            self._fault = SourceFailed(Fault("no-file", said))
        members = [member for member in members if not self._is_doubtful(member)]
        coded = [member for member in members if member.code is not None]
        self.uncoded = [member for member in members if member.code is None]
        words = latest_words(coded)
        self._counts.add("repeated", len(coded) - len(words))
        issued = self._issued(member.code for member in words.values())
        self.words = {key: member for key, member in words.items() if member.code in issued}
        self._counts.add("unknown_code", len(words) - len(self.words))
        for key in under_two_codes(self.words):
            self._leave("unclear", self.words.pop(key).place, TWO_CODES)

    def decide(self, found: Found) -> Decision:
        """Compare what was gathered with what the topic says; count what is not to be compared."""
        states = dict(found.states)
        known = {member.member_id: found.under(member.member_id, self.run.org_id) for member in self.uncoded}
        issued = self._issued(code for codes in known.values() for code in codes)
        members = list(self.words.values())
        for member in self.uncoded:
            codes = {code: pair for code, pair in known[member.member_id].items() if code in issued}
            if not codes:
                self._counts.add("without_code")
            elif member.unclear is not None and all(pair.state == WITHDRAWN for pair in codes.values()):
                self._counts.add("superseded")
            elif member.unclear is not None or len(codes) > 1:
                self._leave("unclear", member.place, member.unclear or Why("under-several", {"count": str(len(codes))}))
            else:
                ((code, pair),) = codes.items()
                members.append(member._replace(code=code))
                states.setdefault(pair_key(code, member.member_id), pair)
        words = latest_words(members)
        self._counts.add("repeated", len(members) - len(words))
        erased = [key for key, member in words.items() if found.is_erased(member.code or "", member.member_id)]
        for key in erased:  # whatever is said of them, nothing of it is to come into the topic again
            del words[key]
        self._counts.add("superseded", len(erased))
        for member in words.values():
            if member.unclear is not None:
                self._leave("unclear", member.place, member.unclear)
        return decide({key: member for key, member in words.items() if member.unclear is None}, states)

    def settle(self, decision: Decision) -> None:
        """Count what was decided and move on; what was missing is published by now."""
        counts = self._counts
        counts.add("matched", decision.matched)
        counts.add("superseded", decision.superseded)
        for member in decision.missing:
            counts.add("back_filled" if member.status == "confirmed" else "withdrawn")
        run = self.run
        run.counts = run.counts.plus(counts)
        run.cursor = self._next_url
        if self._fault is not None:
            run.error = _said(self._fault)
            self.is_finished = self._is_useless
        elif self._at_end:
            self.is_finished = True
            run.error = self._fault_of_all()
            if run.incomplete is None and self._total is not None and run.counts.members_read < self._total:
                said = {"total": f"{self._total:,}", "read": f"{run.counts.members_read:,}"}
                run.incomplete = Fault("fewer-rows", said)
        self.is_to_be_followed = self.is_finished and run.is_resumed

    def fail(self, fault: Exception) -> None:
        """End here; what this round read is read again by the next run."""
        self.run.error = _said(fault)

    def _fault_of_all(self) -> Fault | None:
        """Say so if what is wrong with the rows is not the rows' fault."""
        counts, reader = self.run.counts, self._reader
        if self.run.since is None and counts.members_read and counts.bad_rows == counts.members_read:
            return Fault("none-read", {"count": f"{counts.bad_rows:,}"})
        if reader.rows_seen and (self.run.since is None or reader.rows_seen >= SURE_ROWS):
            missing = [field for field in reader.never_seen() if not field.startswith("confirmed_at")]
            if missing:
                wanted = f"{missing[0].split()[0]}=COLUMN{reader.columns.likely(missing[0], reader.keys_seen)}"
                said = {"count": f"{reader.rows_seen:,}", "fields": ", ".join(missing), "wanted": wanted}
                return Fault("none-has-column", said)
        return None

    def _issued(self, codes: Iterable[str | None]) -> set[str]:
        asked = {code for code in codes if code is not None}
        return self._store.issued(self.run.org_id, asked) if asked else set()

    def _wait(self, fault: SourceBusy) -> None:
        """Come back when the source may be asked again: this run, or, where that is long, a later one."""
        self.run.ask_again_at = datetime.now(UTC) + timedelta(
            seconds=min(fault.pause_s, timedelta(days=30).total_seconds())
        )
        if fault.pause_s > WAIT_MAX_S:
            self._fault = fault
            return
        self.busy_until_s = time.monotonic() + fault.pause_s
        self._pages = None  # a generator that has raised is at its end; the next one goes on where it was
        log.info("source_waited_for", org_id=self.run.org_id, reason=str(fault))

    def _take_pages(self, members: list[Member], rows_max: int) -> None:
        rows = 0
        deadline_s = time.monotonic() + GATHER_S
        while not self._at_end:
            asked_at = datetime.now(UTC)
            if self._pages is None:
                self._pages = self._open()
            try:
                page = next(self._pages)
            except PageGone:
                if not self.run.begins_at_delta or self._pages_taken:
                    raise
                log.info("changes_not_kept", org_id=self.run.org_id, reason="the whole list is read again")
                self.run.begins_at_delta = False
                self._next_url, self._pages = None, None
                continue
            self._take(page, members, asked_at)
            self._pages_taken += 1
            self._next_url = page.next_url
            self._at_end = page.is_last
            self._total = self._total if page.total is None else page.total
            self.run.incomplete = page.more
            self.run.delta_url = page.delta_url
            rows += len(page.rows)
            if rows >= rows_max or time.monotonic() > deadline_s:
                return

    def _open(self) -> Iterator[Page]:
        """Return the pages from where the run is."""
        source, run = self.job.source, self.run
        if self.job.lines is not None:
            return csv_pages(self.job.lines, source.url, self._reader)
        if source.kind == "csv" and is_path(source.url):
            path = Path(source.url)
            file = self._opened.enter_context(path.open("rb"))
            return csv_pages(text_lines(file), source.url, self._reader)
        if self._endpoint is None:
            secret = read_token(self._settings, run.org_id) if self._store.has_token(run.org_id) else None
            self._endpoint = self._opened.enter_context(opened_endpoint(source, secret, self._patience))
        url = self._next_url or first_url(source.url, run.since)
        if source.kind == "csv":
            return csv_pages(text_lines([self._endpoint.get(url).body]), "line", self._reader)
        return json_pages(self._endpoint, url, trail=self._trail, parameter=source.parameter)

    def _take(self, page: Page, members: list[Member], asked_at: datetime) -> None:
        """Read a page's rows, and count those of which nothing is to be compared."""
        self._reader.look(content for _, content in page.rows)
        for place, content in page.rows:
            try:
                if isinstance(content, BadRow):
                    raise content
                member = self._reader.read(content, asked_at, place)
            except BadRow as fault:
                self._leave("unclear" if isinstance(fault, UnclearRow) else "bad_rows", place, fault.why)
                if isinstance(fault, UnclearRow) and fault.member_id is not None:
                    self._doubtful.add(fault.member_id)
                continue
            if isinstance(member, str):
                self._counts.add(member)
            else:
                members.append(member)

    def _is_doubtful(self, member: Member) -> bool:
        """Tell whether another row of a member who would be confirmed is not clear, and leave his."""
        if member.status != "confirmed" or member.code is None or member.member_id not in self._doubtful:
            return False
        self._leave("unclear", member.place, BESIDE_UNCLEAR)
        return True

    def _leave(self, count: str, place: str, why: Why) -> None:
        """Count a row that somebody has to look at, and say where it is and why."""
        self._counts.add(count)
        self.run.leave(place, why)
        left = self.run.left + self._counts.unclear + self._counts.bad_rows
        if left <= ROWS_LOGGED:
            log.warning("row_left_out", org_id=self.run.org_id, place=place, reason=str(why))
        elif left == ROWS_LOGGED + 1:
            log.warning("more_rows_left_out", org_id=self.run.org_id, reason="counted, and not logged any more")


def _said(fault: Exception) -> Said:
    """Return what went wrong: as a fault where it has a code, else in the words of whoever said it."""
    return fault.said if isinstance(fault, SourceFailed) else str(fault)
