"""Codes whose first issue is gone from the compacted codes topic: whose they are must be taken from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from proof.verify.events import Unusable, issued
from proof.verify.fold import CODE_TAKEN, DeadLetters
from proof.verify.records import Owner, Record


def owners_compacted_away(
    records: list[Record], dead_letters: DeadLetters, owners: Mapping[str, Owner]
) -> dict[str, Owner]:
    """Return the owners of codes whose first issue is no longer in the compacted codes topic.

    Args:
        records: one partition of the codes topic. If its offsets have no gap, nothing was compacted.
        dead_letters: those made of them. A first issue that is `CodeTaken` had one before it.
        owners: by code, as the counts topic names them; only those that belong in this partition.

    """
    offsets = [record.offset for record in records]
    if offsets == list(range(len(offsets))):
        return {}
    first_issues: dict[str, Record] = {}
    for record in records:
        try:
            first_issues.setdefault(issued(record.value).code, record)
        except Unusable:
            continue
    gone = {}
    for code, owner in owners.items():
        first = first_issues.get(code)
        letters = dead_letters.get(first.place, []) if first is not None else []
        if first is None or any(letter.error == CODE_TAKEN for letter in letters):
            gone[code] = owner
    return gone
