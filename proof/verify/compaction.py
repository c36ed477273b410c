"""Whose a code is, where compaction has removed its first issue.

Of a code's records the first says whose it is, unless compaction may have removed one before it. Then one with the
header `referrals.stands` says it: the stream app writes the issue that stands once more behind whatever would outlive
it. Earlier versions did not. There only the counts topic names the owner, and that is no proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from models.topics import CODES
from proof.verify.events import Unusable, issued
from proof.verify.fold import CODE_TAKEN, DeadLetters
from proof.verify.records import Owner, Record
from proof.verify.removed import Removed


class Owners(NamedTuple):
    """Owners of codes whose first issue is gone."""

    stated: dict[str, Owner]
    """As the codes topic says."""
    claimed: dict[str, Owner]
    """As only the counts topic says."""


def owners_compacted_away(
    partition: int, records: Iterable[Record], dead_letters: DeadLetters, claims: Mapping[str, Owner], removed: Removed
) -> Owners:
    """Return the owners of codes whose first issue is no longer in the compacted codes topic.

    Args:
        partition: its number.
        records: what the codes topic has of it.
        dead_letters: those made of them. A first issue that is `CodeTaken` had one before it.
        claims: by code, as the counts topic names the owners; only those that belong in this partition.
        removed: what compaction has removed.

    """
    if not removed.records(CODES.name, partition):
        return Owners({}, {})
    first: dict[str, Record] = {}
    stated: dict[str, Owner] = {}

    def was_refused(record: Record) -> bool:
        return any(letter.error == CODE_TAKEN for letter in dead_letters.get(record.place, []))

    for record in records:
        try:
            issue = issued(record.value)
        except Unusable:
            continue
        first.setdefault(issue.code, record)
        if record.stands and not was_refused(record) and removed.before(first[issue.code].place):
            stated[issue.code] = Owner(issue.org_id, issue.mentor_id)
    claimed = {
        code: owner
        for code, owner in claims.items()
        if code not in stated
        and (code not in first or (removed.before(first[code].place) and was_refused(first[code])))
    }
    return Owners(stated, claimed)
