"""The fold of the stream: rows and a batch of records in, changed rows and outgoing records out.

Consumes: codes, clicks, registrations (by referral code, co-partitioned).
Keeps:    mentors (code -> counts), members (code, member -> state), waiting (activity of unknown codes), moves (what
          came from wrong partitions).
Emits:    mentor-counts (the changed rows), milestones, dead letters, moved records.

`Attribution.fold` is a pure function of its arguments: it reads the rows and never changes them, knows no
clock and no topic but those of its rules, and returns what is to be changed and sent. A batch is folded in
two gears: all its records at once where they are what they should be, which is nearly always, and one by
one from the first doubt, with every rule spelled out in `_Step.take`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from models.codes import normalise_code
from models.columns import Kind, decode_batch
from models.errors import BadInput, CodeTaken, OtherOrganisation, Unprocessable
from models.events import (
    Click,
    CodeIssued,
    MentorCounts,
    Registration,
    decode_event,
)
from models.identifiers import canonical_uuid
from models.issues import standing_issue
from models.members import Pair, next_state, pack_pair, pair_key, unpack_pair
from models.mentors import (
    decode_mentor,
    encode_mentor,
    mentor_key,
    move_pair,
    newly_reached,
    place_of_channel,
    saw_event,
)
from models.milestones import milestone_reached, milestone_record
from models.moves import Arrivals, origin_of
from models.outgoing import MOVED_FROM, dead_letter, moved
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS
from models.waiting import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.outgoing import Outgoing
    from models.records import Batch, Record, StoredRecord

EXPIRED_PER_STEP: Final = 1_000
"""Waiting records that one step turns into dead letters; the rest follow with the next steps."""

MENTORS: Final = "mentors"
MEMBERS: Final = "members"
WAITING: Final = "waiting"
MOVES: Final = "moves"
TABLES: Final = (MENTORS, MEMBERS, WAITING, MOVES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the settings decide about the fold."""

    topic_prefix: str = "referrals."
    thresholds: tuple[int, ...] = (1, 5, 10, 25)
    waiting_records_max: int = 100_000
    """Records of codes not issued yet, for each partition."""
    waiting_age_ms: int = 30 * 86_400_000


@dataclass(kw_only=True, slots=True)
class Changes:
    """What a step changes and sends."""

    rows: dict[str, dict[bytes, bytes | None]] = field(default_factory=dict)
    """Table -> key -> new row, None: deleted."""
    latest: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    """Topic -> key -> value: sent to compacted topics, of which only the last value of a key matters."""
    outgoing: list[Outgoing] = field(default_factory=list)
    """Sent each, in order."""


class Attribution:
    """The fold under given rules, for one number of partitions."""

    def __init__(self, rules: Rules, *, partitions: int) -> None:
        prefix = rules.topic_prefix
        self.rules = rules
        self.partitions = partitions
        self.kinds: dict[str, type[CodeIssued | Click | Registration]] = {
            CODES.full_name(prefix): CodeIssued,
            CLICKS.full_name(prefix): Click,
            REGISTRATIONS.full_name(prefix): Registration,
        }
        self.mentor_counts = MENTOR_COUNTS.full_name(prefix)
        self.milestones = MILESTONES.full_name(prefix)
        self.dead_letters = DEAD_LETTERS.full_name(prefix)

    def fold(self, rows: Mapping[str, Mapping[bytes, bytes]], batch: Batch, *, now_ms: int) -> Changes:
        """Return what a batch changes and sends.

        Args:
            rows: the partition's rows, table -> key -> row; not changed.
            batch: consecutive records of one of the source topics.
            now_ms: the time, milliseconds since 1970, for the age of waiting records.

        """
        step = _Step(self, rows, partition=batch.partition, now_ms=now_ms)
        kind = self.kinds[batch.topic]
        if kind is Click:
            step.take_clicks(batch)
        elif kind is Registration:
            step.take_registrations(batch)
        else:
            for index in range(len(batch)):
                step.take(batch.record(index))
        return step.changes()

    def expire(self, rows: Mapping[str, Mapping[bytes, bytes]], *, partition: int, now_ms: int) -> Changes:
        """Return what is to be done about waiting records that are too old: dead letters, and the rows go."""
        step = _Step(self, rows, partition=partition, now_ms=now_ms)
        step.expire()
        return step.changes()

    def set_aside(self, record: Record, fault: Exception) -> Changes:
        """Return what is to be done with a record that cannot be processed, for a reason that no rule knows."""
        said = Unprocessable(f"processing it failed each time: {type(fault).__name__}: {fault}")
        return Changes(outgoing=[dead_letter(self.dead_letters, record, said)])


class _Step:
    """One step's private working set: mentors opened, members changed, records to be sent."""

    def __init__(
        self, fold: Attribution, rows: Mapping[str, Mapping[bytes, bytes]], *, partition: int, now_ms: int
    ) -> None:
        self._fold = fold
        self._rules = fold.rules
        self._mentor_rows = rows[MENTORS]
        self._member_rows = rows[MEMBERS]
        self._waiting = WaitingRoom(rows[WAITING], records_max=fold.rules.waiting_records_max)
        self._arrivals = Arrivals(rows[MOVES])
        self._partition = partition
        self._now_ms = now_ms
        self._mentors: dict[str, MentorCounts] = {}
        self._members: dict[bytes, bytes | None] = {}
        self._outgoing: list[Outgoing] = []

    # -- the fast gear: a whole batch whose records are all what they should be ------------------------------

    def take_clicks(self, batch: Batch) -> None:
        """Count a batch of clicks; those that need a closer look go through `take`, in their place."""
        mentors = self._mentors
        for index, click in enumerate(_looked_at(batch, decode_batch(Click, batch.values()))):
            if click is None:
                self.take(batch.record(index))
                continue
            code = click.referral_code
            mentor = mentors.get(code) or self._open(code)
            if mentor is None or (click.org_id is not None and click.org_id != mentor.org_id):
                self.take(batch.record(index))
                continue
            metadata = click.device_metadata
            channel = None if metadata is None else metadata.share_channel
            counts = mentor.by_channel.get(channel)  # type: ignore[arg-type]  # None is in no dict of names
            if counts is None:
                counts = mentor.by_channel[place_of_channel(mentor, channel)]
            counts.clicks += 1
            last = mentor.last_event_at
            if last is None or click.occurred_at > last:
                saw_event(mentor, click.occurred_at)

    def take_registrations(self, batch: Batch) -> None:
        """Count a batch of registrations; those that need a closer look go through `take`, in their place."""
        for index, registration in enumerate(_looked_at(batch, decode_batch(Registration, batch.values()))):
            mentor = None if registration is None else self._open(registration.referral_code)
            if (
                registration is None
                or mentor is None
                or (registration.org_id is not None and registration.org_id != mentor.org_id)
            ):
                self.take(batch.record(index))
            else:
                self._count_registration(mentor, registration)

    # -- the slow gear: one record, every rule ---------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Do with one record what the contract says; what cannot be used becomes a dead letter."""
        kind = self._fold.kinds[record.topic]
        stands: str | None = None
        try:
            event = decode_event(kind, record.value)
            code = normalise_code(event.referral_code)
            if partition_of(code.encode(), self._fold.partitions) != self._partition:
                self._outgoing.append(moved(record, code))
            elif (origin := origin_of(record)) is not None and not self._arrivals.is_new(origin):
                pass  # it was moved here before
            elif isinstance(event, CodeIssued):
                self._issue(code, event)
                stands = code
            elif (mentor := self._open(code)) is None:
                self._waiting.add(code, record, now_ms=self._now_ms)
            else:
                _check_organisation(event, mentor)
                self._count(mentor, event)
        except BadInput as fault:
            self._reject(record, fault)
        if kind is CodeIssued:
            self._hold(record, stands)

    def _hold(self, record: Record, stands: str | None) -> None:
        """Write an issue again where compaction would leave something else of it; see models/issues.py.

        `stands` is the code that the record says right whose it is; None: it says nothing that stands.
        """
        key = (record.key or b"").decode("utf-8", "replace")
        for code in dict.fromkeys((stands or key, key)):
            if (code != key or code != stands) and (mentor := self._open(code)) is not None:
                self._outgoing.append(standing_issue(record.topic, mentor, now_ms=self._now_ms))

    def _issue(self, code: str, event: CodeIssued) -> None:
        owner = canonical_uuid(event.org_id), canonical_uuid(event.mentor_id)
        mentor = self._open(code)
        if mentor is not None:
            if (mentor.org_id, mentor.mentor_id) != owner:
                raise CodeTaken(
                    f"code {code} is issued to mentor {mentor.mentor_id} of organisation {mentor.org_id}; "
                    "the first issue stands"
                )
            return
        mentor = self._mentors[code] = MentorCounts(
            org_id=owner[0], mentor_id=owner[1], referral_code=code, by_channel={}, milestones=[]
        )
        left_out: list[StoredRecord] = []
        for record in self._waiting.take(code):
            try:
                waited = decode_event(self._fold.kinds[record.topic], record.value)
            except BadInput as stale:  # it was good when it came: the rules have become stricter since
                self._reject(record, stale)
                continue
            if isinstance(waited, CodeIssued) or _names_another(waited, mentor):
                left_out.append(record)
            else:
                self._count(mentor, waited)
        if left_out:
            fault = OtherOrganisation(
                f"{len(left_out)} of the records that waited for code {code} named another organisation than its "
                f"own, {mentor.org_id}; they are left out of the counts"
            )
            self._reject(left_out[0], fault, records=len(left_out))

    def expire(self) -> None:
        """Turn waiting records that are too old into dead letters."""
        old = self._waiting.expire(now_ms=self._now_ms, age_ms=self._rules.waiting_age_ms, records_max=EXPIRED_PER_STEP)
        for record, fault in old:
            self._reject(record, fault)

    # -- counting ---------------------------------------------------------------------------------------------

    def _open(self, code: str) -> MentorCounts | None:
        """Return the mentor of a code, decoded once a step; None: not a code, or not issued in this partition."""
        mentor = self._mentors.get(code)
        if mentor is None:
            row = self._mentor_rows.get(code.encode())
            if row is not None:
                mentor = self._mentors[code] = decode_mentor(row)
        return mentor

    def _count(self, mentor: MentorCounts, event: Click | Registration) -> None:
        if isinstance(event, Registration):
            self._count_registration(mentor, event)
            return
        metadata = event.device_metadata
        place = place_of_channel(mentor, None if metadata is None else metadata.share_channel)
        mentor.by_channel[place].clicks += 1
        saw_event(mentor, event.occurred_at)

    def _count_registration(self, mentor: MentorCounts, event: Registration) -> None:
        key = pair_key(mentor.referral_code, event.new_member_id)
        row = self._members.get(key) or self._member_rows.get(key)
        if row is None:
            metadata = event.device_metadata
            place = place_of_channel(mentor, None if metadata is None else metadata.share_channel)
            before, pair = None, Pair(0, 0, place)
        else:
            pair = unpack_pair(row)
            before = pair.state
        state, decided_us = next_state(pair, event.status, event.occurred_at)
        saw_event(mentor, event.occurred_at)
        if row is not None and (state, decided_us) == (pair.state, pair.decided_us):
            return
        self._members[key] = pack_pair(Pair(state, decided_us, pair.channel))
        confirmed_before = mentor.confirmed_attributions
        if move_pair(mentor, pair.channel, before, state) > confirmed_before:
            self._reach(mentor, event)

    def _reach(self, mentor: MentorCounts, event: Registration) -> None:
        for threshold in newly_reached(mentor, self._rules.thresholds):
            reached = milestone_reached(mentor, threshold, event)
            self._outgoing.append(milestone_record(self._fold.milestones, mentor_key(mentor), reached))

    def _reject(self, record: Record, fault: BadInput, *, records: int = 1) -> None:
        self._outgoing.append(dead_letter(self._fold.dead_letters, record, fault, records=records))

    def changes(self) -> Changes:
        """Return what the step changed and wants sent; rows that came out as they were are left out."""
        changes = Changes(outgoing=self._outgoing)
        mentors: dict[bytes, bytes | None] = {}
        counts: dict[bytes, bytes] = {}
        for code, mentor in self._mentors.items():
            key = code.encode()
            row = encode_mentor(mentor)
            if row != self._mentor_rows.get(key):
                mentors[key] = row
                if mentor.last_event_at is not None:
                    counts[mentor_key(mentor)] = row
        if mentors:
            changes.rows[MENTORS] = mentors
        if counts:
            changes.latest[self._fold.mentor_counts] = counts
        if self._members:
            changes.rows[MEMBERS] = self._members
        if self._waiting.changed:
            changes.rows[WAITING] = self._waiting.changed
        if self._arrivals.changed:
            changes.rows[MOVES] = self._arrivals.changed
        return changes


def _looked_at(batch: Batch, events: list[Kind | None]) -> list[Kind | None]:
    """Leave records that were moved here to `take`: whether they came before stands in their headers."""
    for index in batch.with_header(MOVED_FROM):
        events[index] = None
    return events


def _names_another(event: Click | Registration, mentor: MentorCounts) -> bool:
    return event.org_id is not None and canonical_uuid(event.org_id) != mentor.org_id


def _check_organisation(event: Click | Registration, mentor: MentorCounts) -> None:
    if _names_another(event, mentor):
        raise OtherOrganisation(
            f"org_id {event.org_id} is not the organisation {mentor.org_id} of code {mentor.referral_code}"
        )
