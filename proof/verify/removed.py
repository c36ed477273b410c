"""What is gone from the topics: how much is beyond proof, and what it may explain.

Retention deletes the oldest records of a partition, compaction those of the codes topic that have a successor. What
such a record led to cannot be computed any more. But each explains one thing at most: one click that is counted and
not there, one registration in another state, one dead letter that is missing. So what is found may differ from what can
be computed by as many things as records are gone, in the direction that they allow, and by no more.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from models.topics import CLICKS, CODES, DEAD_LETTERS, REGISTRATIONS
from proof.verify import report
from proof.verify.partitioning import home_of
from proof.verify.reading import Spans
from proof.verify.records import Place
from proof.verify.report import Difference

Partition = tuple[str, int]
"""Topic and number."""

POOLED = frozenset({CODES.name, CLICKS.name, REGISTRATIONS.name})
"""Topics whose records count by code, wherever it belonged."""

ANYWHERE = -1
"""In place of a partition: in any of the topic's."""

CLICKS_GONE = "clicks that are counted and gone"
CLICKS_UNPROVEN = "clicks that were gone when they were first checked"
PAIRS_GONE = "registrations whose state follows from records that are gone"
LETTERS_GONE = "dead letters that are gone"
LETTERS_OF_GONE = "dead letters of records that are gone"
COPIES_GONE = "moved copies that are gone"
COPIES_OF_GONE = "moved copies of records that are gone"
MILESTONES_GONE = "milestones that are gone"
CONFIRMATIONS_GONE = "milestones whose confirmations are gone"
ISSUES_GONE = "codes whose issues are gone, and which only the counts topic names"
AWARDS_OF_GONE = "awards and decisions of milestones that are gone"


@dataclass(slots=True)
class Claim:
    """What was explained in one partition by records that are gone."""

    check: str
    limit: int
    things: int = 0


@dataclass(slots=True)
class Removed:
    """The records that are gone from the topics, and what was explained by them."""

    first: Mapping[Partition, int]
    """Offset of the first record that is there, of those partitions in which one was removed."""
    since: Mapping[Partition, int] = field(default_factory=dict)
    """Offset from which on the stream app's rows have counted; below 0 where they hold records of a topic that was
    made anew or cut short. Absent: 0."""
    beyond: Counter[str] = field(default_factory=Counter)
    """How many things of each kind are beyond proof."""
    left_out: Counter[Partition] = field(default_factory=Counter)
    """How many records of a source partition dead letters of records that are gone say to have been left out."""
    partitions: Counter[str] = field(default_factory=Counter)
    """Of each topic."""
    classes: int = 0
    """Classes of partitions of the source topics, of which records count together (layouts.py); 0: each by itself."""
    _uncertain: Counter[Partition] = field(default_factory=Counter)
    _claims: dict[tuple[str, Partition], Claim] = field(default_factory=dict)
    _gaps: dict[Partition, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, spans: Spans, since: Mapping[Partition, int], classes: int = 0) -> Removed:
        """Return what is gone before the spans."""
        first = {place: span.first for place, span in spans.items() if span.first}
        return cls(first, since, partitions=Counter(topic for topic, _ in spans), classes=classes)

    def pool(self, partition: Partition) -> Partition:
        """Return the partition that stands for all those of which the records count together with this one's."""
        topic, number = partition
        is_one = not self.classes or topic not in POOLED or number == ANYWHERE
        return partition if is_one else (topic, number % self.classes)

    def _pooled(self, topic: str, partition: int) -> Iterable[Partition]:
        if self.pool((topic, partition)) == (topic, partition) and not (self.classes and topic in POOLED):
            return [(topic, partition)]
        return [(topic, each) for each in range(partition % self.classes, self.partitions[topic], self.classes)]

    def note_compacted(self, partition: Partition, offsets: Iterable[int], end: int) -> None:
        """Note the offsets of a compacted partition at which there is no record any more."""
        former = self.since.get(partition, 0)
        gaps, expected = ([(former, 0)] if former < 0 else []), 0
        for offset in (*offsets, end):
            if offset > expected:
                gaps.append((expected, offset))
            expected = offset + 1
        self._gaps[partition] = gaps

    def records(self, topic: str, partition: int) -> int:
        """Return how many records are gone from a partition at most: transaction markers had offsets too."""
        return sum(self._gone(place) for place in self._pooled(topic, partition))

    def _gone(self, place: Partition) -> int:
        gaps = self._gaps.get(place)
        return self.first.get(place, 0) if gaps is None else sum(end - begin for begin, end in gaps)

    def counted(self, topic: str, partition: int) -> int:
        """Return how many records the counts may hold that are gone, or of which that cannot be told."""
        places = self._pooled(topic, partition)
        gone = sum(max(0, self.first.get(place, 0) - self.since.get(place, 0)) for place in places)
        return gone + self._uncertain[self.pool((topic, partition))]

    def note_uncertain(self, topic: str, partition: int) -> None:
        """Note a copy that was moved once more, after the first one that is there no more, if ever it was."""
        self._uncertain[self.pool((topic, partition))] += 1

    def ever_counted(self, topic: str, partition: int) -> int:
        """Return how many records that are gone may have counted, in the rows of today or in others before them."""
        return max(self.records(topic, partition), self.counted(topic, partition))

    def has(self, place: Place) -> bool:
        """Tell whether there may have been a record, and is none any more."""
        topic, partition, offset = place
        gaps = self._gaps.get((topic, partition))
        if gaps is None:
            return offset < self.first.get((topic, partition), 0)
        at = bisect_right(gaps, (offset, sys.maxsize)) - 1
        return at >= 0 and offset < gaps[at][1]

    def is_of_a_former_log(self, place: Place) -> bool:
        """Tell whether a dead letter may be of a record of its topic before that was made anew or cut short."""
        topic, partition, _ = place
        former = -self.since.get((topic, partition), 0)
        return former > 0 and self.explains(report.DEAD_LETTERS, LETTERS_OF_GONE, (topic, partition), limit=former)

    def before(self, place: Place) -> bool:
        """Tell whether a record is gone that stood before a place in its partition."""
        topic, partition, offset = place
        gaps = self._gaps.get((topic, partition))
        return bool(gaps and gaps[0][0] < offset) if gaps is not None else (topic, partition) in self.first

    def explains_missing_letter(self, check: str, key: bytes | None, count: int = 1) -> bool:
        """Explain that a record of this key has no dead letter; one without a key has it in any partition."""
        topic = DEAD_LETTERS.name
        if key is not None and self.partitions[topic]:
            return self.explains(check, LETTERS_GONE, (topic, home_of(key, self.partitions[topic])), count)
        everywhere = sum(at for (name, _), at in self.first.items() if name == topic)
        return self.explains(check, LETTERS_GONE, (topic, ANYWHERE), count, limit=everywhere)

    def explains(
        self, check: str, what: str, partition: Partition, count: int = 1, *, limit: int | None = None
    ) -> bool:
        """Explain things by records that are gone from a partition; False where none is.

        `limit` is how many those are, if not all. Whether all claims together are too many is said at the end.
        """
        limit = self.records(*partition) if limit is None else limit
        if count and not limit:
            return False
        self.beyond[what] += count
        claim = self._claims.setdefault((what, self.pool(partition)), Claim(check, limit))
        claim.things += count
        return True

    def explained(self, what: str, partition: Partition) -> int:
        """Return how many things of a kind were explained in a partition."""
        claim = self._claims.get((what, self.pool(partition)))
        return 0 if claim is None else claim.things

    def excesses(self) -> list[Difference]:
        """Return a difference for each partition in which more was to be explained than records are gone."""
        differences = []
        for (what, (topic, number)), claim in self._claims.items():
            limit = claim.limit
            if what in {CLICKS_GONE, PAIRS_GONE} and self.since.get((topic, number), 0) <= 0:
                # What is a dead letter, or was moved, did not count there.
                limit -= sum(self.explained(other, (topic, number)) for other in (LETTERS_OF_GONE, COPIES_OF_GONE))
            if claim.things > limit:
                found, wanted = f"{claim.things:,} {what}", f"at most {limit:,}: no more are gone"
                subject = topic if number == ANYWHERE else f"{topic}/{number}"
                differences.append(Difference(claim.check, subject, found, wanted))
        return differences
