"""An organisation's dead letters, as the sink `letters` lists them: counted, page by page, and one of them.

Under row-level security, so one that is another organisation's, or nobody's, is none. What they came of is not kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from edges.web.answers.dead_letters import DeadLetterCount, DeadLetterListed, DeadLetters
from edges.web.cursors import write_cursor
from edges.web.queries import statement
from models.dead_letters import LISTED_DAYS, LISTED_MAX
from models.events import in_utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edges.web.database import Database

_BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)
_END: Final = datetime(9999, 12, 30, tzinfo=UTC)


class LetterPlace(Struct, frozen=True, array_like=True, tag="letter"):
    """Where a page of dead letters ended."""

    after_at: Annotated[datetime, Meta(tz=True)]
    after_partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    after_offset: Annotated[int, Meta(ge=0, le=2**63 - 1)]


_FIRST: Final = LetterPlace(_END, 0, 0)


class Asked(NamedTuple):
    """Which are asked for; None asks for nothing."""

    reason: str | None
    topic: str | None
    """Full name."""
    code: str | None
    since: datetime | None
    until: datetime | None
    is_open: bool
    """Those alone that were not sent again."""


async def list_letters(
    database: Database, org_id: str, prefix: str, asked: Asked, *, limit: int, after: LetterPlace | None = None
) -> DeadLetters:
    """Return the counts of what is asked for, and a page of it, the latest first."""
    values = {
        "org_id": org_id,
        "reason": asked.reason,
        "topic": asked.topic,
        "code": asked.code,
        "since": asked.since or _BEGINNING,
        "until": asked.until or _END,
        "open": asked.is_open,
        "limit": limit + 1,
        **msgspec.structs.asdict(after or _FIRST),
    }
    counts = await database.rows(org_id, statement("dead_letters_counted"), values)
    rows = await database.rows(org_id, statement("dead_letters_listed"), values)
    last = rows[limit - 1] if len(rows) > limit else None
    return DeadLetters(
        counts=[
            DeadLetterCount(reason=reason, topic=_short(topic, prefix), open=still_open, replayed=replayed)
            for reason, topic, still_open, replayed in counts
        ],
        letters=[_listed(row, prefix) for row in rows[:limit]],
        next=None if last is None else write_cursor(LetterPlace(in_utc(last[2]), last[0], last[1])),
        listed_max=LISTED_MAX,
        listed_days=LISTED_DAYS,
    )


async def find_letter(
    database: Database, org_id: str, prefix: str, partition: int, offset: int
) -> DeadLetterListed | None:
    """Return one of the organisation's dead letters; None where it has none there."""
    values = {"org_id": org_id, "partition": partition, "offset": offset}
    rows = await database.rows(org_id, statement("dead_letter"), values)
    return _listed(rows[0], prefix) if rows else None


async def own_letters(database: Database, org_id: str, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Return of these the organisation's own, each with the digest of its record."""
    values = {
        "org_id": org_id,
        "partitions": [partition for partition, _ in places],
        "offsets": [offset for _, offset in places],
    }
    rows = await database.rows(org_id, statement("dead_letters_named"), values)
    return {(partition, offset): digest for partition, offset, digest in rows}


def _listed(row: tuple[Any, ...], prefix: str) -> DeadLetterListed:
    partition, offset, written_at, reason, message, stage, topic, source_partition, source_offset, *others = row
    code, records, value_bytes, is_again, replayed_at = others
    return DeadLetterListed(
        letter=f"{partition}/{offset}",
        written_at=in_utc(written_at),
        reason=reason,
        message=message,
        stage=stage,
        topic=_short(topic, prefix),
        partition=source_partition,
        offset=source_offset,
        referral_code=code,
        records=records,
        bytes=value_bytes,
        again=is_again,
        replayed_at=replayed_at and in_utc(replayed_at),
    )


def _short(topic: str, prefix: str) -> str | None:
    return topic.removeprefix(prefix) or None
