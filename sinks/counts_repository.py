"""What the projection needs of a store of codes and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from models.identifiers import canonical_uuid
from sinks.store import Store, Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.events import CodeIssued, MentorCounts
    from sinks.positions import Positions
    from sinks.records import Record

Owner = tuple[str, str]
"""Organisation and mentor."""


class Counts(NamedTuple):
    """A mentor's counts and the record that they came with."""

    record: Record
    event: MentorCounts
    key_partition: int
    """Where the mentor's key belongs, with as many partitions as the topic has now."""


class CountsTransaction(Transaction, Protocol):
    """What the projection reads and writes together."""

    def issued_codes(self, events: Sequence[CodeIssued]) -> dict[str, Owner]:
        """Return what is known of the codes and of the mentors of these: code to owner."""

    def insert_codes(self, events: Sequence[CodeIssued]) -> bool:
        """Insert codes with their organisations and mentors; False: somebody was first with one, and none is kept."""

    def put_counts(self, latest: Mapping[Owner, Counts]) -> None:
        """Replace what is older than these: lower in the same partition, or of a partition that the key has left."""


class CountsRepository(Store[CountsTransaction], Protocol):
    """A store of codes and counts."""

    @property
    def positions(self) -> Positions:
        """Where the consumer's positions are kept.

        Where a log holds others than the records that were read, `begin` forgets what it knew of their order: whatever
        comes is newer.
        """


def owner_of_event(event: CodeIssued | MentorCounts) -> Owner:
    """Return whose code or counts these are, identifiers in the one form that we compare and store."""
    return canonical_uuid(event.org_id), canonical_uuid(event.mentor_id)
