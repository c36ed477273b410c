"""What a mentor's counts came of: the clicks and registrations of his code, in the order of their partition.

The same rules as the fold's, for one code and with each record's coordinates: which registrations made the confirmed
count what it was when one of them crossed a threshold, and which clicks had come by then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from models.erasures import pseudonym
from models.events import Erasure, Registration
from models.identifiers import canonical_uuid
from models.members import CONFIRMED, PENDING, WITHDRAWN, Pair, pair_after, pair_key
from models.mentors import channel_name
from models.moves import Arrivals, origin_of

if TYPE_CHECKING:
    from datetime import datetime

    from models.events import Click
    from models.records import Record


class Counted(NamedTuple):
    """A click or registration that counts."""

    partition: int
    offset: int
    occurred_at: datetime
    channel: str
    """The one that it counts in, but for the rule of sixteen channels (rule 6)."""
    event_id: str
    """The click's or the registration's own; no member's."""
    member_id: str | None
    """Who was confirmed; None for a click, and for a member who was erased since."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """The registration that made a confirmed count what it was."""

    record: Counted
    confirmed: tuple[Counted, ...]
    """The registrations by which members were confirmed then, itself among them, in the order in which they came."""


@dataclass(slots=True)
class Evidence:
    """Collects the records of one code."""

    org_id: str
    """The code's organisation: what names another counts nowhere (rule 4)."""
    code: str
    clicks: list[Counted] = field(default_factory=list)
    crossings: dict[str, Crossing] = field(default_factory=dict)
    """By attribution id: of each registration that confirmed somebody."""
    wanted: frozenset[str] = frozenset()
    """The attribution ids of which crossings are kept."""
    registrations: int = 0
    """Records that were taken, repetitions included."""
    left_out: int = 0
    """Records that name another organisation."""
    _pairs: dict[bytes, Pair] = field(default_factory=dict)
    _confirmed: dict[bytes, Counted] = field(default_factory=dict)
    _erased: set[bytes] = field(default_factory=set)
    """Pseudonyms of members who were erased."""
    _arrivals: Arrivals = field(default_factory=lambda: Arrivals({}))

    def take(self, record: Record, event: Click | Registration | Erasure) -> None:
        """Take one record of the code; those of one topic come in the order of their offsets."""
        origin = origin_of(record)
        if origin is not None and not self._arrivals.is_new(origin):
            return  # it was moved here before
        if isinstance(event, Erasure):
            self._erased.add(UUID(event.erased_pair).bytes)
            return
        if isinstance(event, Registration) and self._is_erased(event):
            return
        if event.org_id is not None and canonical_uuid(event.org_id) != self.org_id:
            self.left_out += 1
            return
        channel = channel_name(None if event.device_metadata is None else event.device_metadata.share_channel)
        if isinstance(event, Registration):
            self._register(record, event, channel)
        else:
            self.clicks.append(
                Counted(record.partition, record.offset, event.occurred_at, channel, event.click_id, None)
            )

    def members(self) -> Counter[str]:
        """Return how many members are pending, confirmed and withdrawn by all that was taken."""
        states = Counter(pair.state for pair in self._pairs.values())
        return Counter(pending=states[PENDING], confirmed=states[CONFIRMED], withdrawn=states[WITHDRAWN])

    def clicks_until(self, instant: datetime) -> list[Counted]:
        """Return the clicks that occurred until then, the latest last."""
        by_time = sorted(self.clicks, key=lambda click: click.occurred_at)
        return by_time[: bisect_right(by_time, instant, key=lambda click: click.occurred_at)]

    def forget_erased(self) -> None:
        """Name no member any more who was erased; after the last record."""

        def named(counted: Counted) -> Counted:
            is_erased = counted.member_id is not None and pseudonym(self.code, counted.member_id) in self._erased
            return counted._replace(member_id=None) if is_erased else counted

        if self._erased:
            self.crossings = {
                attribution_id: Crossing(
                    record=named(crossing.record), confirmed=tuple(named(each) for each in crossing.confirmed)
                )
                for attribution_id, crossing in self.crossings.items()
            }

    def _is_erased(self, event: Registration) -> bool:
        return bool(self._erased) and pseudonym(self.code, event.new_member_id) in self._erased

    def _register(self, record: Record, event: Registration, channel: str) -> None:
        self.registrations += 1
        key = pair_key(self.code, event.new_member_id)
        pair = self._pairs.get(key, Pair(PENDING, 0, channel))
        after = self._pairs[key] = pair_after(pair, event.status, event.occurred_at)
        if after.state != CONFIRMED:
            self._confirmed.pop(key, None)
        elif key not in self._confirmed:
            attribution_id = canonical_uuid(event.attribution_id)
            counted = Counted(
                record.partition,
                record.offset,
                event.occurred_at,
                pair.channel,
                attribution_id,
                canonical_uuid(event.new_member_id),
            )
            self._confirmed[key] = counted
            if attribution_id in self.wanted and attribution_id not in self.crossings:
                self.crossings[attribution_id] = Crossing(record=counted, confirmed=tuple(self._confirmed.values()))
