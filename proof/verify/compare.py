"""Expected against found: values in, differences out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from models.topics import REGISTRATIONS
from proof.verify import report
from proof.verify.fold import OTHER_ORGANISATION, Copy, DeadLetters, Moved
from proof.verify.records import ChannelTally, Milestone, Owner, Place, Tally, place_of, place_text
from proof.verify.removed import (
    CONFIRMATIONS_GONE,
    COPIES_GONE,
    COPIES_OF_GONE,
    LETTERS_OF_GONE,
    MILESTONES_GONE,
    Partition,
    Removed,
)
from proof.verify.report import Difference, at

CHANNELS_MAX = 16
OTHER_CHANNEL = "other"

COUNTS_FIELDS = frozenset(
    {
        "org_id",
        "mentor_id",
        "referral_code",
        "total_clicks",
        "pending_attributions",
        "confirmed_attributions",
        "conversion_rate",
        "by_channel",
        "milestones",
        "last_event_at",
    }
)
"""A row for analysts has these and nothing else: no member, no raw event."""
CHANNEL_FIELDS = frozenset({"clicks", "pending", "confirmed"})

MILESTONE_NAMESPACE = UUID("6f8a3c52-7d0e-5b1f-9c64-2e1d8b7a4f03")
"""Written out here, so that a change of the program's own is noticed: it would give every milestone a new id."""

Row = Mapping[str, Any]


def milestone_id(owner: Owner, threshold: int) -> str:
    """Return the one id that a milestone may have."""
    return str(uuid5(MILESTONE_NAMESPACE, f"{owner.org_id}:{owner.mentor_id}:{threshold}"))


def due_thresholds(tally: Tally, thresholds: Iterable[int]) -> list[int]:
    """Return the thresholds that the confirmed count certainly ever reached (rule 2)."""
    reached = max(tally.published, tally.peak - tally.gone) if tally.gone else tally.peak
    return [threshold for threshold in thresholds if reached >= threshold]


def peak_at_most(tally: Tally) -> int:
    """Return how many registrations may ever have been confirmed at a time."""
    return tally.peak + tally.gone


# Counts ---------------------------------------------------------------------------------------------------------------


def compare_counts(check: str, tally: Tally, row: Row | None, milestones: Sequence[int]) -> list[Difference]:
    """Compare a mentor's row, of the counts topic or of Postgres, with his tally.

    `milestones` are the thresholds that he must have reached. A mentor without any event needs no row.
    """
    subject = f"mentor {tally.owner.org_id}:{tally.owner.mentor_id} (code {tally.code})"
    if row is None:
        if tally.last_event_at is None:
            return []
        wanted = f"{tally.clicks} clicks, {tally.pending} pending, {tally.confirmed} confirmed"
        return [Difference(check, subject, "no row", wanted)]
    if row.keys() != COUNTS_FIELDS:
        return [Difference(check, subject, f"fields {', '.join(sorted(row))}", ", ".join(sorted(COUNTS_FIELDS)))]
    rate = min(1.0, tally.confirmed / tally.clicks) if tally.clicks else 0.0
    wanted_values: dict[str, Any] = {
        "org_id": tally.owner.org_id,
        "mentor_id": tally.owner.mentor_id,
        "referral_code": tally.code,
        "total_clicks": tally.clicks,
        "pending_attributions": tally.pending,
        "confirmed_attributions": tally.confirmed,
        "milestones": list(milestones),
    }
    differences = [
        Difference(check, f"{subject} {name}", repr(row[name]), repr(wanted))
        for name, wanted in wanted_values.items()
        if row[name] != wanted or isinstance(row[name], bool)
    ]
    found_rate = row["conversion_rate"]
    if not isinstance(found_rate, float | int) or not math.isclose(found_rate, rate, abs_tol=1e-9):
        differences.append(Difference(check, f"{subject} conversion_rate", repr(found_rate), repr(rate)))
    if not is_instant(row["last_event_at"], tally.last_event_at):
        found, wanted = repr(row["last_event_at"]), _iso(tally.last_event_at)
        differences.append(Difference(check, f"{subject} last_event_at", found, wanted))
    fault = _channel_fault(tally, row["by_channel"])
    if fault is not None:
        differences.append(Difference(check, f"{subject} by_channel", *fault))
    return differences


def _channel_fault(tally: Tally, found: object) -> tuple[str, str] | None:
    """Return found and wanted where the channels are not right.

    The first 16 channels of a mentor keep all that is theirs, the rest is in `other` (rule 6). Which came first depends
    on how the topics interleaved, so where there are more than 16, the 16 that were found are taken to be the first.
    """
    if not isinstance(found, dict) or not all(
        isinstance(counts, dict) and counts.keys() == CHANNEL_FIELDS for counts in found.values()
    ):
        return repr(found), "channel -> clicks, pending, confirmed"
    named = set(tally.channels)
    if len(named) > CHANNELS_MAX:
        named &= found.keys()
        named.discard(OTHER_CHANNEL)
        if len(named) > CHANNELS_MAX:
            return f"{len(named)} channels", f"at most {CHANNELS_MAX} and {OTHER_CHANNEL!r}"
    wanted: dict[str, ChannelTally] = defaultdict(ChannelTally)
    for name, counts in tally.channels.items():
        total = wanted[name if name in named else OTHER_CHANNEL]
        total.clicks += counts.clicks
        total.pending += counts.pending
        total.confirmed += counts.confirmed
    wanted_counts = {
        name: {"clicks": counts.clicks, "pending": counts.pending, "confirmed": counts.confirmed}
        for name, counts in sorted(wanted.items())
        if counts != ChannelTally()
    }
    found_counts = {name: counts for name, counts in sorted(found.items()) if any(counts.values())}
    if found_counts != wanted_counts:
        return repr(found_counts), repr(wanted_counts)
    return None


# Milestones -----------------------------------------------------------------------------------------------------------


def compare_milestones(
    tally: Tally, found: Iterable[Milestone], thresholds: Sequence[int], removed: Removed, home: Partition
) -> list[Difference]:
    """Compare a mentor's milestones with those that are due: each exactly once, and right.

    `home` is the partition in which his milestones are.
    """
    by_threshold: dict[int, list[Milestone]] = defaultdict(list)
    for milestone in found:
        by_threshold[milestone.threshold].append(milestone)
    due = due_thresholds(tally, thresholds)
    differences = []
    for threshold in sorted(by_threshold.keys() | set(due)):
        copies = by_threshold.get(threshold, [])
        subject = f"mentor {tally.owner.org_id}:{tally.owner.mentor_id} threshold {threshold}"
        may_be = tally.gone and threshold in thresholds and threshold <= peak_at_most(tally)
        if threshold not in due and not may_be:
            wanted = f"none: at most {peak_at_most(tally)} registrations were confirmed at a time"
            if peak_at_most(tally) >= threshold:
                wanted = (
                    f"none: {threshold} is not among REFERRALS_THRESHOLDS ({', '.join(map(str, thresholds))}); "
                    "were the thresholds changed?"
                )
            differences.append(Difference(report.MILESTONES, subject, _count(copies), wanted))
        elif not copies and removed.explains(report.MILESTONES, MILESTONES_GONE, home):
            pass
        elif len(copies) != 1:
            wanted = f"exactly one: {tally.peak} registrations were confirmed"
            differences.append(Difference(report.MILESTONES, subject, _count(copies), wanted))
        for milestone in copies:
            differences.extend(_compare_milestone(tally, milestone, removed))
    return differences


def _compare_milestone(tally: Tally, milestone: Milestone, removed: Removed) -> list[Difference]:
    wanted_id = milestone_id(tally.owner, milestone.threshold)
    subject = f"milestone at {at(milestone.place)}"
    differences = []
    if milestone.milestone_id != wanted_id:
        differences.append(Difference(report.MILESTONES, f"{subject} milestone_id", milestone.milestone_id, wanted_id))
    highest = peak_at_most(tally)
    if not milestone.threshold <= milestone.confirmed_count <= max(highest, milestone.threshold):
        found, wanted = str(milestone.confirmed_count), f"{milestone.threshold} to {highest}"
        differences.append(Difference(report.MILESTONES, f"{subject} confirmed_count", found, wanted))
    source = REGISTRATIONS.name, tally.partition
    if (milestone.attribution_id, milestone.reached_at) not in tally.confirmations and not removed.explains(
        report.MILESTONES, CONFIRMATIONS_GONE, source, limit=tally.gone
    ):
        found = f"{milestone.attribution_id} at {_iso(milestone.reached_at)}"
        wanted = f"a confirmation that counts for code {tally.code}, and its occurred_at"
        differences.append(Difference(report.MILESTONES, f"{subject} attribution_id, reached_at", found, wanted))
    return differences


def thresholds_never_emitted(
    tallies: Iterable[Tally], found: Iterable[Milestone], thresholds: Iterable[int]
) -> list[int]:
    """Return the thresholds that are due somewhere and emitted nowhere: they may have been added since."""
    emitted = {milestone.threshold for milestone in found}
    highest = max((tally.peak for tally in tallies), default=0)
    return [threshold for threshold in thresholds if threshold <= highest and threshold not in emitted]


# Records ----------------------------------------------------------------------------------------------------------


def compare_moved(
    moved: Mapping[Place, Moved], copies: Mapping[str, Sequence[Copy]], removed: Removed
) -> list[Difference]:
    """Compare the records in wrong partitions with the copies in the right ones: each has one, and nothing else has.

    Those that say themselves that they are moved once more count only where there is no other.
    """
    differences: list[Difference] = []

    def differ(subject: str, found: str, wanted: str) -> None:
        differences.append(Difference(report.MOVED, subject, found, wanted))

    unclaimed = dict(copies)
    for place, record in moved.items():
        found = unclaimed.pop(place_text(place), [])
        wanted = f"one copy in partition {record.home} with key {record.code}"
        first = [copy for copy in found if not copy.again] or found[:1]
        is_gone = not found and removed.explains(report.MOVED, COPIES_GONE, (place[0], record.home))
        if len(first) != 1 and not is_gone:
            differ(at(place), f"{len(first)} copies", wanted)
        for copy in found:
            topic, partition, _ = copy.place
            if (topic, partition, copy.key) != (place[0], record.home, record.code.encode()):
                differences.append(
                    Difference(report.MOVED, at(place), f"{at(copy.place)} with key {copy.key!r}", wanted)
                )
            if copy.digest != record.digest:
                differences.append(
                    Difference(report.MOVED, at(place), f"another value at {at(copy.place)}", "its value")
                )
    for origin, found in unclaimed.items():
        places = ", ".join(at(copy.place) for copy in found)
        gone = place_of(origin)
        if gone is not None and removed.has(gone):
            removed.explains(report.MOVED, COPIES_OF_GONE, gone[:2])
            if sum(not copy.again for copy in found) > 1:
                differ(f"copies of {origin}", places, "one copy")
            continue
        differ(f"copies of {origin}", places, "no copy: that record was not to be moved")
    return differences


def compare_unexpected(dead_letters: DeadLetters, removed: Removed) -> list[Difference]:
    """Return a difference for each dead letter that no rule asks for."""
    return [
        Difference(report.DEAD_LETTERS, at(place), f"{letter.error} ({letter.records} records)", "no dead letter")
        for place, letters in dead_letters.items()
        if not removed.is_of_a_former_log(place)
        for letter in letters
    ]


def compare_letters_of_gone(dead_letters: DeadLetters, places: Iterable[Place], removed: Removed) -> list[Difference]:
    """Take out the dead letters of records that are gone; still each has one at most."""
    differences = []
    for place in places:
        letters = dead_letters.pop(place)
        removed.explains(report.DEAD_LETTERS, LETTERS_OF_GONE, place[:2])
        removed.left_out[removed.pool(place[:2])] += sum(
            each.records for each in letters if each.error == OTHER_ORGANISATION
        )
        told = sum(not letter.again for letter in letters)
        if told > 1:
            differences.append(Difference(report.DEAD_LETTERS, at(place), f"{told} dead letters", "one at most"))
    return differences


# Small things ---------------------------------------------------------------------------------------------------------


def is_instant(found: object, wanted: datetime | None) -> bool:
    """Tell whether a time, as text or as a datetime, is the wanted instant."""
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return False
    if isinstance(found, datetime) and found.tzinfo is None:
        return False
    return found == wanted


def _iso(instant: datetime | None) -> str:
    if instant is None:
        return "none"
    try:
        return instant.astimezone(UTC).isoformat()
    except OverflowError:  # within a day of the years 1 and 9999 some have no form in UTC
        return instant.isoformat()


def _count(milestones: Sequence[Milestone]) -> str:
    if not milestones:
        return "no milestone"
    places = ", ".join(at(milestone.place) for milestone in milestones)
    return f"{len(milestones)} ({places})"
