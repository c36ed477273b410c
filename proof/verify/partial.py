"""A mentor of whom records are gone: what is published may be more than what is left of them, within bounds.

Clicks only ever add up, so what is left must be in what is published, channel by channel; what is published beyond it
must have been among the records that are gone. A registration's state may follow from any of its records, so those that
are gone may explain as many registrations in another state as they are.

What keeps the bounds is taken as published, so that the other places that publish it must say exactly the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from models.topics import CLICKS, MILESTONES, REGISTRATIONS
from proof.verify import report
from proof.verify.compare import (
    CHANNEL_FIELDS,
    CHANNELS_MAX,
    OTHER_CHANNEL,
    Row,
    milestone_id,
    peak_at_most,
)
from proof.verify.records import ChannelTally, Milestone, Owner, Tally
from proof.verify.removed import CLICKS_GONE, PAIRS_GONE, Removed
from proof.verify.report import Difference


def settle(tally: Tally, row: Row | None, removed: Removed) -> list[Difference]:
    """Take as published what is beyond proof; return a difference for each bound that is not kept.

    A row that is missing or not as it must be is left to be compared.
    """
    partition = tally.partition
    clicks_gone = 0 if tally.has_known_clicks else removed.counted(CLICKS.name, partition)
    pairs_gone = removed.counted(REGISTRATIONS.name, partition)
    channels = None if row is None else _channels(row)
    if row is None or channels is None or not (clicks_gone or pairs_gone):
        return []
    provable = _by_name(tally, channels)
    differences: list[Difference] = []
    is_later = bool(pairs_gone)  # also a registration that changed no count may have been the latest
    if clicks_gone:
        is_later |= _settle_clicks(tally, provable, channels, removed, clicks_gone, differences)
    if pairs_gone:
        moved = _moved_pairs(provable, channels)
        removed.explains(report.COUNTS, PAIRS_GONE, (REGISTRATIONS.name, partition), moved, limit=pairs_gone)
        for name, counts in channels.items():
            provable[name].pending, provable[name].confirmed = counts.pending, counts.confirmed
    tally.channels = dict(provable)
    tally.clicks = sum(channel.clicks for channel in provable.values())
    tally.pending = sum(channel.pending for channel in provable.values())
    tally.confirmed = sum(channel.confirmed for channel in provable.values())
    last = _instant(row.get("last_event_at"))
    if is_later and last is not None:
        if tally.last_event_at is not None and last < tally.last_event_at:
            wanted = f"{tally.last_event_at.isoformat()} or later"
            differences.append(_difference(tally, "last_event_at", last.isoformat(), wanted))
        tally.last_event_at = last
    return differences


def _settle_clicks(
    tally: Tally,
    provable: dict[str, ChannelTally],
    found: dict[str, ChannelTally],
    removed: Removed,
    gone: int,
    differences: list[Difference],
) -> bool:
    """Take clicks as published; tell whether there are more of them than are left."""
    more = 0
    for name, counts in found.items():
        by = counts.clicks - provable[name].clicks
        if by < 0 and not removed.explains_missing_letter(report.COUNTS, None, -by):
            found_text, wanted = str(counts.clicks), f"at least {provable[name].clicks}"
            differences.append(_difference(tally, f"clicks of {name}", found_text, wanted))
        more += max(0, by)
        provable[name].clicks = counts.clicks
    removed.explains(report.COUNTS, CLICKS_GONE, (CLICKS.name, tally.partition), more, limit=gone)
    return more > 0


def _difference(tally: Tally, what: str, found: str, wanted: str) -> Difference:
    subject = f"mentor {tally.owner.org_id}:{tally.owner.mentor_id} (code {tally.code}) {what}"
    return Difference(report.COUNTS, subject, found, wanted)


def listed(tally: Tally, row: Row | None, thresholds: Sequence[int]) -> list[int]:
    """Return the thresholds that a row lists and that only records which are gone can have reached."""
    found = row.get("milestones") if row is not None and tally.gone else None
    if not isinstance(found, list):
        return []
    return [each for each in thresholds if each in found and each <= peak_at_most(tally)]


def gone_milestone(owner: Owner, threshold: int) -> Milestone:
    """Return a milestone that was reached and whose record is gone: at least as many were confirmed."""
    place = (MILESTONES.name, -1, -1)
    at_least, nobody = datetime.max.replace(tzinfo=UTC), ""
    return Milestone(
        place, milestone_id(owner, threshold), *owner, threshold, threshold, nobody, at_least, is_gone=True
    )


def _by_name(tally: Tally, found: dict[str, ChannelTally]) -> dict[str, ChannelTally]:
    """Return what is provable by the names that are published: past 16 the rest is in one of its own (rule 6)."""
    named = found.keys() - {OTHER_CHANNEL}
    by_name: dict[str, ChannelTally] = defaultdict(ChannelTally)
    for name, counts in tally.channels.items():
        total = by_name[name if name in named or len(named) < CHANNELS_MAX else OTHER_CHANNEL]
        total.clicks += counts.clicks
        total.pending += counts.pending
        total.confirmed += counts.confirmed
    for name in by_name.keys() - found.keys():
        found[name] = ChannelTally()
    return by_name


def _moved_pairs(provable: dict[str, ChannelTally], found: dict[str, ChannelTally]) -> int:
    """Return how many registrations must be in another state or channel, at least, to make one of the other."""
    more = fewer = 0
    for name, counts in found.items():
        for by in (counts.pending - provable[name].pending, counts.confirmed - provable[name].confirmed):
            more += max(0, by)
            fewer += max(0, -by)
    return max(more, fewer)


def _channels(row: Row) -> dict[str, ChannelTally] | None:
    """Return what a row says by channel; None where it is not as it must be."""
    found = row.get("by_channel")
    if not isinstance(found, dict):
        return None
    channels = {}
    for name, counts in found.items():
        if not isinstance(counts, dict) or counts.keys() != CHANNEL_FIELDS:
            return None
        if not all(type(count) is int and count >= 0 for count in counts.values()):
            return None
        channels[name] = ChannelTally(counts["clicks"], counts["pending"], counts["confirmed"])
    return channels


def _instant(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if instant is None or instant.tzinfo is None else instant
