"""Projects issued codes and mentors' counts into Postgres.

Consumes `codes.v1` (key referral code, value CodeIssued) into `organisations`, `mentors` and `referral_codes`, and
`mentor-counts.v1` (key `org_id:mentor_id`, value MentorCounts) into `mentor_counts`; leaves what cannot be used to
the dead letters.

The organisations' sums follow from these tables by triggers in the same transaction (migration 0006). They include what
changed on each day, so of a batch that reaches over midnight each mentor's last record of each day is projected, one
day's after the other's: the days are the same however the records were batched.

Failure handling: a batch is one transaction (one for each day that it reaches over), then the offsets. A batch that
comes again changes nothing: a code that is there stays, and counts are replaced only by records that are newer by
partition and offset. So the topics may be read again from the beginning at any time, also while another instance reads
on.

Not handled: a `mentor-counts` topic deleted and made anew begins at offset 0 again; `TRUNCATE mentor_counts` then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psycopg
import structlog
from msgspec import json

from models.codes import normalise_code
from models.errors import BadInput
from models.events import CodeIssued, MentorCounts, decode_event, in_utc
from models.identifiers import canonical_uuid
from models.partitioning import partition_of
from sinks.errors import SecondCode
from sinks.postgres import Connection, Database, column, query, quoted_column
from sinks.records import DeadLetter, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ATTEMPTS_MAX: Final = 5
"""Two instances that insert each other's codes at once begin again; five times in a row has another cause."""

Owner = tuple[str, str]
"""Organisation and mentor."""

Counts = tuple[Record, MentorCounts]

DAY_MS: Final = 24 * 60 * 60 * 1000
TIMESTAMP_MAX_MS: Final = 253_402_300_799_999
"""The end of the year 9999; a record with a later timestamp, or none, is counted when it is projected."""

log = structlog.stdlib.get_logger("sinks.counts")


class CountsProjection:
    """The projection's sink."""

    name = "counts"

    def __init__(self, database_url: str, *, codes_topic: str, partitions: int) -> None:
        """Make it without connecting.

        Args:
            database_url: where the tables are.
            codes_topic: full name of the topic whose records are codes; records of any other are counts.
            partitions: of the codes topic. A code in a partition where it does not belong is left alone: the stream
                app moves it, and only then its turn among the others of the same code is decided.

        """
        self._partitions = partitions
        self._database = Database(database_url, application_name="referrals counts")
        self._codes_topic = codes_topic

    def open(self) -> None:
        """Do nothing: the first batch connects."""

    def put(self, records: Sequence[Record]) -> list[DeadLetter]:
        """Project a batch in one transaction and return the records that cannot be used.

        Raises:
            StoreUnavailable: to be tried again.

        """
        codes: list[tuple[Record, CodeIssued]] = []
        runs: dict[Owner, list[Counts]] = {}
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
                    _add_to_run(runs.setdefault(_owner_of(counts), []), (record, counts))
            except BadInput as fault:
                if record.topic != self._codes_topic:  # the stream app has made a dead letter of a bad code
                    letters.append(DeadLetter(record, fault))
        rounds = _rounds(runs)
        with self._database.transaction() as connection:
            if codes:
                letters += _put_codes(connection, codes)
            if rounds:
                _put_counts(connection, rounds[0])
        for latest in rounds[1:]:
            # Not in the same transaction: it would lock mentors while it holds the sums; others lock mentors first.
            with self._database.transaction() as connection:
                _put_counts(connection, latest)
        log.debug("counts.batch_projected", records=len(records), codes=len(codes), mentors=len(runs))
        return letters

    def tend(self) -> None:
        """Do nothing: nothing waits here."""

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


def _put_codes(connection: Connection, codes: Sequence[tuple[Record, CodeIssued]]) -> list[DeadLetter]:
    """Insert the codes that are new, and return those that contradict an earlier one."""
    for _ in range(ATTEMPTS_MAX):
        known = query(connection, "issued_codes", _code_columns(event for _, event in codes))
        owner_of: dict[str, Owner] = {code: (org_id, mentor_id) for code, org_id, mentor_id in known}
        code_of: dict[Owner, str] = {owner: code for code, owner in owner_of.items()}
        fresh: list[CodeIssued] = []
        letters: list[DeadLetter] = []
        for record, event in codes:
            code, owner = normalise_code(event.referral_code), _owner_of(event)
            fault: BadInput | None = None
            if owner_of.get(code, owner) != owner:
                continue  # the first issue stands; the stream app has made a dead letter of this one
            if code_of.get(owner, code) != code:
                fault = SecondCode(
                    f"CodeIssued: the mentor of referral_code {code} has the code {code_of[owner]} already"
                )
            elif code not in owner_of:
                owner_of[code], code_of[owner] = owner, code
                fresh.append(event)
            if fault is not None:
                letters.append(DeadLetter(record, fault))
        if not fresh:
            return letters
        columns = _code_columns(fresh)
        # A savepoint: what another instance was first with is found, and judged, in the next round.
        with connection.transaction():
            inserted = query(
                connection, "insert_codes", columns | {"issued_ats": column(in_utc(e.issued_at) for e in fresh)}
            )
            if len(inserted) == len(fresh):
                return letters
            raise psycopg.Rollback
    msg = f"codes are inserted by others faster than they can be read, {ATTEMPTS_MAX} times in a row"
    raise RuntimeError(msg)


def _add_to_run(run: list[Counts], counts: Counts) -> None:
    """Add a mentor's counts to those before; of one day only the last are kept."""
    if run and _day_of(run[-1][0]) == _day_of(counts[0]):
        run[-1] = counts
    else:
        run.append(counts)


def _rounds(runs: dict[Owner, list[Counts]]) -> list[dict[Owner, Counts]]:
    """Return what is to be put one after the other, each with one record of a mentor at most; hardly ever two."""
    length = max(map(len, runs.values()), default=0)
    return [{owner: run[at] for owner, run in runs.items() if at < len(run)} for at in range(length)]


def _put_counts(connection: Connection, latest: dict[Owner, Counts]) -> None:
    """Replace what is older than these."""
    records = [record for record, _ in latest.values()]
    counts = [event for _, event in latest.values()]
    values = {
        "org_ids": column(org_id for org_id, _ in latest),
        "mentor_ids": column(mentor_id for _, mentor_id in latest),
        "referral_codes": column(normalise_code(c.referral_code) for c in counts),
        "total_clicks": column(c.total_clicks for c in counts),
        "pending_attributions": column(c.pending_attributions for c in counts),
        "confirmed_attributions": column(c.confirmed_attributions for c in counts),
        "conversion_rates": column(c.conversion_rate for c in counts),
        "by_channels": quoted_column(json.encode(c.by_channel).decode() for c in counts),
        "milestones": quoted_column(f"{{{','.join(map(str, c.milestones))}}}" for c in counts),
        "last_event_ats": column(c.last_event_at and in_utc(c.last_event_at) for c in counts),
        "counted_mss": column(map(_counted_ms, records)),
        "topic_partitions": column(record.partition for record in records),
        "topic_offsets": column(record.offset for record in records),
    }
    query(connection, "upsert_counts", values)


def _counted_ms(record: Record) -> int | None:
    return record.timestamp if 0 <= record.timestamp <= TIMESTAMP_MAX_MS else None


def _day_of(record: Record) -> int | None:
    counted_ms = _counted_ms(record)
    return None if counted_ms is None else counted_ms // DAY_MS


def _code_columns(events: Iterable[CodeIssued]) -> dict[str, str]:
    events = list(events)
    owners = [_owner_of(event) for event in events]
    return {
        "referral_codes": column(normalise_code(event.referral_code) for event in events),
        "org_ids": column(org_id for org_id, _ in owners),
        "mentor_ids": column(mentor_id for _, mentor_id in owners),
    }


def _owner_of(event: CodeIssued | MentorCounts) -> Owner:
    return canonical_uuid(event.org_id), canonical_uuid(event.mentor_id)
