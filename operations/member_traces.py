"""Where a member's id stands on Kafka: source records, dead letters, and the changelogs of the stream app's rows.

Everything is read from its beginning, because an id may stand anywhere: in rows whose records have expired, in a dead
letter, in a record that is no event at all. No other topic has ids of members: not counts, not milestones. Postgres has
none either (migration 0028).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from models.changes import MEMBERS, WAITING
from models.codes import normalise_code
from models.dead_letters import letter_of
from models.erasures import code_of_row, erased_key, pair_name, pseudonym
from models.errors import BadInput
from models.events import Erasure, decode_registration
from models.partition_changes import Homes
from models.topics import DEAD_LETTERS, REGISTRATIONS
from operations.partition_changes import homes
from operations.reading import Place, TopicReader, content, place_of, record_of, time_of_record
from process.headers import headers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import Message

    from operations.reading import Spans
    from process.settings import Settings

TOLD_EVERY: Final = 5_000
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


class What(StrEnum):
    """What it is that has the id."""

    EVENT = "registrations"
    """Registrations of the member."""
    OTHER = "other records"
    """Records of the registrations topic that name him and are no usable registration of his."""
    LETTER = "dead letters"
    ROW = "rows of members"
    TOMBSTONE = "rows of members that were deleted"
    WAITING = "rows that wait"


class Trace(NamedTuple):
    """A record that has the id."""

    what: What
    place: Place
    at: datetime | None
    """When it was written, as it says itself."""
    superseded_at: datetime | None = None
    """Of a changelog: when the key's next record was written; None: it is the key's last one, or of no changelog."""


@dataclass(slots=True)
class UnderCode:
    """What there is of the member under a code."""

    code: str
    pair: bytes
    """The pseudonym."""
    events: int = 0
    """Registrations of his in the topic."""
    came: list[tuple[int, int]] = field(default_factory=list)
    """Of those that lay where the code belonged when they came: their order (models/partition_changes.py)."""
    erased: tuple[int, int] | None = None
    """The order of the first erasure that lay there."""
    letters: int = 0
    erasure: Place | None = None
    """The first erasure of the pair in the topic."""
    is_row: bool = False
    """The stream app has a row that names him."""
    waits: int = 0
    """So many records that name him wait for the code."""
    is_erased_row: bool = False
    """The stream app has the row that stands for the erased pair."""

    @property
    def came_after(self) -> int:
        """How many of his registrations came after the erasure: somebody sends them still."""
        return 0 if self.erased is None else sum(order > self.erased for order in self.came)

    @property
    def is_to_be_erased(self) -> bool:
        """Whether an erasure is missing, or has not reached everything."""
        return self.erasure is None or self.is_row or self.waits > 0

    @property
    def is_done(self) -> bool:
        """Whether the stream app has done what the erasure says."""
        return self.is_erased_row and not self.is_row and not self.waits

    @property
    def name(self) -> str:
        """Return the pseudonym as events and tables write it."""
        return pair_name(self.pair)


@dataclass(slots=True)
class _Changelogs:
    """What changelogs say so far."""

    read_to: dict[tuple[str, int], int] = field(default_factory=dict)
    last: dict[tuple[str, int, bytes], Trace | None] = field(default_factory=dict)
    """The trace of a key's last record; None: it does not name the member, and one before did."""
    erased: set[bytes] = field(default_factory=set)
    """Keys of all rows that stand for erased pairs."""


class MemberTraces:
    """Looks for one member in one installation."""

    def __init__(
        self, settings: Settings, member_id: str, *, progress: Callable[[int, int], None] = lambda _done, _of: None
    ) -> None:
        """Make it without connecting.

        Args:
            settings: the installation's.
            member_id: whom to look for; a UUID in its usual form.
            progress: told records that are read, and how many there are at most.

        """
        self._reader = TopicReader(settings, name="erase-member")
        self._progress = progress
        self._member_id = member_id.lower()
        self._text = self._member_id.encode()
        self._bytes = UUID(member_id).bytes
        self._registrations = REGISTRATIONS.full_name(settings.topic_prefix)
        self._letters = DEAD_LETTERS.full_name(settings.topic_prefix)
        self._members, self._waiting = (f"{settings.app_id}-{table}-changelog" for table in (MEMBERS, WAITING))
        self._homes = Homes((), 1)
        self._settings = settings
        self._changelogs = _Changelogs()
        self.codes: dict[str, UnderCode] = {}
        self.traces: list[Trace] = []
        """Of what is in topics; those of changelogs that were superseded too."""

    def close(self) -> None:
        """Let the connections go."""
        self._reader.close()

    @property
    def topics(self) -> set[str]:
        """Return the topics that have the id, by their full names."""
        return {trace.place.topic for trace in self.standing()}

    def standing(self) -> list[Trace]:
        """Return everything that has the id, found so far."""
        return [*self.traces, *(trace for trace in self._changelogs.last.values() if trace is not None)]

    def look(self) -> None:
        """Read everything; raise operations.reading.CannotRead."""
        partitions = self._reader.partitions([self._registrations, self._letters])
        self._homes = homes(self._settings, partitions[self._registrations], reader=self._reader)
        for message in self._messages(self._registrations, partitions[self._registrations]):
            self._take_registration(message)
        for message in self._messages(self._letters, partitions[self._letters]):
            self._take_letter(message)
        self.look_at_rows()

    def look_at_rows(self) -> None:
        """Read what is new in the changelogs since the last look; raise operations.reading.CannotRead."""
        names = [name for name in (self._members, self._waiting) if self._reader.stands(name)]
        for name, count in self._reader.partitions(names).items():
            spans = self._reader.spans([(name, number) for number in range(count)])
            known = self._changelogs.read_to
            unread = {at: span._replace(first=max(span.first, known.get(at, 0))) for at, span in spans.items()}
            for message in self._read(unread):
                self._take_row(message)
            known.update({at: span.end for at, span in spans.items()})
        self._judge_rows()

    def _messages(self, topic: str, partitions: int) -> Iterator[Message]:
        yield from self._read(self._reader.spans([(topic, number) for number in range(partitions)]))

    def _read(self, spans: Spans) -> Iterator[Message]:
        total = sum(max(span.end - span.first, 0) for span in spans.values())
        for number, message in enumerate(self._reader.read(spans)):
            if number % TOLD_EVERY == 0:
                self._progress(number, total)
            yield message

    def _names_him(self, message: Message) -> bool:
        """Tell whether anything in a record is the id, in either case."""
        parts = [content(message.key()), content(message.value()), *(value for _, value in headers_of(message))]
        return any(self._text in part.lower() for part in parts if part)

    def _under(self, code: str) -> UnderCode:
        under = self.codes.get(code)
        if under is None:
            under = self.codes[code] = UnderCode(code, pseudonym(code, self._member_id))
        return under

    def _take_registration(self, message: Message) -> None:
        value = content(message.value()) or b""
        is_named = self._names_him(message)
        if not is_named and b'"erased_pair"' not in value:
            return
        place, at = place_of(message), time_of_record(message)
        try:
            event = decode_registration(value)
        except BadInput:
            if is_named:
                self.traces.append(Trace(What.OTHER, place, at))
            return
        code = normalise_code(event.referral_code)
        if isinstance(event, Erasure):
            if UUID(event.erased_pair).bytes == pseudonym(code, self._member_id):
                under = self._under(code)
                under.erasure = under.erasure or place
                if self._homes.is_at_home(*place, code):
                    order = self._homes.order(*place)
                    under.erased = min(under.erased or order, order)
            return
        if event.new_member_id.lower() != self._member_id:
            self.traces.append(Trace(What.OTHER, place, at))
            return
        under = self._under(code)
        under.events += 1
        if self._homes.is_at_home(*place, code):
            under.came.append(self._homes.order(*place))
        self.traces.append(Trace(What.EVENT, place, at))

    def _take_letter(self, message: Message) -> None:
        if not self._names_him(message):
            return
        self.traces.append(Trace(What.LETTER, place_of(message), time_of_record(message)))
        letter = letter_of(record_of(message), time_of_record(message))
        if letter.source_topic != self._registrations:
            return
        try:
            event = decode_registration(letter.value)
        except BadInput:
            return
        if not isinstance(event, Erasure) and event.new_member_id.lower() == self._member_id:
            self._under(normalise_code(event.referral_code)).letters += 1

    def _take_row(self, message: Message) -> None:
        place, at = place_of(message), time_of_record(message)
        key, row = content(message.key()) or b"", content(message.value())
        known = self._changelogs
        if place.topic == self._members:
            is_named = key.endswith(self._bytes) and code_of_row(key) is not None
            if not is_named and row is not None and code_of_row(key) is None:
                known.erased.add(key)
            what = What.TOMBSTONE if row is None else What.ROW
        else:
            is_named = row is not None and self._text in row.lower()
            what = What.WAITING
        its_key = (place.topic, place.partition, key)
        before = known.last.get(its_key)
        if before is not None:
            self.traces.append(before._replace(superseded_at=at or before.at or _EARLIEST))
        if is_named or its_key in known.last:
            known.last[its_key] = Trace(what, place, at) if is_named else None

    def _judge_rows(self) -> None:
        """Say of each code what the rows are now."""
        rows, waiting = Counter[str](), Counter[str]()
        for (topic, _, key), trace in self._changelogs.last.items():
            if trace is None or trace.what is What.TOMBSTONE:
                continue
            if topic == self._members:
                rows[code := code_of_row(key) or ""] += 1
            else:
                waiting[code := key.partition(b"/")[0].decode()] += 1
            self._under(code)
        for code, under in self.codes.items():
            under.is_row = rows[code] > 0
            under.waits = waiting[code]
            under.is_erased_row = erased_key(code, under.pair) in self._changelogs.erased
