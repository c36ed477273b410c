"""One run on its way through its source's pages: rows in, members to be compared out, everything else counted."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from edges.reconciliation.address import is_path
from edges.reconciliation.deciding import Decision, latest_words
from edges.reconciliation.endpoint import Endpoint
from edges.reconciliation.errors import PageGone, SourceFailed
from edges.reconciliation.members import BadRow, Member, MemberReader
from edges.reconciliation.pages import ACCEPTED, Page, csv_pages, first_url, json_pages
from edges.reconciliation.runs import Counts, Run, Source
from edges.reconciliation.tokens import read_token
from models.errors import ReferralError
from process.settings import SettingsError

if TYPE_CHECKING:
    from edges.reconciliation.store import RunStore
    from process.settings import Settings

GATHER_S: Final = 60.0
"""A slow source is compared after so long at the latest, so that what it said is not asked again after a crash."""
BAD_ROWS_NAMED: Final = 20

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

    def __init__(self, job: Job, run: Run, settings: Settings, store: RunStore) -> None:
        self.job = job
        self.run = run
        self.words: dict[bytes, Member] = {}
        """The members that are to be compared in this round."""
        self.is_finished = False
        """Nothing is left to do, or nothing that would be done better by going on."""
        self.is_to_be_followed = False
        """It was begun by another process, and the time since then is still to be covered."""
        self._counts = Counts()
        """Of this round."""
        self._next_url = run.cursor
        self._at_end = False
        self._fault: Exception | None = None
        """Why the source gives no more."""
        self._is_useless = False
        """No later run could go on from where this one is."""
        self._reader = MemberReader(job.source.fields, job.source.statuses)
        self._settings = settings
        self._store = store
        self._opened = ExitStack()
        self._pages: Iterator[Page] | None = None
        self._pages_taken = 0
        self._bad_rows_named = 0

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
        self._counts, self.words = Counts(), {}
        try:
            self._take_pages(members, rows_max)
        except PageGone as fault:
            self._fault = fault
            # Pages are not kept for ever; nothing is lost by beginning with the first one again.
            self._is_useless = self.run.is_resumed and self._pages_taken == 0
        except (ReferralError, SettingsError) as fault:
            self._fault = fault
        except OSError as fault:
            self._fault = SourceFailed(f"{self.job.source.url}: {fault.strerror or type(fault).__name__}")
        words = latest_words(members)
        self._counts.add("repeated", len(members) - len(words))
        issued = self._store.issued(self.run.org_id, {member.code for member in words.values()}) if words else set()
        self.words = {key: member for key, member in words.items() if member.code in issued}
        self._counts.add("unknown_code", len(words) - len(self.words))

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
            run.error = str(self._fault)
            self.is_finished = self._is_useless
        elif self._at_end:
            self.is_finished = True
            run.error = self._fault_of_all()
        self.is_to_be_followed = self.is_finished and run.is_resumed

    def fail(self, fault: Exception) -> None:
        """End here; what this round read is read again by the next run."""
        self.run.error = str(fault)

    def _fault_of_all(self) -> str | None:
        """Say so if a source that was never read before has no row that can be read: that is not the rows' fault."""
        counts = self.run.counts
        if self.run.since is None and counts.members_read and counts.bad_rows == counts.members_read:
            return f"none of {counts.bad_rows:,} rows can be read; say what the fields are called with --field"
        return None

    def _take_pages(self, members: list[Member], rows_max: int) -> None:
        if self._pages is None:
            self._pages = self._open()
        rows = 0
        deadline_s = time.monotonic() + GATHER_S
        for page in self._pages:
            self._take(page, members)
            self._pages_taken += 1
            self._next_url = page.next_url
            self._at_end = page.is_last
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
            lines = self._opened.enter_context(path.open(encoding="utf-8-sig", errors="replace", newline=""))
            return csv_pages(lines, source.url, self._reader)
        token = read_token(self._settings, run.org_id) if self._store.has_token(run.org_id) else None
        endpoint = self._opened.enter_context(Endpoint(source.url, token=token, headers=ACCEPTED[source.kind]))
        url = run.cursor or first_url(source.url, run.since)
        if source.kind == "csv":
            text = endpoint.get(url).body.decode("utf-8-sig", "replace")
            return csv_pages(io.StringIO(text, newline=""), "line", self._reader)
        return json_pages(endpoint, url)

    def _take(self, page: Page, members: list[Member]) -> None:
        """Read a page's rows, and count those of which nothing is to be compared."""
        for place, content in page.rows:
            try:
                if isinstance(content, BadRow):
                    raise content
                member = self._reader.read(content)
            except BadRow as fault:
                self._counts.add("bad_rows")
                self._name(place, fault)
                continue
            if isinstance(member, str):
                self._counts.add(member)
            else:
                members.append(member)

    def _name(self, place: str, fault: BadRow) -> None:
        self._bad_rows_named += 1
        if self._bad_rows_named <= BAD_ROWS_NAMED:
            log.warning("row_left_out", org_id=self.run.org_id, place=place, reason=str(fault))
        elif self._bad_rows_named == BAD_ROWS_NAMED + 1:
            log.warning("more_rows_left_out", org_id=self.run.org_id, reason="counted, and not named any more")
