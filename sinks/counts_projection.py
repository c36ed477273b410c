"""Projects issued codes and mentors' counts into Postgres.

Consumes `codes.v1` (key referral code, value CodeIssued) into `organisations`, `mentors` and `referral_codes`, and
`mentor-counts.v1` (key `org_id:mentor_id`, value MentorCounts) into `mentor_counts`; leaves what cannot be used to
the dead letters.

The organisations' sums follow from these tables by triggers in the same transaction (migration 0006). They include what
changed on each day, so of a batch that reaches over midnight each mentor's last record of each day is projected, one
day's after the other's: the days are the same however the records were batched.

Failure handling: a batch is one transaction (one for each day that it reaches over), the last of them with the
positions. A batch that comes again changes nothing: a code that is there stays, and counts are replaced only by records
that are newer. So the topics may be read again from the beginning at any time, also while another instance reads on.

Which of two records of a mentor is the newer follows from where they stand, never from their times. In one partition it
is the one with the higher offset. In two it is the one where his key belongs now: partitions were added. What was read
of a topic that was made anew since, or of a log that has lost its end, is older than whatever comes.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from models.codes import normalise_code
from models.errors import BadInput
from models.events import CodeIssued, MentorCounts, decode_event
from models.partitioning import partition_of
from sinks.counts_repository import Counts, Owner, owner_of_event
from sinks.errors import SecondCode, StoreUnavailable
from sinks.positions import NOWHERE
from sinks.records import DeadLetter, Record, counted_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sinks.counts_repository import CountsRepository, CountsTransaction
    from sinks.positions import Place, Positions, Start

ATTEMPTS_MAX: Final = 5
"""Two instances that insert each other's codes at once begin again; five times in a row has another cause."""

DAY_MS: Final = 24 * 60 * 60 * 1000

log = structlog.stdlib.get_logger("sinks.counts")


class CountsProjection:
    """The projection's sink."""

    name = "counts"

    def __init__(self, repository: CountsRepository, *, codes_topic: str, partitions: int) -> None:
        """Make it.

        Args:
            repository: where codes and counts are kept.
            codes_topic: full name of the topic whose records are codes; records of any other are counts.
            partitions: of the codes topic, until it is known how many it has. A code in a partition where it does not
                belong is left alone: the stream app moves it, and only then its turn among the others of the same code
                is decided.

        """
        self._repository = repository
        self._codes_topic = codes_topic
        self._partitions = partitions
        self._counts_partitions = partitions

    @property
    def positions(self) -> Positions:
        """Where it goes on reading."""
        return self._repository.positions

    def open(self) -> None:
        """Look at the schema; raises StoreUnavailable where it is older than this program."""
        if (beyond := self._repository.check_schema()) is not None:
            log.warning("counts.schema_is_newer", reason=beyond)

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions begin, and how many there are: that decides where a code or a mentor belongs."""
        self._repository.positions.begin(starts)
        ours = [start.partitions for (topic, _), start in starts.items() if topic == self._codes_topic]
        self._partitions = max(ours, default=self._partitions)
        found = [start.partitions for (topic, _), start in starts.items() if topic != self._codes_topic]
        self._counts_partitions = max(found, default=self._counts_partitions)

    def put(self, records: Sequence[Record], reached: Mapping[Place, int] = NOWHERE) -> list[DeadLetter]:
        """Project a batch in one transaction, move the positions along, and return the records that cannot be used.

        Raises:
            StoreUnavailable: to be tried again.
            Fenced: another process has partitions of these now; nothing was kept.

        """
        codes: list[tuple[Record, CodeIssued]] = []
        runs: dict[Owner, dict[int, list[Counts]]] = {}
        letters: list[DeadLetter] = []
        for record in records:
            try:
                if record.topic == self._codes_topic:
                    event = decode_event(CodeIssued, record.value)
                    code = normalise_code(event.referral_code).encode()
                    if partition_of(code, self._partitions) == record.partition:
                        codes.append((record, event))
                else:
                    counts = decode_event(MentorCounts, record.value)
                    owner = owner_of_event(counts)
                    run = runs.setdefault(owner, {}).setdefault(record.partition, [])
                    _add_to_run(run, Counts(record, counts, run[-1].key_partition if run else self._belongs(owner)))
            except BadInput as fault:
                if record.topic != self._codes_topic:  # the stream app has made a dead letter of a bad code
                    letters.append(DeadLetter(record, fault))
        rounds = _rounds(runs)
        held = dict.fromkeys(reached)
        with self._repository.transaction() as work:
            if codes:
                letters += _put_codes(work, codes)
            if rounds:
                work.put_counts(rounds[0])
            work.move(held if letters or len(rounds) > 1 else reached)
        for number, latest in enumerate(rounds[1:], start=2):
            # Not in the same transaction: it would lock mentors while it holds the sums; others lock mentors first.
            with self._repository.transaction() as work:
                work.put_counts(latest)
                work.move(held if letters or number < len(rounds) else reached)
        log.debug("counts.batch_projected", records=len(records), codes=len(codes), mentors=len(runs))
        return letters

    def probe(self) -> None:
        """Project a code and counts of a mentor who is made up, and undo it; what raises is not a record's fault."""
        org_id, mentor_id, now = str(uuid.uuid4()), str(uuid.uuid4()), datetime.now(UTC)
        code = f"{uuid.uuid4().int % 10**12:012}"
        issued = CodeIssued(referral_code=code, org_id=org_id, mentor_id=mentor_id, issued_at=now)
        counts = MentorCounts(
            org_id=org_id, mentor_id=mentor_id, referral_code=code, by_channel={}, milestones=[], last_event_at=now
        )
        record = Record(topic="", partition=0, offset=0, key=None, value=None)
        if (beyond := self._repository.check_schema()) is not None:
            raise StoreUnavailable(beyond)
        with self._repository.trial() as work:
            work.insert_codes([issued])
            work.put_counts({(org_id, mentor_id): Counts(record, counts, 0)})

    def tend(self) -> None:
        """Do nothing: nothing waits here."""

    def close(self) -> None:
        """Close the repository's connections."""
        self._repository.close()

    def _belongs(self, owner: Owner) -> int:
        """Return the partition where a mentor's counts belong."""
        return partition_of(":".join(owner).encode(), self._counts_partitions)


def _put_codes(work: CountsTransaction, codes: Sequence[tuple[Record, CodeIssued]]) -> list[DeadLetter]:
    """Insert the codes that are new, and return those that contradict an earlier one."""
    for _ in range(ATTEMPTS_MAX):
        owner_of = work.issued_codes([event for _, event in codes])
        code_of: dict[Owner, str] = {owner: code for code, owner in owner_of.items()}
        fresh: list[CodeIssued] = []
        letters: list[DeadLetter] = []
        for record, event in codes:
            code, owner = normalise_code(event.referral_code), owner_of_event(event)
            if owner_of.get(code, owner) != owner:
                continue  # the first issue stands; the stream app has made a dead letter of this one
            if code_of.get(owner, code) != code:
                fault = SecondCode(
                    f"CodeIssued: the mentor of referral_code {code} has the code {code_of[owner]} already"
                )
                letters.append(DeadLetter(record, fault))
            elif code not in owner_of:
                owner_of[code], code_of[owner] = owner, code
                fresh.append(event)
        if not fresh or work.insert_codes(fresh):
            return letters
    msg = f"codes are inserted by others faster than they can be read, {ATTEMPTS_MAX} times in a row"
    raise StoreUnavailable(msg)


def _add_to_run(run: list[Counts], counts: Counts) -> None:
    """Add a mentor's counts to those before; of one day only the last are kept."""
    if run and _day_of(run[-1].record) == _day_of(counts.record):
        run[-1] = counts
    else:
        run.append(counts)


def _rounds(runs: Mapping[Owner, Mapping[int, list[Counts]]]) -> list[dict[Owner, Counts]]:
    """Return what is to be put one after the other, each with one record of a mentor at most; hardly ever two."""
    lines = {
        owner: [counts for _, run in sorted(by_partition.items()) for counts in run]
        for owner, by_partition in runs.items()
    }
    length = max(map(len, lines.values()), default=0)
    return [{owner: line[at] for owner, line in lines.items() if at < len(line)} for at in range(length)]


def _day_of(record: Record) -> int | None:
    counted = counted_ms(record)
    return None if counted is None else counted // DAY_MS
