"""What is told of an organisation as a whole: sums, days, channels, its mentors in order, its latest events.

Each is one round trip, and takes as long in an organisation of 100,000 mentors as in a small one (queries.sql).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from edges.web.answers.lists import Activity, Leaderboard, LeaderboardEntry
from edges.web.answers.mentors import Award, Milestone
from edges.web.answers.organisation import Channel, Channels, Daily, Day, PeriodCounts, Summary
from edges.web.answers.reconciliation import Fault, Reconciliation, ReconciliationRun, RowLeft
from edges.web.counts import conversion_rate
from edges.web.cursors import write_cursor
from edges.web.lists import group_key
from edges.web.queries import statement
from models.events import in_utc
from models.mentors import OTHER_CHANNEL

if TYPE_CHECKING:
    from edges.web.database import Database

HAPPENED: Final = ("clicks", "registered", "confirmed", "withdrawn")
"""What is told of when things happened, in the statements' order."""

CHANNELS_MAX: Final = 100
"""Channels told apart; the rest is told as one. Links name channels, so there may be any number."""


class Place(Struct, frozen=True, array_like=True):
    """Where a page of the leaderboard ended: the cursor, of which clients know no more than that it is text.

    The rank goes along, so that no page has to count those before it. It is right for who reads page after page; who
    comes back with an old cursor gets the ranks of then.
    """

    rank: Annotated[int, Meta(ge=1, le=2**53)]
    confirmed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    mentor_id: str


_BEFORE_ALL: Final = Place(1, 2**63 - 1, "ffffffff-ffff-ffff-ffff-ffffffffffff")


async def summary(database: Database, org_id: str) -> Summary:
    """Return an organisation's sums; zeros where nothing is known of it."""
    ((name, *totals, updated_at),) = await database.rows(org_id, statement("summary"), {"org_id": org_id})
    mentors, milestones, awards, filtered, active, clicks, pending, confirmed, *happened = (
        total or 0 for total in totals
    )
    return Summary(
        org_id=org_id,
        name=name,
        mentors=mentors,
        active_mentors=active,
        total_clicks=clicks,
        pending_attributions=pending,
        confirmed_attributions=confirmed,
        conversion_rate=conversion_rate(clicks, confirmed),
        milestones=milestones,
        awards=awards,
        filtered_clicks=filtered,
        happened=PeriodCounts(**dict(zip(HAPPENED, happened, strict=True))),
        updated_at=updated_at and in_utc(updated_at),
    )


async def leaderboard(
    database: Database, org_id: str, *, limit: int, after: Place | None = None, group: str | None = None
) -> Leaderboard:
    """Return mentors by confirmed registrations, those with as many by id: from the first, or after a place."""
    values: dict[str, Any] = {"org_id": org_id, "limit": limit + 1}  # one more, to see whether there is a next page
    if group is not None:
        place = after or _BEFORE_ALL
        values |= {"group": group_key(group), "confirmed": place.confirmed, "mentor_id": place.mentor_id}
        rows = await _of_group(database, org_id, values)
    elif after is None:
        rows = await database.rows(org_id, statement("leaderboard"), values)
    else:
        values |= {"confirmed": after.confirmed, "mentor_id": after.mentor_id}
        rows = await database.rows(org_id, statement("leaderboard_after"), values)
    first = 1 if after is None else after.rank + 1
    entries = [
        LeaderboardEntry(
            rank=rank,
            mentor_id=mentor_id,
            referral_code=code,
            total_clicks=clicks,
            pending_attributions=pending,
            confirmed_attributions=confirmed,
            conversion_rate=rate,
            display_name=name,
            group=group,
        )
        for rank, (mentor_id, code, clicks, pending, confirmed, rate, name, group) in enumerate(rows[:limit], first)
    ]
    last = entries[-1] if len(rows) > limit else None
    return Leaderboard(
        entries=entries,
        next=None if last is None else write_cursor(Place(last.rank, last.confirmed_attributions, last.mentor_id)),
    )


async def _of_group(database: Database, org_id: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return a page of a group as rows of the leaderboard."""
    rows = await database.rows(org_id, statement("leaderboard_of_group"), values)
    return [(mentor_id, code or "", *others) for mentor_id, code, *others in rows]


async def daily(database: Database, org_id: str, *, days: int) -> Daily:
    """Return by how much the counts changed on each of the last days, today included; days are UTC's."""
    last = datetime.now(UTC).date()
    first = last - timedelta(days=days - 1)
    rows = await database.rows(org_id, statement("daily"), {"org_id": org_id, "first": first, "last": last})
    known = {day: (clicks, pending, confirmed) for day, clicks, pending, confirmed in rows}
    found = []
    for number in range(days):
        day = first + timedelta(days=number)
        clicks, pending, confirmed = known.get(day, (0, 0, 0))
        found.append(Day(day=day, clicks=clicks, pending=pending, confirmed=confirmed))
    return Daily(from_=first, to=last, days=found)


async def channels(database: Database, org_id: str) -> Channels:
    """Return the counts by channel, the busiest first; past CHANNELS_MAX the rest is `other`."""
    rows = await database.rows(org_id, statement("channels"), {"org_id": org_id, "limit": CHANNELS_MAX})
    named = {channel: numbers for channel, *numbers in rows if channel is not None}
    if len(named) == CHANNELS_MAX:
        sums = next(numbers for channel, *numbers in rows if channel is None)
        named.pop(OTHER_CHANNEL, None)  # it is part of the rest
        named[OTHER_CHANNEL] = [total - sum(parts) for total, *parts in zip(sums, *named.values(), strict=True)]
    found = [
        Channel(channel=channel, clicks=clicks, pending=pending, confirmed=confirmed)
        for channel, (clicks, pending, confirmed) in named.items()
        if clicks or pending or confirmed
    ]
    return Channels(channels=found)


async def activity(database: Database, org_id: str, *, limit: int) -> Activity:
    """Return the latest milestones and awards, each at most `limit`, the latest first."""
    rows = await database.rows(org_id, statement("activity"), {"org_id": org_id, "limit": limit})
    milestones = [
        Milestone(
            mentor_id=mentor_id,
            threshold=threshold,
            confirmed_count=confirmed,
            reached_at=in_utc(reached_at),
            recorded_at=in_utc(recorded_at),
        )
        for is_award, threshold, _, _, _, mentor_id, confirmed, reached_at, recorded_at, _ in rows
        if not is_award
    ]
    awards = [
        Award(
            mentor_id=mentor_id,
            badge_id=badge_id,
            badge_name=name,
            picture=picture,
            confirmed_count=confirmed,
            awarded_at=in_utc(awarded_at),
        )
        for is_award, _, badge_id, name, picture, mentor_id, confirmed, _, awarded_at, _ in rows
        if is_award
    ]
    names = {row[5]: row[-1] for row in rows if row[-1] is not None}
    return Activity(milestones=milestones, awards=awards, names=names)


async def reconciliation(database: Database, org_id: str, *, limit: int) -> Reconciliation:
    """Return the latest runs of reconciliation, and what each has left."""
    rows = await database.rows(org_id, statement("reconciliation"), {"org_id": org_id, "limit": limit})
    return Reconciliation(
        runs=[
            ReconciliationRun(
                source=source,
                started_at=in_utc(started_at),
                finished_at=finished_at and in_utc(finished_at),
                members_read=read,
                matched=matched,
                back_filled=back_filled,
                withdrawn=withdrawn,
                unchanged=unchanged,
                unclear=unclear,
                bad_rows=bad,
                complete=finished_at is not None and error is None and incomplete is None,
                incomplete=incomplete,
                error=error,
                fault=None if fault is None else Fault(code=fault[0], values=fault[1]),
                ask_again_at=ask_again_at and in_utc(ask_again_at),
                rows_left=_rows_left(left, reasons),
            )
            for (
                source, started_at, finished_at, read, matched, back_filled, withdrawn, unchanged, unclear, bad, error,
                incomplete, fault, left, reasons, ask_again_at,
            ) in rows
        ]
    )  # fmt: skip


def _rows_left(rows: list[list[str]], reasons: list[list[Any] | None]) -> list[RowLeft]:
    """Return rows that a run has left; `reasons` has none for those that a version before migration 0044 noted."""
    found = zip_longest(rows, reasons[: len(rows)])
    return [
        RowLeft(place=place, reason=reason, code=None if why is None else why[0], values={} if why is None else why[1])
        for (place, reason), why in found
    ]
