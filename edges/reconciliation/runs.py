"""What a run is: where its members come from, the time it covers, how far it is, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

Kind = Literal["json", "odata", "csv"]
FILE: Final = "file"
"""Kind of a run whose members are in a CSV file named on the command line; it covers no time."""


class Source(Struct, frozen=True, kw_only=True):
    """Where an organisation's members are listed."""

    kind: Literal["json", "odata", "csv", "file"]
    url: str
    """Address, or a path; see the table membership_sources."""
    fields: dict[str, str] = {}
    statuses: dict[str, str] = {}
    overlap: timedelta = timedelta(days=1)
    configured_at: datetime | None = None
    """None: it is not kept."""


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
    bad_rows: int = 0

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
    error: str | None = None
    """Why it did not come to its end."""
    is_busy: bool = False
    """Nothing was done: another process is at it."""

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
            "error": self.error,
        }
