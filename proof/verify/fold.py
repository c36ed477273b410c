"""Rules 1 to 7 of the contract over one partition of the three source topics: records in, expectation out.

(Where the number of partitions has changed, over one class of partitions; see layouts.py.)

The topics are taken one after the other, codes first: what must come out does not depend on how they interleave, so
the oracle need not know. Inside a topic the order of offsets is kept, because it decides who owns a code that two
claim, and how many registrations were ever confirmed at a time.

Nothing is read or written here; what the program said of single records (its dead letters) is given, what is gone from
the topics, and what an earlier check has counted of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

from models.topics import CLICKS, REGISTRATIONS
from proof.verify import report
from proof.verify.events import (
    BAD_EVENT,
    Clicked,
    Erased,
    Issued,
    Registered,
    Unusable,
    clicked,
    issued,
    pair_of,
    registered,
)
from proof.verify.history import History
from proof.verify.layouts import Layouts
from proof.verify.pairs import Pair
from proof.verify.partitioning import home_of
from proof.verify.records import (
    NOTHING_BEFORE,
    Before,
    ChannelTally,
    DeadLetter,
    Owner,
    Place,
    Record,
    Tally,
    digest,
)
from proof.verify.removed import Removed
from proof.verify.report import APPLIED, DEAD_LETTER, DUPLICATE, IS_MOVED, WAITS, Difference, SourceTable, at

CODE_TAKEN = "CodeTaken"
OTHER_ORGANISATION = "OtherOrganisation"
WAITING_FULL = "WaitingFull"
GIVEN_UP = frozenset({WAITING_FULL, "WaitedTooLong"})
"""Dead letters of activity whose code was not issued in time: it does not count even if the code is issued later."""

CODES_REMEMBERED = 1_000_000
"""Codes whose partition is kept, to hash a busy code only once."""

DeadLetters = dict[Place, list[DeadLetter]]
"""By the place of the record that each is made of. The fold takes out what it expects; what stays is unexpected."""


class Moved(NamedTuple):
    """A record in a wrong partition: there must be one copy of it in the right one."""

    home: int
    code: str
    digest: bytes
    """Of the value alone: the copy has another key."""


class Copy(NamedTuple):
    """A moved copy, as it was found."""

    place: Place
    key: bytes | None
    digest: bytes
    again: bool = False


@dataclass(slots=True)
class Expectation:
    """What one partition must have led to."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    """By code, of every code issued."""
    sources: dict[str, SourceTable] = field(default_factory=lambda: defaultdict(SourceTable))
    moved: dict[Place, Moved] = field(default_factory=dict)
    copies: dict[str, list[Copy]] = field(default_factory=lambda: defaultdict(list))
    """By the place that each copy says it was moved from."""
    differences: list[Difference] = field(default_factory=list)
    dead_letters: int = 0
    """Records that must be dead letters."""
    waiting: frozenset[str] = frozenset()
    """Codes of which activity waits."""


Event = TypeVar("Event", bound=Issued | Clicked | Registered | Erased)


class PartitionFold:
    """The fold over one partition; `codes` first, then the other two in any order, then `finish`."""

    def __init__(
        self,
        partition: int,
        *,
        partitions: int,
        dead_letters: DeadLetters,
        owners_elsewhere: Mapping[str, Owner] | None = None,
        waiting_records_max: int | None = None,
        removed: Removed | None = None,
        before: Before = NOTHING_BEFORE,
        layouts: Layouts | None = None,
    ) -> None:
        """Prepare the fold.

        Args:
            partition: the one whose records are given, or the class of partitions.
            partitions: how many the source topics have.
            dead_letters: all that are made of records of this partition; what was expected is taken out.
            owners_elsewhere: owners of codes whose first issue compaction has removed.
            waiting_records_max: how many records of unknown codes may wait; None: not checked.
            removed: what is gone from the topics; None: nothing.
            before: what an earlier check has counted of it.
            layouts: how many they have had; None: always as many.

        """
        self._layouts = layouts or Layouts((), partitions)
        self._removed = Removed({}) if removed is None else removed
        self.history = History()
        """Takes in what happened when; somebody may give one that takes it in of several."""
        self._before = before
        self._partition = partition
        self._partitions = partitions
        self._dead_letters = dead_letters
        self._waiting_records_max = waiting_records_max
        self._homes: dict[tuple[str, int], int] = {}
        self._arrived: dict[tuple[int, int, str], int] = {}
        """The last copy that came to a partition from another, by the number of partitions there were."""
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._erased: dict[str, set[str]] = defaultdict(set)
        """By code: the pairs whose members were erased."""
        self._without_id: list[Record] = []
        """Of which a dead letter says that it does not name the member any more, because he was erased."""
        self._left_out: dict[str, list[Record]] = defaultdict(list)
        self._waiting_codes: set[str] = set()
        self._waiting: Counter[int] = Counter()
        """By the partition where they wait now."""
        self._could_wait = 0
        self._found_full = 0
        self._expected = Expectation()
        for code, owner in (owners_elsewhere or {}).items():
            self._expected.tallies[code] = self._tally(code, owner)

    def codes(self, records: Iterable[Record]) -> None:
        """Take the issued codes: the first issue of a code stands."""
        for record in records:
            event = self._usable(record, issued)
            if event is None:
                continue
            owner = Owner(event.org_id, event.mentor_id)
            standing = self._expected.tallies.get(event.code)
            if standing is None:
                self._expected.tallies[event.code] = self._tally(event.code, owner)
                self._dispose(record, APPLIED)
            elif standing.owner == owner:
                self._dispose(record, DUPLICATE)
            else:
                self._expect_dead_letter(record, {CODE_TAKEN})

    def clicks(self, records: Iterable[Record]) -> None:
        """Count the clicks: each record once (rule 7)."""
        for record in records:
            event = self._usable(record, clicked)
            if event is None:
                continue
            tally = self._counting(record, event)
            if tally is None:
                continue
            self.history.click(tally.owner.org_id, event.channel, event.at)
            if record.again and self._removed.records(record.topic, self._partition):
                self._removed.note_uncertain(record.topic, self._partition)  # the first copy may have been counted
            elif record.offset >= self._before.up_to(record.partition) or not tally.has_known_clicks:
                tally.clicks += 1
                _channel(tally, event.channel).clicks += 1
                _note_time(tally, event.at)
            self._dispose(record, APPLIED)

    def registrations(self, records: Iterable[Record]) -> None:
        """Follow each registration through its events (rule 1), until its member is erased."""
        for record in records:
            event = self._usable(record, registered)
            if event is None:
                continue
            if isinstance(event, Erased):
                if record.place in self._dead_letters:  # a worker older than erasures did not know it
                    self._expect_dead_letter(record, {BAD_EVENT})
                    continue
                self._dispose(record, DUPLICATE if event.pair in self._erased[event.code] else APPLIED)
                self._erased[event.code].add(event.pair)
                continue
            if self._is_erased(event):
                self._dispose(record, DUPLICATE)
                continue
            tally = self._counting(record, event)
            if tally is None:
                continue
            pair = self._pairs.get((event.code, event.member_id))
            if pair is None:
                pair = self._pairs[event.code, event.member_id] = Pair(event.channel)
            pair.name(event.channel)
            before = pair.state()
            is_new = pair.take(event.status, event.at)
            after = pair.state()
            _move(tally, pair.channel, before, after)
            if event.status == "confirmed":
                tally.confirmations.add((event.attribution_id, event.at))
            _note_time(tally, event.at)
            self._dispose(record, APPLIED if is_new else DUPLICATE)

    def finish(self) -> Expectation:
        """Return the expectation, after all records were taken."""
        for code, records in self._left_out.items():
            self._check_left_out(code, records)
        for record in self._without_id:
            if not self._is_erased(registered(record.value)):
                self._differ(report.DEAD_LETTERS, at(record.place), "other bytes", "key and value as received")
        for (code, _), known in self._pairs.items():
            self.history.pair(self._expected.tallies[code].owner.org_id, known)
        if self._waiting_records_max is not None:
            self._check_waiting(self._waiting_records_max)
        self._expected.waiting = frozenset(self._waiting_codes)
        return self._expected

    def _tally(self, code: str, owner: Owner) -> Tally:
        """Return the tally of a code that is issued, with what an earlier check has counted."""
        tally = Tally(
            code, owner, partition=self._partition, gone=self._removed.ever_counted(REGISTRATIONS.name, self._partition)
        )
        if self._before.offset and code not in self._before.waiting:
            tally.has_known_clicks = True
            tally.last_event_at = self._before.last_event_at.get(code)
            for name, clicks in self._before.clicks.get(code, {}).items():
                _channel(tally, name).clicks = clicks
                tally.clicks += clicks
        return tally

    def _check_waiting(self, limit: int) -> None:
        """Check that no more waits than may, and that nothing was refused while there was room in any case."""
        subject = f"partition {self._partition}"
        for partition, waiting in self._waiting.items():
            if waiting > limit:
                self._differ(report.WAITING, f"partition {partition}", f"{waiting:,} waiting", f"at most {limit:,}")
        gone = sum(self._removed.records(topic, self._partition) for topic in (CLICKS.name, REGISTRATIONS.name))
        if self._found_full and self._could_wait + gone < limit:
            found = f"{self._found_full:,} refused as {WAITING_FULL} though only {self._could_wait:,} others came"
            self._differ(report.WAITING, subject, found, f"none refused before {limit:,} wait")

    # What becomes of a record -----------------------------------------------------------------------------------------

    def _usable(self, record: Record, read: Callable[[bytes | None], Event]) -> Event | None:
        """Return the event if the record is usable and stands where its code belongs (rule 5, topics)."""
        self._expected.sources[record.topic].records += 1
        if record.moved_from is not None:
            copy = Copy(record.place, record.key, digest(None, record.value), record.again)
            self._expected.copies[record.moved_from].append(copy)
        try:
            event = read(record.value)
        except Unusable as verdict:
            self._expect_dead_letter(record, verdict.classes)
            return None
        partitions = self._layouts.partitions_at(*record.place)
        home = self._home(event.code, partitions)
        if home != record.partition:
            self._expected.moved[record.place] = Moved(home, event.code, digest(None, record.value))
            self._dispose(record, IS_MOVED)
            return None
        if record.moved_from is not None and not self._arrives(record, record.moved_from, partitions):
            self._dispose(record, DUPLICATE)
            return None
        return event

    def _arrives(self, record: Record, origin: str, partitions: int) -> bool:
        """Tell whether a copy is the first of its origin; of each partition copies come in the order of offsets.

        What came to a partition is known to those that were made of it.
        """
        place, _, offset = origin.rpartition("/")
        if not offset.isdecimal():
            return True
        for number in reversed(self._layouts.numbers):
            last = self._arrived.get((number, record.partition % number, place)) if number <= partitions else None
            if last is not None:
                if int(offset) <= last:
                    return False
                break
        self._arrived[partitions, record.partition, place] = int(offset)
        return True

    def _counting(self, record: Record, event: Clicked | Registered) -> Tally | None:
        """Return the tally that the event counts in; None where it waits or is left out (rules 3 and 4)."""
        letters = self._dead_letters.get(record[:3], [])
        is_full = bool(letters) and letters[0].error == WAITING_FULL
        self._found_full += is_full
        self._could_wait += not is_full
        if letters and letters[0].error in GIVEN_UP:
            self._expect_dead_letter(record, GIVEN_UP)
            if event.code in self._expected.tallies:
                self.history.unsure.add(self._expected.tallies[event.code].owner.org_id)
            return None
        tally = self._expected.tallies.get(event.code)
        if tally is None:
            self._waiting[self._home(event.code, self._partitions)] += 1
            self._waiting_codes.add(event.code)
            self._dispose(record, WAITS)
            return None
        if event.org_id is not None and event.org_id != tally.owner.org_id:
            self._left_out[event.code].append(record)
            self._dispose(record, DEAD_LETTER)
            return None
        return tally

    def _expect_dead_letter(self, record: Record, classes: Iterable[str]) -> None:
        """Take out the one dead letter that the record must have; say so if it is not there, or not right.

        One that says itself that it is sent once more counts only where there is no other.
        """
        self._dispose(record, DEAD_LETTER)
        self._expected.dead_letters += 1
        wanted = f"one dead letter: {' or '.join(sorted(classes))}"
        letters = self._dead_letters.pop(record.place, [])
        if not letters:
            if not self._removed.explains_missing_letter(report.DEAD_LETTERS, record.key):
                self._differ(report.DEAD_LETTERS, at(record.place), "none", wanted)
            return
        first = [letter for letter in letters if not letter.again] or letters[:1]
        if len(first) > 1:
            self._differ(report.DEAD_LETTERS, at(record.place), f"{len(first)} dead letters", wanted)
        for letter in letters:
            self._check_letter(record, letter, classes)

    def _check_letter(self, record: Record, letter: DeadLetter, classes: Iterable[str]) -> None:
        if letter.error not in classes:
            self._differ(report.DEAD_LETTERS, at(record.place), letter.error, " or ".join(sorted(classes)))
        if letter.erased and not letter.is_of(record) and record.topic == REGISTRATIONS.name:
            self._without_id.append(record)
        elif not letter.is_of(record):
            self._differ(report.DEAD_LETTERS, at(record.place), "other bytes", "key and value as received")

    def _check_left_out(self, code: str, records: list[Record]) -> None:
        """Compare what was left out of a code's counts with what its dead letters say.

        A record that came after its code has a dead letter of its own. Those that waited have one together, made of
        one of them, which says how many they are.
        """
        self._expected.dead_letters += len(records)
        told = told_again = 0
        for record in records:
            for letter in self._dead_letters.pop(record.place, []):
                self._check_letter(record, letter, {OTHER_ORGANISATION})
                told += 0 if letter.again else letter.records
                told_again += letter.records if letter.again else 0
        missing, surplus = len(records) - told_again - told, told - len(records)
        if (missing > 0 and not self._is_told_elsewhere(records, missing)) or (
            surplus > 0 and not self._has_gone(records, surplus)
        ):
            wanted = f"{len(records)} records that name another organisation"
            self._differ(report.DEAD_LETTERS, f"code {code}", f"dead letters for {told}", wanted)

    def _is_told_elsewhere(self, records: list[Record], missing: int) -> bool:
        """Tell whether a dead letter of a record that is gone may stand for these, or theirs is gone."""
        places = {self._removed.pool((record.topic, self._partition)) for record in records}
        for place in places:
            if self._removed.left_out[place] >= missing:
                self._removed.left_out[place] -= missing
                return True
        return self._removed.explains_missing_letter(report.DEAD_LETTERS, records[0].key, missing)

    def _has_gone(self, records: list[Record], surplus: int) -> bool:
        """Tell whether so many records may be gone that a dead letter of one that is there stands for too."""
        topics = {record.topic for record in records} | {CLICKS.name, REGISTRATIONS.name}
        return sum(self._removed.records(topic, self._partition) for topic in topics) >= surplus

    def _is_erased(self, event: Registered | Erased) -> bool:
        if isinstance(event, Erased):
            return False
        return event.code in self._erased and pair_of(event.code, event.member_id) in self._erased[event.code]

    # Small things -----------------------------------------------------------------------------------------------------

    def _home(self, code: str, partitions: int) -> int:
        home = self._homes.get((code, partitions))
        if home is None:
            home = home_of(code, partitions)
            if len(self._homes) < CODES_REMEMBERED:
                self._homes[code, partitions] = home
        return home

    def _dispose(self, record: Record, disposition: str) -> None:
        self._expected.sources[record.topic].dispositions[disposition] += 1

    def _differ(self, check: str, subject: str, found: str, wanted: str) -> None:
        self._expected.differences.append(Difference(check, subject, found, wanted))


def _channel(tally: Tally, name: str) -> ChannelTally:
    channel = tally.channels.get(name)
    if channel is None:
        channel = tally.channels[name] = ChannelTally()
    return channel


def _move(tally: Tally, name: str, before: str | None, after: str | None) -> None:
    """Move a registration from one count to another; a threshold is reached by the peak of the confirmed (rule 2)."""
    channel = _channel(tally, name)
    if before == after:
        return
    for state, by in ((before, -1), (after, +1)):
        if state == "pending":
            tally.pending += by
            channel.pending += by
        elif state == "confirmed":
            tally.confirmed += by
            channel.confirmed += by
    tally.peak = max(tally.peak, tally.confirmed)


def _note_time(tally: Tally, at: datetime) -> None:
    if tally.last_event_at is None or at > tally.last_event_at:
        tally.last_event_at = at
