"""What is seen in one look at a running installation, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: a server, a file, or a page that a terminal can open."""

    text: str
    link: str | None = None
    """A page's address, too long for most terminals."""
    link_file: Path | None = None
    """Where the address stands as well."""

    @property
    def in_picture(self) -> str:
        """The line that stands for it in a picture, where a click opens the page."""
        return self.text if self.link is None else f"{self.text}: click here, or open what is in {self.link_file}"

    @property
    def in_full(self) -> str:
        """The line that says all of it."""
        return self.text if self.link is None else f"{self.text}: {self.link}"


@dataclass(frozen=True, kw_only=True, slots=True)
class MilestoneSeen:
    """A milestone as read from its topic, committed."""

    org_id: str
    mentor_id: str
    threshold: int
    seen_at: datetime
    """When the record was written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AwardSeen:
    """A row of badge_awards with its badge's name."""

    org_id: str
    mentor_id: str
    badge_name: str
    awarded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MentorSeen:
    """A row of mentor_counts."""

    org_id: str
    mentor_id: str
    clicks: int
    pending: int
    confirmed: int
    conversion_rate: float
    milestones: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessSeen:
    """A component's process."""

    name: str
    pid: int | None
    """None between an end and the restart."""
    restarts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """One look."""

    received: int = 0
    """Offsets in the source topics: sample records, and the copies that the stream app moved to their partition."""
    received_per_s: float = 0.0
    processed: int = 0
    """Offsets of the source topics that the stream app has committed."""
    processed_per_s: float = 0.0
    lags: Mapping[str, int] = field(default_factory=dict)
    """By component: records there that its consumer group has not committed."""
    partitions: int = 0
    partitions_committed: int = 0
    """Source partitions that the stream app committed since the look before."""
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    """By the name of the error."""
    milestones: int = 0
    milestones_latest: Sequence[MilestoneSeen] = ()
    """The latest first."""
    awards: int = 0
    awards_latest: Sequence[AwardSeen] = ()
    """The latest first."""
    mentors: int = 0
    """Mentors with counts."""
    busiest: Sequence[MentorSeen] = ()
    """By confirmed registrations, the most first."""
    processes: Sequence[ProcessSeen] = ()
    away: Sequence[str] = ()
    """What did not answer at this look; its figures are those of the look before."""

    received_history: Sequence[float] = ()
    """Per second, one for each look, the oldest first."""
    processed_history: Sequence[float] = ()
    lag_history: Sequence[float] = ()
    """Of the stream app."""

    @property
    def lag(self) -> int:
        """How many records the components are behind, all together."""
        return sum(self.lags.values())
