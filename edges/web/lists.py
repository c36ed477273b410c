"""Who needs help and whom to thank: an organisation's mentors by what a coordinator would do about them.

Each list is a range of an index after a place (keyset), so that its last page costs what its first does, of 100,000
mentors too. Who has left (his link is disabled) is in no list of those who need help.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from edges.web.answers.lists import JustReached, MentorClose, MentorListed, MentorsClose, MentorsListed, Reached
from edges.web.cursors import write_cursor
from edges.web.queries import statement
from models.events import in_utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edges.web.database import Database

Kind = Literal["quiet", "pending", "clicks"]
Order = Literal["most", "least"]
"""`most`: who needs help most comes first."""
CloseOrder = Literal["nearest", "highest"]
"""`nearest`: who misses least comes first; `highest`: who has most confirmed."""
ReachedOrder = Literal["latest", "earliest"]

_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_LAST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_MOST: Final = 2**63 - 1
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
_OF_GROUP: Final = "AND group_key = %(group)s"
_NEAREST_FOLLOWING: Final = (
    "level.missing > %(missing)s OR (level.missing = %(missing)s AND level.confirmed <= %(confirmed)s)"
)
GROUPS_MAX: Final = 200
"""Groups of an organisation that are offered to choose from."""


class ListPlace(Struct, frozen=True, array_like=True, tag="list"):
    """Where a page ended: of which list, its key as a number (of a day that of the calendar), and the mentor."""

    kind: Kind
    key: Annotated[int, Meta(ge=1, le=_MOST)]
    mentor_id: str


class ClosePlace(Struct, frozen=True, array_like=True, tag="close"):
    """Where a page of those who are close to a badge ended."""

    missing: Annotated[int, Meta(ge=1, le=2**31)]
    confirmed: Annotated[int, Meta(ge=0, le=_MOST)]
    mentor_id: str


class ReachedPlace(Struct, frozen=True, array_like=True, tag="reached"):
    """Where a page of milestones ended."""

    recorded_at: Annotated[datetime, Meta(tz=True)]
    threshold: Annotated[int, Meta(ge=0, le=_MOST)]
    mentor_id: str


class _Key(NamedTuple):
    """By what a list is sorted and filtered, in SQL."""

    column: str
    type: str
    filter: str
    ascends: bool
    """Whether who needs help most has the least."""


_KEYS: Final[dict[Kind, _Key]] = {
    "quiet": _Key("quiet_since", "date", "quiet_since <= %(bound)s::date", ascends=True),
    "pending": _Key("pending_days[1]", "date", "pending > 0 AND pending_days[1] <= %(bound)s::date", ascends=True),
    "clicks": _Key("idle_clicks", "bigint", "idle_clicks > 0 AND idle_clicks >= %(bound)s", ascends=False),
}
_BEFORE_ALL: Final = {("date", True): "-infinity", ("date", False): "infinity", ("bigint", True): "0"}


def list_statement(kind: Kind, order: Order, *, of_group: bool = False) -> bytes:
    """Return the statement of a list in an order; `of_group` of those of the group whose key is `group`."""
    key = _KEYS[kind]
    ascends = key.ascends is (order == "most")
    words = {
        b"{key}": key.column,
        b"{type}": key.type,
        b"{filter}": key.filter,
        b"{after}": ">" if ascends else "<",
        b"{order}": "ASC" if ascends else "DESC",
        b"{group}": _OF_GROUP if of_group else "",
    }
    return _filled("mentors_listed", words)


def close_statement(order: CloseOrder, *, of_group: bool = False) -> bytes:
    """Return the statement of who is close to a badge, in an order; of a group as `list_statement`."""
    counts, standings = "mentor_counts", "mentor_standings"
    mentors = f"{counts} WHERE org_id = %(org_id)s AND confirmed_attributions = level.confirmed"
    of_one = (
        f"{standings} INNER JOIN {counts} USING (org_id, mentor_id) WHERE org_id = %(org_id)s AND is_active "
        f"AND confirmed = level.confirmed {_OF_GROUP}"
    )
    nearest = order == "nearest"
    words = {
        b"{mentors}": of_one if of_group else mentors,
        b"{whose}": standings if of_group else counts,
        b"{following}": _NEAREST_FOLLOWING if nearest else "level.confirmed <= %(confirmed)s",
        b"{order}": "missing, confirmed DESC" if nearest else "confirmed DESC",
    }
    return _filled("mentors_close", words)


def reached_statement(*, is_open: bool, order: ReachedOrder = "latest", of_group: bool = False) -> bytes:
    """Return the statement of the milestones in an order, of all or of those for which nobody was thanked."""
    latest = order == "latest"
    words = {
        b"{open}": "AND thanked_at IS NULL" if is_open else "",
        b"{group}": _OF_GROUP if of_group else "",
        b"{ties}": ">" if latest else "<",
        b"{beyond}": "<" if latest else ">",
        b"{time}": "DESC" if latest else "ASC",
        b"{rest}": "ASC" if latest else "DESC",
    }
    return _filled("just_reached", words)


def group_key(group: str | None) -> str | None:
    """Return what stands for a group where its name does not (migration 0043)."""
    return None if group is None else str(UUID(bytes=sha256(group.encode()).digest()[:16]))


def _filled(name: str, words: Mapping[bytes, str]) -> bytes:
    text = statement(name)
    for place, word in words.items():
        text = text.replace(place, word.encode())
    return text


def first_values(kind: Kind, order: Order) -> dict[str, object]:
    """Return the place before the first of a list."""
    key = _KEYS[kind]
    ascends = key.ascends is (order == "most")
    place = _BEFORE_ALL.get((key.type, ascends), str(_MOST))
    return {"place": place, "mentor_id": _NOBODY if ascends else _LAST}


async def listed(
    database: Database,
    org_id: str,
    kind: Kind,
    *,
    bound: int,
    order: Order,
    limit: int,
    after: ListPlace | None,
    group: str | None = None,
) -> MentorsListed:
    """Return a page of a list; `bound` is days for `quiet` and `pending`, and clicks for `clicks`."""
    today = datetime.now(UTC).date()
    values = first_values(kind, order) if after is None else _after(after)
    values |= {
        "org_id": org_id,
        "limit": limit + 1,
        "bound": bound if kind == "clicks" else today - timedelta(days=bound),
        "group": group_key(group),
    }
    rows = await database.rows(org_id, list_statement(kind, order, of_group=group is not None), values)
    mentors = [_listed(row, today - timedelta(days=bound if kind == "pending" else 0)) for row in rows[:limit]]
    last = rows[limit - 1][-1] if len(rows) > limit else None
    key = last.toordinal() if isinstance(last, date) else last
    return MentorsListed(
        mentors=mentors,
        next=None if key is None else write_cursor(ListPlace(kind, key, mentors[-1].mentor_id)),
    )


def _after(place: ListPlace) -> dict[str, object]:
    key = place.key if place.kind == "clicks" else date.fromordinal(min(place.key, date.max.toordinal()))
    return {"place": key, "mentor_id": place.mentor_id}


def _listed(row: tuple[Any, ...], until: date) -> MentorListed:
    mentor_id, code, name, group, clicks, pending, confirmed, active_on, pending_since, pending_days, _ = row
    return MentorListed(
        mentor_id=mentor_id,
        referral_code=code,
        display_name=name,
        group=group,
        total_clicks=clicks,
        pending_attributions=pending,
        confirmed_attributions=confirmed,
        last_active_on=active_on,
        pending_since=pending_since,
        pending_for_long=sum(day <= until for day in pending_days),
    )


async def close(
    database: Database,
    org_id: str,
    *,
    within: int,
    limit: int,
    after: ClosePlace | None = None,
    order: CloseOrder = "nearest",
    group: str | None = None,
) -> MentorsClose:
    """Return a page of those who miss at most so many confirmed registrations for their next badge."""
    place = after or ClosePlace(0, _MOST, _NOBODY)
    values = {"org_id": org_id, "within": within, "limit": limit + 1, "group": group_key(group)}
    values |= msgspec.structs.asdict(place)
    rows = await database.rows(org_id, close_statement(order, of_group=group is not None), values)
    mentors = [
        MentorClose(
            mentor_id=mentor_id,
            referral_code=code,
            display_name=name,
            group=group,
            total_clicks=clicks,
            pending_attributions=pending,
            confirmed_attributions=confirmed,
            remaining=missing,
            badge_name=badge_name,
        )
        for mentor_id, code, name, group, clicks, pending, confirmed, missing, badge_name in rows[:limit]
    ]
    last = mentors[-1] if len(rows) > limit else None
    return MentorsClose(
        mentors=mentors,
        next=None
        if last is None
        else write_cursor(ClosePlace(last.remaining, last.confirmed_attributions, last.mentor_id)),
    )


async def just_reached(
    database: Database,
    org_id: str,
    *,
    is_open: bool,
    limit: int,
    after: ReachedPlace | None = None,
    order: ReachedOrder = "latest",
    group: str | None = None,
) -> JustReached:
    """Return a page of the milestones with their badges, by when we heard of them."""
    first = ReachedPlace(_LATEST, 0, _NOBODY) if order == "latest" else ReachedPlace(_EARLIEST, _MOST, _LAST)
    values = {"org_id": org_id, "limit": limit + 1, "group": group_key(group), **msgspec.structs.asdict(after or first)}
    rows = await database.rows(
        org_id, reached_statement(is_open=is_open, order=order, of_group=group is not None), values
    )
    reached = [
        Reached(
            mentor_id=mentor_id,
            referral_code=code,
            display_name=name,
            group=group,
            threshold=threshold,
            confirmed_count=confirmed,
            reached_at=in_utc(reached_at),
            recorded_at=in_utc(recorded_at),
            badges=badges or [],
            thanked_at=thanked and in_utc(thanked),
        )
        for mentor_id, code, name, group, threshold, confirmed, reached_at, recorded_at, badges, thanked in rows[:limit]
    ]
    last = reached[-1] if len(rows) > limit else None
    return JustReached(
        reached=reached,
        next=None if last is None else write_cursor(ReachedPlace(last.recorded_at, last.threshold, last.mentor_id)),
    )


async def groups_of(database: Database, org_id: str) -> list[str]:
    """Return what the organisation's groups are called."""
    rows = await database.rows(org_id, statement("groups"), {"org_id": org_id, "limit": GROUPS_MAX})
    return [name for (name,) in rows]


async def mark_thanked(
    database: Database, org_id: str, mentor_id: str, threshold: int, *, is_thanked: bool
) -> tuple[bool, datetime | None]:
    """Mark a milestone as one for which its mentor was thanked, or not; whether there is one, and since when it is."""
    values = {"org_id": org_id, "mentor_id": mentor_id, "threshold": threshold}
    rows = await database.rows(org_id, statement("thank" if is_thanked else "unthank"), values)
    return bool(rows), rows[0][0] and in_utc(rows[0][0]) if rows else None
