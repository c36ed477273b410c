"""What a partition begins with of which nothing is kept: the owners and milestones that were announced before.

A state is lost, an application starts under another name, or somebody has it rebuilt: the sources are then counted
anew, and what was announced must not be announced again, nor a code become another mentor's because compaction has
removed its first issue. The counts topic says which code is whose and which thresholds are reached, the milestones
topic which were announced, and the codes topic which issue stands where something came after it (models/issues.py);
all were written in the transactions of the counts.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from models.changes import MENTORS
from models.codes import normalise_code
from models.errors import BadInput
from models.events import CodeIssued, MentorCounts, MilestoneReached, decode_event, parse_event
from models.identifiers import canonical_uuid
from models.issues import STANDS
from models.mentors import begun_anew, decode_mentor, encode_mentor, mentor_key
from models.partition_changes import latest_changes
from models.partitioning import partition_of
from models.topics import CODES, MENTOR_COUNTS, MILESTONES, PARTITION_CHANGES
from process.headers import headers_of
from streams.engine.changelog import read_topics
from streams.engine.errors import CannotWork

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from confluent_kafka import Message

    from models.partition_changes import PartitionChange
    from streams.engine.batch import Rows
    from streams.engine.options import EngineOptions


class Beginnings:
    """Gives the rows with which partitions begin; reads on where it was when it is asked again.

    Ask after the partition's owner was fenced: what he announces before is then read, and he announces nothing more.
    """

    def __init__(self, options: EngineOptions, topic_prefix: str) -> None:
        self._options = options
        self._milestones = MILESTONES.full_name(topic_prefix)
        self._counts = MENTOR_COUNTS.full_name(topic_prefix)
        self._codes = CODES.full_name(topic_prefix)
        self._changes = PARTITION_CHANGES.full_name(topic_prefix)
        self._read_to: dict[tuple[str, int], int] = {}
        self._announced: dict[bytes, set[int]] = {}
        self._latest: dict[bytes, MentorCounts] = {}
        self._standing: dict[str, MentorCounts] = {}

    def __call__(self, partitions: Collection[int]) -> Mapping[int, Rows]:
        """Return the rows of these partitions; blocks while it reads the three topics.

        Raises:
            CannotWork: the number of partitions was changed since their records came (streams/eras.py).

        """
        if partitions and self.changes():
            raise CannotWork(
                f"nothing is kept of partitions {sorted(partitions)}, and the number of partitions was changed since "
                "their records came: what came before must be counted by the number of that time. Run `referrals state "
                "rebuild --all`, then start the workers"
            )
        self.read()
        return {number: {MENTORS: self.mentors(number, self._options.partitions)} for number in partitions}

    def changes(self) -> list[PartitionChange]:
        """Return the changes of the number of partitions, the first one first; the last may not be over."""
        values: list[Any] = [message.value() for message in read_topics(self._options, (self._changes,), {})]
        return latest_changes(value for value in values if value)

    def read(self) -> None:
        """Read on, to where the three topics end now."""
        for message in read_topics(self._options, (self._milestones, self._counts, self._codes), self._read_to):
            self._take(message)

    def announced(self, mentor: MentorCounts) -> set[int]:
        """Return the thresholds that were announced of a mentor."""
        key = mentor_key(mentor)
        return {*self._latest.get(key, mentor).milestones, *self._announced.get(key, ())}

    def mentors(self, number: int, partitions: int) -> dict[bytes, bytes]:
        """Return the rows of the mentors whose codes belong in partition `number` of so many: nothing is counted."""
        owners = {counts.referral_code: counts for counts in self._latest.values()} | self._standing
        return {
            code.encode(): encode_mentor(begun_anew(mentor, self.announced(mentor)))
            for code, mentor in owners.items()
            if partition_of(code.encode(), partitions) == number
        }

    def _take(self, message: Message) -> None:
        # A client without deserialisers gives bytes, though its types allow more.
        key: Any = message.key()
        value: Any = message.value()
        if value is None or key is None:
            return
        if message.topic() == self._milestones:
            reached = parse_event(MilestoneReached, value)
            self._announced.setdefault(key, set()).add(reached.milestone_threshold)
        elif message.topic() == self._counts:
            self._latest[key] = decode_mentor(value)
        elif any(name == STANDS for name, _ in headers_of(message)):
            with suppress(BadInput):  # somebody else's record under our header: it is refused when its turn comes
                mentor = _owner(decode_event(CodeIssued, value))
                self._standing[mentor.referral_code] = mentor


def _owner(issue: CodeIssued) -> MentorCounts:
    """Return the mentor of an issue, of whom nothing is counted."""
    return MentorCounts(
        org_id=canonical_uuid(issue.org_id),
        mentor_id=canonical_uuid(issue.mentor_id),
        referral_code=normalise_code(issue.referral_code),
        by_channel={},
        milestones=[],
    )
