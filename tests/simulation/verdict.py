"""The verdict over a schedule: rows, positions and everything that was sent, compared with what the sources say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from models.attribution import Attribution
from models.changes import MENTORS
from models.mentors import decode_mentor, mentor_key
from streams.engine.batch import OutgoingRecord
from streams.engine.options import EngineOptions
from tests.simulation import oracle
from tests.simulation.acts import Outcome, Sources
from tests.simulation.kafka import Kafka


class WrongResult(AssertionError):
    """Something came out that must not, or something did not come."""


def look(
    kafka: Kafka,
    options: EngineOptions,
    attribution: Attribution,
    sources: Sources,
    outcome: Outcome,
    told: Sequence[OutgoingRecord],
) -> None:
    """Compare what a schedule has come to, and what was told of as sent, with a plain fold over its sources.

    Raises:
        WrongResult: they differ.

    """
    found = oracle.Found(kafka, attribution)
    expected = [sources.fold(attribution, number) for number in range(options.partitions)]
    for number, each in enumerate(expected):
        _compare_rows(oracle.changelog_rows(kafka, options, number), each, outcome, number)
    _compare_counts(found, expected)
    _compare_sent(found, expected, outcome)
    milestones = Counter(record.value or b"" for record in told if record.topic == attribution.milestones)
    if milestones - found.milestones:  # one that is killed tells of less
        raise WrongResult(f"told of as sent, and was not, or not so often: {milestones - found.milestones}")


def _compare_rows(kept: oracle.Rows, expected: oracle.Expected, outcome: Outcome, number: int) -> None:
    for table in oracle.COMPARED[: 2 if outcome.loses_copies else 3]:
        rows = {key: row for key, row in kept[table].items() if not key.startswith(b"\0")}
        must_be = expected.rows[table]
        if not (oracle.same_mentors(rows, must_be) if table == MENTORS else rows == must_be):
            raise WrongResult(f"partition {number}, table {table}:\n  {rows}\nmust be\n  {must_be}")


def _compare_counts(found: oracle.Found, expected: list[oracle.Expected]) -> None:
    counts = {}
    for each in expected:
        for row in each.rows[MENTORS].values():
            mentor = decode_mentor(row)
            if mentor.last_event_at is not None:
                counts[mentor_key(mentor)] = row
    if not oracle.same_mentors(found.counts, counts):
        raise WrongResult(f"published counts:\n  {found.counts}\nmust be\n  {counts}")


def _compare_sent(found: oracle.Found, expected: list[oracle.Expected], outcome: Outcome) -> None:
    milestones: Counter[bytes] = Counter()
    letters: Counter[oracle.Letter] = Counter()
    copies: Counter[bytes] = Counter()
    for each in expected:
        milestones += each.milestones
        letters += each.letters
        copies += each.moved
    if found.milestones != milestones:
        raise WrongResult(
            f"milestones missing: {milestones - found.milestones}, too many: {found.milestones - milestones}"
        )
    # A rebuild says of what it sends again that it does; in the batch in which the new begins, of some new too.
    missing = letters - found.letters - (found.letters_again if outcome.sends_again else Counter())
    too_many = Counter() if outcome.app_id else found.letters - letters
    too_many = Counter({letter: times for letter, times in too_many.items() if not _is_forgotten(letter[:3], outcome)})
    if missing or too_many:
        raise WrongResult(f"dead letters missing: {missing}, too many: {too_many}")
    if not outcome.loses_copies:
        lost = copies - found.moved - (found.moved_again if outcome.sends_again else Counter())
        too_many_copies = [copy for copy in found.moved - copies if not _is_forgotten(copy.split(b"/"), outcome)]
        if lost or too_many_copies:
            raise WrongResult(f"moved records missing: {lost}, too many: {too_many_copies}")


def _is_forgotten(origin: Sequence[bytes | None], outcome: Outcome) -> bool:
    """Tell whether the record at topic, partition, offset was read, and nobody knows any more that it was."""
    topic, number, offset = (part.decode() for part in origin if part is not None)
    known = outcome.forgotten.get((topic, int(number)))
    return known is not None and int(offset) >= known
