"""What the projection needs of a store of codes and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from models.identifiers import canonical_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from models.events import CodeIssued, MentorCounts
    from sinks.positions import Place, Positions
    from sinks.records import Record

Owner = tuple[str, str]
"""Organisation and mentor."""


class Counts(NamedTuple):
    """A mentor's counts and the record that they came with."""

    record: Record
    event: MentorCounts
    key_partition: int
    """Where the mentor's key belongs, with as many partitions as the topic has now."""


class CountsTransaction(Protocol):
    """Reads and writes that take effect together, or not at all."""

    def issued_codes(self, events: Sequence[CodeIssued]) -> dict[str, Owner]:
        """Return what is known of the codes and of the mentors of these: code to owner."""

    def insert_codes(self, events: Sequence[CodeIssued]) -> bool:
        """Insert codes with their organisations and mentors; False: somebody was first with one, and none is kept."""

    def put_counts(self, latest: Mapping[Owner, Counts]) -> None:
        """Replace what is older than these: lower in the same partition, or of a partition that the key has left."""

    def move(self, reached: Mapping[Place, int | None]) -> None:
        """Note how far partitions have been read; None: hold one, so that nothing is kept if it is another's now.

        Raises:
            Fenced: another process has claimed one; the transaction must end without effect.

        """


class CountsRepository(Protocol):
    """A store of codes and counts."""

    @property
    def positions(self) -> Positions:
        """Where the consumer's positions are kept.

        Where a log holds others than the records that were read, `begin` forgets what it knew of their order: whatever
        comes is newer.
        """

    def transaction(self) -> AbstractContextManager[CountsTransaction]:
        """Run the body in one transaction, committed at its end.

        Raises:
            StoreUnavailable: to be tried again; what had been committed nevertheless is not done twice then.

        """

    def trial(self) -> AbstractContextManager[CountsTransaction]:
        """Run the body in one transaction that is undone at its end: it only shows whether it can be done."""

    def check_schema(self) -> str | None:
        """See that the store is as new as this program; say what it has beyond it, None where nothing.

        Raises:
            StoreUnavailable: it is older, and the message says what to do.

        """

    def close(self) -> None:
        """Let go of connections; the next use opens them again."""


def owner_of_event(event: CodeIssued | MentorCounts) -> Owner:
    """Return whose code or counts these are, identifiers in the one form that we compare and store."""
    return canonical_uuid(event.org_id), canonical_uuid(event.mentor_id)
