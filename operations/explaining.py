"""From an award back to its milestone, to the registration that crossed the threshold, and to the clicks before it.

Postgres says what was awarded and decided; the topics say why: of each milestone its record, the registration that made
the count with its coordinates, and those before it. What retention has removed is said to be gone. Nothing here decides
or changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from models.badges import decode_milestone
from models.codes import normalise_code
from models.errors import BadCode, BadInput
from models.events import Click, Registration, decode_event, decode_registration
from models.evidence import Evidence
from models.missing_badges import Standing, WhyNot, why_not
from models.partitioning import partition_of
from models.topics import CLICKS, MILESTONES, REGISTRATIONS
from operations.partition_changes import homes
from operations.reading import Place, TopicReader, content, place_of, record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from confluent_kafka import Message

    from models.badges import BadgeDefinition
    from models.events import MilestoneReached
    from models.evidence import Crossing
    from operations.mentor_rows import MentorRows
    from operations.tables import Row
    from process.settings import Settings

TOLD_EVERY: Final = 5_000
"""Records between two calls of `progress`."""


class _Named(msgspec.Struct, gc=False):
    referral_code: Any = None


_named: Final = msgspec.json.Decoder(_Named).decode


@dataclass(slots=True)
class Topics:
    """What the topics say of a mentor."""

    milestones: dict[int, tuple[Place, MilestoneReached]] = field(default_factory=dict)
    """By threshold, with the first record of each."""
    evidence: Evidence | None = None
    """None: he has no code."""
    registrations: str = ""
    """Full name of the topic."""
    clicks: str = ""
    gone: dict[str, int] = field(default_factory=dict)
    """Offset at which the code's partition begins, of each topic of which retention has removed something."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """A badge of the mentor's organisation, his or not."""

    definition: BadgeDefinition
    award: Row | None
    why_not: WhyNot | None
    """None: it is his."""
    decisions: list[Row]
    """What was decided about it, by milestone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Milestone:
    """A milestone, from the table or the topic, and what it came of."""

    threshold: int
    milestone_id: str
    confirmed_count: int
    attribution_id: str
    reached_at: datetime
    row: Row | None
    """As the badge consumer has recorded it; None: it has not."""
    record: Place | None
    """In the milestones topic; None: it was not looked for, or is not there."""
    crossing: Crossing | None
    """None: it was not looked for, or its registration is not in the topic any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What is known of a mentor in one organisation, and why."""

    rows: MentorRows
    topics: Topics | None
    """None: only the tables were asked."""
    badges: list[Badge]
    milestones: list[Milestone]


class MentorTopics:
    """Reads what the topics of one installation say of a mentor; the whole of the partitions where he belongs."""

    def __init__(self, settings: Settings, *, progress: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Make it without connecting; `progress` is told offsets that are read, and how many there are."""
        self._settings = settings
        self._reader = TopicReader(settings, name="explain")
        self._milestones, self._registrations, self._clicks = (
            topic.full_name(settings.topic_prefix) for topic in (MILESTONES, REGISTRATIONS, CLICKS)
        )
        self._progress = progress

    def close(self) -> None:
        """Let the connections go."""
        self._reader.close()

    def read(self, rows: MentorRows) -> Topics:
        """Return what they say of the mentor of these rows; raise operations.reading.CannotRead."""
        found = Topics(registrations=self._registrations, clicks=self._clicks)
        partitions = self._reader.partitions([self._milestones, self._registrations, self._clicks])
        key = f"{rows.org_id}:{rows.mentor_id}".encode()
        for message in self._messages([(self._milestones, partition_of(key, partitions[self._milestones]))], found):
            if message.key() == key:
                self._take_milestone(message, found)
        if rows.code is None:
            return found
        code = rows.code["referral_code"]
        wanted = {row["attribution_id"] for row in rows.milestones}
        wanted |= {milestone.attribution_id for _, milestone in found.milestones.values()}
        found.evidence = Evidence(rows.org_id, code, wanted=frozenset(wanted))
        belongs = homes(self._settings, partitions[self._registrations], reader=self._reader)
        for topic, kind in ((self._registrations, Registration), (self._clicks, Click)):
            for number in belongs.of(code):
                for message in self._messages([(topic, number)], found):
                    if belongs.is_at_home(*place_of(message), code):
                        _take(message, kind, code, found.evidence)
        found.evidence.forget_erased()
        return found

    def _take_milestone(self, message: Message, found: Topics) -> None:
        try:
            milestone = decode_milestone(content(message.value()))
        except BadInput:
            return  # a dead letter of the badge consumer
        found.milestones.setdefault(milestone.milestone_threshold, (place_of(message), milestone))

    def _messages(self, places: list[tuple[str, int]], found: Topics) -> Iterator[Message]:
        """Yield what there is of the partitions."""
        spans = self._reader.spans(places)
        found.gone |= {topic: span.first for (topic, _), span in spans.items() if span.first}
        total = sum(span.end - span.first for span in spans.values())
        for number, message in enumerate(self._reader.read(spans)):
            if number % TOLD_EVERY == 0:
                self._progress(number, total)
            yield message


def _take(message: Message, kind: type[Registration | Click], code: str, evidence: Evidence) -> None:
    """Give a record to the evidence if it is of the code, whatever its key is."""
    value = content(message.value())
    try:
        named = _named(value or b"").referral_code
        if not isinstance(named, str) or normalise_code(named) != code:
            return
        event = decode_registration(value) if kind is Registration else decode_event(kind, value)
    except (BadCode, BadInput, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return  # a dead letter
    evidence.take(record_of(message), event)


def explain(rows: MentorRows, topics: Topics | None) -> Explanation:
    """Put together what tables and topics say."""
    milestones = _milestones(rows, topics)
    counts = rows.counts or {}
    standing = Standing(
        confirmed=counts.get("confirmed_attributions", 0),
        pending=counts.get("pending_attributions", 0),
        announced=rows.announced,
        recorded={row["milestone_threshold"]: (row["confirmed_count"], row["state"]) for row in rows.milestones},
        published={each.threshold: each.confirmed_count for each in milestones if each.record is not None},
        is_forged=rows.is_forged,
    )
    badges = []
    for definition in rows.definitions:
        award = rows.awards.get(definition.badge_id)
        badges.append(
            Badge(
                definition=definition,
                award=award,
                why_not=None if award is not None else why_not(definition, standing),
                decisions=[row for row in rows.decisions if row["badge_id"] in {definition.badge_id, None}],
            )
        )
    return Explanation(rows=rows, topics=topics, badges=badges, milestones=milestones)


def _milestones(rows: MentorRows, topics: Topics | None) -> list[Milestone]:
    """Return the milestones that the table or the topic has, by threshold."""
    recorded = {row["milestone_threshold"]: row for row in rows.milestones}
    published = topics.milestones if topics is not None else {}
    crossings = topics.evidence.crossings if topics is not None and topics.evidence is not None else {}
    found = []
    for threshold in sorted({*recorded, *published}):
        row = recorded.get(threshold)
        said: Row = row or msgspec.structs.asdict(published[threshold][1])
        found.append(
            Milestone(
                threshold=threshold,
                milestone_id=said["milestone_id"],
                confirmed_count=said["confirmed_count"],
                attribution_id=said["attribution_id"],
                reached_at=said["reached_at"],
                row=row,
                record=published[threshold][0] if threshold in published else None,
                crossing=crossings.get(said["attribution_id"]),
            )
        )
    return found
