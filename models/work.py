"""The fold at work: what has come of the batches of one partition since the rows were last changed.

A batch is folded in two gears: all its records at once where they are what they should be, which is nearly always, and
one by one from the first doubt, with every rule spelled out in `Work.take`. Whatever is opened stays open until
`changes` encodes it, once, however many events have changed it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import UUID

from msgspec.structs import replace

from models.changes import MEMBERS, MENTORS, MOVES, WAITING, Changes
from models.click_columns import ClickColumns
from models.codes import normalise_code
from models.columns import Kind, decode_batch
from models.counted import DEAD_LETTERS, MILESTONES, RECORDS, Counted, Disposition
from models.encoding import MentorRows
from models.erasures import NOT_COUNTED, MemberRows, erased_key, without_member
from models.errors import BadInput, CodeTaken, OtherOrganisation
from models.events import Click, CodeIssued, Erasure, MentorCounts, Registration, decode_event, decode_registration
from models.identifiers import canonical_uuid
from models.issues import standing_issue
from models.members import PENDING, Pair, pack_pair, pair_after, pair_key, pair_keys, unpack_pair
from models.mentors import (
    decode_mentor,
    mentor_key,
    move_pair,
    newly_reached,
    org_of,
    place_of_channel,
    saw_event,
)
from models.milestones import milestone_reached, milestone_record
from models.moves import Arrivals, origin_of
from models.outgoing import MOVED_FROM, dead_letter, moved
from models.partitioning import partition_of
from models.records import StoredRecord
from models.traces import TRACEPARENT, is_sampled, step_to, traceparent_of
from models.waiting import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.attribution import Attribution
    from models.outgoing import Outgoing
    from models.records import Batch, Record

EXPIRED_AT_ONCE: Final = 1_000
"""Waiting records that become dead letters in one go; the rest follow with the next."""

OPEN_BYTES: Final = {"mentor": 1_700, "clicks": 1_000, "member": 250, "record": 600}
"""What one takes until it is committed, about, with its row and keys: as tracemalloc saw 5,000 mentors, rounded up."""


class Work:
    """A fold that has begun: mentors opened, clicks in columns, members changed, records to be sent."""

    def __init__(self, fold: Attribution, rows: Mapping[str, Mapping[bytes, bytes]], *, partition: int) -> None:
        self._fold = fold
        self._mentor_rows = rows[MENTORS]
        self._members = MemberRows(rows[MEMBERS])
        self._waiting = WaitingRoom(rows[WAITING], records_max=fold.rules.waiting_records_max)
        self._arrivals = Arrivals(rows[MOVES])
        self._partition = partition
        self._now_ms = 0
        self._mentors: dict[str, MentorCounts] = {}
        self._clicks = ClickColumns()
        self._outgoing: list[Outgoing] = []
        self._encoded: MentorRows | None = None
        """None: it has not begun to end."""
        self._counted = Counted()
        self._others = 0
        """Records of the batch that are not simply counted."""
        self.oldest_waiting_ms: int | None = None
        """When the oldest waiting record came, as `expire` found; None: none waits, or it was not asked."""

    def fold(self, batch: Batch, *, now_ms: int) -> None:
        """Take a batch of the partition: consecutive records of one of the source topics, at this time."""
        self._now_ms = now_ms
        self._others = 0
        kind = self._fold.kinds[batch.topic]
        if kind is Click:
            self._take_clicks(batch)
        elif kind is Registration:
            self._take_registrations(batch)
        else:
            for index in range(len(batch)):
                self.take(batch.record(index))
        if len(batch) > self._others:
            self._counted.add(RECORDS, batch.topic, Disposition.COUNTED, number=len(batch) - self._others)

    @property
    def is_urgent(self) -> bool:
        """Tell whether something is to be sent that somebody waits for."""
        return bool(self._outgoing)

    @property
    def touched(self) -> int:
        """How many mentors `changes` will have to encode, at most, two members for one: what it takes time for."""
        return len(self._mentors) + len(self._clicks) + len(self._members.changed) // 2

    @property
    def size(self) -> int:
        """Bytes that it holds, about, with those of the rows that it will make."""
        return (
            len(self._mentors) * OPEN_BYTES["mentor"]
            + len(self._clicks) * OPEN_BYTES["clicks"]
            + len(self._members.changed) * OPEN_BYTES["member"]
            + len(self._outgoing) * OPEN_BYTES["record"]
            + self._waiting.bytes_changed
        )

    # -- the fast gear: a whole batch whose records are all what they should be ------------------------------

    def _take_clicks(self, batch: Batch) -> None:
        """Count a batch of clicks; those that need a closer look go through `take`, in their place."""
        index, orgs = self._clicks.index, self._clicks.orgs
        columns, latest = self._clicks.columns, self._clicks.latest
        for number, click in enumerate(_looked_at(batch, decode_batch(Click, batch.values()))):
            if click is None:
                self.take(batch.record(number))
                continue
            place = index.get(click.referral_code)
            if place is None:
                place = self._place(click)
            if place is None or (click.org_id is not None and click.org_id != orgs[place]):
                self.take(batch.record(number))
                continue
            metadata = click.device_metadata
            channel = None if metadata is None else metadata.share_channel
            column = columns.get(channel)
            if column is None and (column := self._clicks.add_column(channel)) is None:
                self.take(batch.record(number))
                continue
            column[place] += 1
            if click.occurred_at > latest[place]:  # noqa: PLR1730 - a call takes longer than all of this
                latest[place] = click.occurred_at

    def _place(self, click: Click) -> int | None:
        """Make a place among the columns for a click's mentor; None: `take` must see why it may not be counted."""
        code = click.referral_code
        if (mentor := self._mentors.get(code)) is not None:
            org_id = mentor.org_id
        elif (row := self._mentor_rows.get(code.encode())) is not None:
            org_id = org_of(row)
        else:
            return None
        if click.org_id is not None and click.org_id != org_id:
            return None
        return self._clicks.add_place(code, org_id, click.occurred_at)

    def _take_registrations(self, batch: Batch) -> None:
        """Count a batch of registrations; those that need a closer look go through `take`, in their place."""
        registrations = _looked_at(batch, decode_batch(Registration, batch.values()))
        keys = iter(pair_keys([(each.referral_code, each.new_member_id) for each in registrations if each is not None]))
        for index, registration in enumerate(registrations):
            if registration is None:
                self.take(batch.record(index))
                continue
            key = next(keys)
            mentor = self._open(registration.referral_code)
            if mentor is None or (registration.org_id is not None and registration.org_id != mentor.org_id):
                self.take(batch.record(index))
                continue
            sent = len(self._outgoing)
            if not self._count_registration(mentor, registration, key):
                self._note(batch.topic, Disposition.UNCHANGED)
            if len(self._outgoing) > sent:  # seldom, and then the record is made whole
                self._trace(sent, batch.record(index))

    def _trace(self, since: int, record: Record | StoredRecord) -> None:
        """Let what was sent since then belong to the trace of the record that caused it."""
        if (traceparent := traceparent_of(record.headers)) is None:
            return
        is_shown = self._fold.rules.traces and is_sampled(traceparent)
        for index in range(since, len(self._outgoing)):
            sent = self._outgoing[index]
            if is_shown:
                step = step_to(sent.value or b"", record, traceparent, at_ms=self._now_ms)
                sent = self._outgoing[index] = replace(sent, step=step)
            sent.headers.append((TRACEPARENT, traceparent if sent.step is None else sent.step.traceparent))

    def _note(self, topic: str, disposition: Disposition) -> None:
        """Count a record of the batch that is not simply counted."""
        self._others += 1
        self._counted.add(RECORDS, topic, disposition)

    # -- the slow gear: one record, every rule ---------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Do with one record what the contract says; what cannot be used becomes a dead letter."""
        kind = self._fold.kinds[record.topic]
        stands: str | None = None
        try:
            event = decode_registration(record.value) if kind is Registration else decode_event(kind, record.value)
            code = normalise_code(event.referral_code)
            if partition_of(code.encode(), self._fold.partitions) != self._partition:
                self._outgoing.append(moved(record, code))
                self._note(record.topic, Disposition.MOVED)
            elif (origin := origin_of(record)) is not None and not self._arrivals.is_new(origin):
                self._note(record.topic, Disposition.MOVED_BEFORE)
            elif isinstance(event, CodeIssued):
                self._issue(code, event)
                stands = code
            elif isinstance(event, Erasure):
                self._note(record.topic, Disposition.COUNTED if self._erase(code, event) else Disposition.UNCHANGED)
            elif isinstance(event, Registration) and self._members.is_erased(code, event.new_member_id):
                self._note(record.topic, Disposition.UNCHANGED)  # whatever it says: the id is to be kept nowhere
            elif (mentor := self._open(code)) is None:
                self._waiting.add(code, record, now_ms=self._now_ms)
                self._note(record.topic, Disposition.WAITING)
            else:
                _check_organisation(event, mentor)
                if not self._count(mentor, event, record):
                    self._note(record.topic, Disposition.UNCHANGED)
        except BadInput as fault:
            self._reject(record, fault)
            self._note(record.topic, Disposition.DEAD_LETTER)
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
                waited = decode_event(self._fold.kinds[record.topic], record.value)  # an erasure never waits
            except BadInput as stale:  # it was good when it came: the rules have become stricter since
                self._reject(record, stale)
                continue
            if isinstance(waited, CodeIssued) or _names_another(waited, mentor):
                left_out.append(record)
            else:
                self._count(mentor, waited, record)
        if left_out:
            fault = OtherOrganisation(
                f"{len(left_out)} of the records that waited for code {code} named another organisation than its "
                f"own, {mentor.org_id}; they are left out of the counts"
            )
            self._reject(left_out[0], fault, records=len(left_out))

    def _erase(self, code: str, event: Erasure) -> bool:
        """Let no row hold the member's id any more, and his pair stand still; False where nothing was left to do."""
        pair = UUID(event.erased_pair).bytes
        waited = self._waiting.replace(code, lambda record: without_member(record, code, pair))
        return self._members.erase(code, pair) or waited > 0

    def expire(self, *, now_ms: int) -> None:
        """Turn waiting records that are too old at this time into dead letters."""
        age_ms = self._fold.rules.waiting_age_ms
        for record, fault in self._waiting.expire(now_ms=now_ms, age_ms=age_ms, records_max=EXPIRED_AT_ONCE):
            self._reject(record, fault)
        self.oldest_waiting_ms = self._waiting.oldest_ms

    # -- counting ---------------------------------------------------------------------------------------------

    def _open(self, code: str) -> MentorCounts | None:
        """Return the mentor of a code, decoded once; None: not a code, or not issued in this partition."""
        mentor = self._mentors.get(code)
        if mentor is None:
            row = self._mentor_rows.get(code.encode())
            if row is not None:
                mentor = self._mentors[code] = decode_mentor(row)
        return mentor

    def _count(self, mentor: MentorCounts, event: Click | Registration, record: Record | StoredRecord) -> bool:
        """Count the event of a record; False where it says nothing new."""
        if isinstance(event, Registration):
            sent = len(self._outgoing)
            # It waited when its member was erased, came before that, and names his pseudonym.
            was_erased = isinstance(record, StoredRecord) and record.is_erased
            code, member_id = mentor.referral_code, event.new_member_id
            key = erased_key(code, UUID(member_id).bytes) if was_erased else pair_key(code, member_id)
            is_new = self._count_registration(mentor, event, key)
            if len(self._outgoing) > sent:
                self._trace(sent, record)
            return is_new
        metadata = event.device_metadata
        place = place_of_channel(mentor, None if metadata is None else metadata.share_channel)
        mentor.by_channel[place].clicks += 1
        saw_event(mentor, event.occurred_at)
        return True

    def _count_registration(self, mentor: MentorCounts, event: Registration, key: bytes) -> bool:
        """Count a registration, at the key of its pair's row; False where the pair is what it was."""
        members = self._members
        row = members.get(key)
        if row is None and members.is_erased(mentor.referral_code, event.new_member_id):
            return False
        if row is None or row[0] == NOT_COUNTED:
            metadata = event.device_metadata
            place = place_of_channel(mentor, None if metadata is None else metadata.share_channel)
            before, pair = None, Pair(PENDING, 0, place)
        else:
            pair = unpack_pair(row)
            before = pair.state
        after = pair_after(pair, event.status, event.occurred_at)
        saw_event(mentor, event.occurred_at)
        if after is pair and before is not None:
            return False
        members.changed[key] = pack_pair(after)
        confirmed_before = mentor.confirmed_attributions
        if move_pair(mentor, pair.channel, before, after.state) > confirmed_before:
            self._reach(mentor, event)
        return True

    def _reach(self, mentor: MentorCounts, event: Registration) -> None:
        for threshold in newly_reached(mentor, self._fold.thresholds):
            reached = milestone_reached(mentor, threshold, event)
            self._outgoing.append(milestone_record(self._fold.milestones, mentor_key(mentor), reached))
            self._counted.add(MILESTONES, str(threshold))

    def _reject(self, record: Record, fault: BadInput, *, records: int = 1) -> None:
        self._outgoing.append(dead_letter(self._fold.dead_letters, record, fault, records=records))
        self._counted.add(DEAD_LETTERS, type(fault).__name__)

    # -- the end ----------------------------------------------------------------------------------------------

    def encode(self, mentors_max: int) -> bool:
        """Encode so many of the mentors that `changes` needs encoded; False if none is left.

        Nothing is to be folded after the first call.
        """
        return sum(1 for _ in islice(self._ending().left, mentors_max)) == mentors_max

    def _ending(self) -> MentorRows:
        if self._encoded is None:
            self._encoded = MentorRows(self._mentors, self._clicks, self._mentor_rows)
        return self._encoded

    def changes(self) -> Changes:
        """Return what has changed and is to be sent, and end; rows that came out as they were are left out."""
        encoded = self._ending()
        for _ in encoded.left:
            pass
        changes = Changes(outgoing=self._outgoing, counted=self._counted.by_name)
        if encoded.rows:
            changes.rows[MENTORS] = encoded.rows
        if encoded.counts:
            changes.latest[self._fold.mentor_counts] = encoded.counts
        if self._members.changed:
            changes.rows[MEMBERS] = self._members.changed
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
