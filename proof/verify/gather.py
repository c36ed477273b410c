"""What the program wrote into its output topics, all of it, ready to be compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.topics import DEAD_LETTERS, MENTOR_COUNTS, MILESTONES
from process.headers import headers_of
from proof.verify import report
from proof.verify.fold import DeadLetters
from proof.verify.outputs import STREAM_STAGE, Headers, Misshapen, counts_row, dead_letter, milestone, origin_of
from proof.verify.reading import Reader, Spans
from proof.verify.records import Milestone, Owner, Place
from proof.verify.report import Difference, at

OUTPUTS = (DEAD_LETTERS.name, MENTOR_COUNTS.name, MILESTONES.name)

Output = tuple[Place, bytes | None, bytes | None, Headers]
"""Where it stands, key, value and headers."""


Firsts = Mapping[tuple[str, int], int]
"""Offset of the first record that is there, by topic and partition."""


@dataclass(slots=True)
class Outputs:
    """What was found; what is compared is taken out, so that what stays at the end is what nothing asks for."""

    dead_letters: DeadLetters = field(default_factory=dict)
    """Those of the stream app, by the place of the record that each is made of."""
    rows: dict[Owner, dict[str, Any]] = field(default_factory=dict)
    """The last row of each mentor in the counts topic."""
    milestones: dict[Owner, list[Milestone]] = field(default_factory=lambda: defaultdict(list))
    differences: list[Difference] = field(default_factory=list)
    """Records that are not as the contract says at all."""
    notes: list[str] = field(default_factory=list)
    replays: int = 0
    """Milestones that were dead letters of the badge consumer and were sent again."""


def gather(reader: Reader, spans: Spans, partitions: Mapping[str, int], *, prefix: str) -> Outputs:
    """Read the output topics from their beginnings to the ends of the spans."""
    found = Outputs()
    _gather_dead_letters(_read(reader, spans, DEAD_LETTERS.name), found, prefix)
    _gather_rows(_read(reader, spans, MENTOR_COUNTS.name), found, partitions[MENTOR_COUNTS.name])
    first = {place: span.first for place, span in spans.items()}
    _gather_milestones(_read(reader, spans, MILESTONES.name), found, partitions[MILESTONES.name], prefix, first)
    if found.replays:
        found.notes.append(f"milestones that were dead letters and were sent again: {found.replays:,}")
    return found


def _gather_dead_letters(records: Iterator[Output], found: Outputs, prefix: str) -> None:
    of_sinks: Counter[str] = Counter()
    for place, key, value, headers in records:
        try:
            letter = dead_letter(key, value, headers)
        except Misshapen as fault:
            wanted = "Kafka Connect's error headers"
            found.differences.append(Difference(report.DEAD_LETTERS, at(place), str(fault), wanted))
            continue
        topic, partition, offset = letter.origin
        if letter.stage == STREAM_STAGE:
            origin = (topic.removeprefix(prefix), partition, offset)
            found.dead_letters.setdefault(origin, []).append(letter.content)
        else:
            of_sinks[f"{letter.content.error} of {topic}"] += 1
    if of_sinks:
        by_kind = ", ".join(f"{count:,} {kind}" for kind, count in sorted(of_sinks.items()))
        found.notes.append(f"dead letters of the sinks, not compared: {by_kind}")


def _gather_rows(records: Iterator[Output], found: Outputs, partitions: int) -> None:
    for place, key, value, _ in records:
        try:
            row = counts_row(place, key, value, partitions=partitions)
        except Misshapen as fault:
            wanted = "MentorCounts under its own key"
            found.differences.append(Difference(report.COUNTS, at(place), str(fault), wanted))
        else:
            found.rows[Owner(row["org_id"], row["mentor_id"])] = row


def _gather_milestones(records: Iterator[Output], found: Outputs, partitions: int, prefix: str, first: Firsts) -> None:
    replayed: list[tuple[Milestone, Place]] = []
    for place, key, value, headers in records:
        try:
            reached = milestone(place, key, value, partitions=partitions)
        except Misshapen as fault:
            wanted = "MilestoneReached under its own key"
            found.differences.append(Difference(report.MILESTONES, at(place), str(fault), wanted))
        else:
            origin = origin_of(headers, prefix)
            if origin is None:
                found.milestones[Owner(reached.org_id, reached.mentor_id)].append(reached)
            else:
                replayed.append((reached, origin))
    taken: set[Place] = set()
    for reached, origin in replayed:
        if _take_replay(reached, origin, found, first, taken):
            taken.add(reached.place)


def _take_replay(reached: Milestone, origin: Place, found: Outputs, first: Firsts, taken: set[Place]) -> bool:
    """Take a milestone that was a dead letter of the badge consumer and was sent again: it says what its origin says.

    `taken` are the replays before it, which may have been refused and sent again themselves. Return whether it is one.
    """
    others = found.milestones[Owner(reached.org_id, reached.mentor_id)]
    same = [other for other in others if other._replace(place=reached.place) == reached]
    is_gone = origin[0] == MILESTONES.name and origin[2] < first.get(origin[:2], 0)
    if any(other.place == origin for other in same) or (same and (is_gone or origin in taken)):
        found.replays += 1
        return True
    if is_gone:
        others.append(reached)
    else:
        subject, wanted = at(reached.place), "a replay of what it names as its origin"
        found.differences.append(Difference(report.MILESTONES, subject, f"a milestone from {at(origin)}", wanted))
    return is_gone


def _read(reader: Reader, spans: Spans, topic: str) -> Iterator[Output]:
    for batch in reader.read({place: span for place, span in spans.items() if place[0] == topic}):
        for message in batch:
            place = (topic, message.partition() or 0, message.offset() or 0)
            # A consumer without deserialisers gives bytes and a list, though its types allow more.
            headers: Any = headers_of(message)
            yield place, message.key(), message.value(), headers
