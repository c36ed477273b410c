"""What a run is: where its members come from, the time it covers, how far it is, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from edges.reconciliation.mapping import Reading
from edges.reconciliation.oauth import Client
from edges.reconciliation.reasons import Fault, RowLeft, Said, Why

Kind = Literal["json", "odata", "csv"]
FILE: Final = "file"
"""Kind of a run whose members are in a CSV file named on the command line; it covers no time."""


ROWS_LEFT_MAX: Final = 100
"""Rows that a run names; the others are counted."""


class Source(Struct, frozen=True, kw_only=True):
    """Where an organisation's members are listed."""

    kind: Literal["json", "odata", "csv", "file"]
    url: str
    """Address, or a path; see the table membership_sources."""
    reading: Reading = Reading()
    """What its columns are and its words mean."""
    parameter: str = ""
    """Of the query, where the number or word of the next page goes; empty: found out."""
    client: Client | None = None
    """Who asks for tokens; None: the secret, if there is one, is a token."""
    is_delta: bool = False
    """It tracks changes, and is asked for them."""
    overlap: timedelta = timedelta(days=1)
    run_every: timedelta | None = None
    """How long after the beginning of its last run the leader begins the next; None: as its crontab says."""
    configured_at: datetime | None = None
    """None: it is not kept."""


class Schedule(NamedTuple):
    """When an organisation is reconciled by the leader of the stream workers."""

    org_id: str
    run_every: timedelta | None
    """None: at REFERRALS_RECONCILE_AT."""
    last_at: datetime | None
    """When a run last began or was gone on with, since the source was configured; None: none was."""
    due_at: datetime | None
    """When the next begins; None: at REFERRALS_RECONCILE_AT. A source that asked for peace is due when that is over."""


class Counts(Struct, kw_only=True):
    """What became of the rows; each is in one count besides `members_read`."""

    members_read: int = 0
    matched: int = 0
    """Their state is in the topic."""
    back_filled: int = 0
    """Their confirmation was missing."""
    withdrawn: int = 0
    """Their withdrawal was missing."""
    superseded: int = 0
    """The topic has the other state, from a later time."""
    unknown_code: int = 0
    without_code: int = 0
    not_confirmed: int = 0
    """Neither confirmed nor withdrawn yet."""
    repeated: int = 0
    """Rows of a pair that has another row; the latest word counts."""
    unclear: int = 0
    """They do not say certainly what the member is."""
    bad_rows: int = 0
    """They cannot be read."""

    def add(self, name: str, count: int = 1) -> None:
        """Count rows."""
        setattr(self, name, getattr(self, name) + count)
        self.members_read += count

    def plus(self, other: Counts) -> Counts:
        """Return the sums."""
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in COUNTS})


COUNTS: Final = Counts.__struct_fields__


@dataclass(kw_only=True, slots=True)
class Run:
    """One run for one organisation."""

    org_id: str
    source: str
    """The kind of its source."""
    since: datetime | None
    """Members from then on are asked for; None: all."""
    until: datetime | None
    """Members up to then are covered; None: it covers no time."""
    cursor: str | None = None
    """Where the first page is that is not settled; None: the first of all."""
    is_resumed: bool = False
    """Another process began it and did not come to its end."""
    run_id: UUID = field(default_factory=uuid4)
    counts: Counts = field(default_factory=Counts)
    error: Said | None = None
    """Why it did not come to its end."""
    is_busy: bool = False
    """Nothing was done: another process is at it."""
    incomplete: Said | None = None
    """Why the source has more than was read."""
    rows_left: list[RowLeft] = field(default_factory=list)
    """The first rows that were unclear or bad."""
    delta_url: str | None = None
    """Where what changed since can be asked for."""
    begins_at_delta: bool = False
    """Its first page is what changed since the last run."""
    ask_again_at: datetime | None = None
    """The source asked not to be asked before."""

    @property
    def left(self) -> int:
        """Return how many rows are left for somebody to look at."""
        return self.counts.unclear + self.counts.bad_rows

    @property
    def is_done(self) -> bool:
        """Whether everything was seen, and nothing is left."""
        return not (self.is_busy or self.error or self.incomplete or self.left)

    @property
    def fault(self) -> Fault | None:
        """Return why it is not complete, as a code; None: it is, or there is no code for it."""
        said = self.error or self.incomplete
        return said if isinstance(said, Fault) else None

    def leave(self, place: str, why: Why) -> None:
        """Note a row that is left; the first ones are kept."""
        if len(self.rows_left) < ROWS_LEFT_MAX:
            self.rows_left.append(RowLeft(place, str(why), why))

    def anew(self) -> Run:
        """Return a run over the same time from its beginning."""
        return Run(org_id=self.org_id, source=self.source, since=self.since, until=self.until)

    def as_json(self) -> dict[str, Any]:
        """Return what a machine is told of it."""
        return {
            "org_id": self.org_id,
            "run_id": str(self.run_id),
            "source": self.source,
            "since": self.since,
            "until": self.until,
            "resumed": self.is_resumed,
            **msgspec.structs.asdict(self.counts),
            "busy": self.is_busy,
            "complete": self.error is None and self.incomplete is None and not self.is_busy,
            "incomplete": self.incomplete and str(self.incomplete),
            "left": self.left,
            "rows_left": [{"place": place, "reason": reason} for place, reason, _ in self.rows_left],
            "ask_again_at": self.ask_again_at,
            "error": self.error and str(self.error),
        }
