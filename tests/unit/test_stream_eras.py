"""Counted anew after changes of the number of partitions: the rows, counts and milestones that there were."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import pytest
from msgspec import json, msgpack

from models.attribution import Attribution, Rules
from models.changes import MEMBERS, MENTORS, MOVES, WAITING, Changes
from models.events import MilestoneReached
from models.outgoing import Outgoing
from models.partition_changes import PartitionChange, encode_change
from models.partitioning import partition_of
from models.resharding import spread
from models.topics import PARTITION_CHANGES
from streams import beginning, eras
from streams.beginning import Beginnings
from streams.engine.batch import RecordBatch, Rows, SourceRecord
from streams.engine.errors import CannotWork
from streams.engine.options import EngineOptions
from streams.eras import Anew
from tests.factories import (
    CLICKS_TOPIC,
    CODES_TOPIC,
    PREFIX,
    REGISTRATIONS_TOPIC,
    Event,
    by_channel,
    encode,
    make_click,
    make_code_issued,
    make_erasure,
    make_registration,
    topic_of,
    uuid,
)
from tests.unit.models.stream import Stream

SOURCE_TOPICS: Final = (CODES_TOPIC, CLICKS_TOPIC, REGISTRATIONS_TOPIC)
CODES: Final = [f"CQDE{number:04d}" for number in range(40)]
MENTOR_OF: Final = {code: uuid(number) for number, code in enumerate(CODES)}
NUMBERS: Final = (2, 6, 12)
RULES: Final = Rules(topic_prefix=PREFIX, thresholds=(1, 2, 3))

Place = tuple[str, int]


class FakeMessage:
    """A record as confluent-kafka gives it."""

    def __init__(
        self, place: Place, offset: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, Any]]
    ) -> None:
        self._place, self._offset, self._key, self._value, self._headers = place, offset, key, value, headers

    def topic(self) -> str:
        """Return the topic."""
        return self._place[0]

    def offset(self) -> int:
        """Return the offset."""
        return self._offset

    def key(self) -> bytes | None:
        """Return the key."""
        return self._key

    def value(self) -> bytes | None:
        """Return the value."""
        return self._value

    def timestamp(self) -> tuple[int, int]:
        """Return a time."""
        return 1, 1_700_000_000_000

    def headers(self) -> list[tuple[str, Any]]:
        """Return the headers."""
        return list(self._headers)


class Installation:
    """Source topics with their records, and workers that read them in any order, under one number after the other."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.stream = Stream(RULES, partitions=NUMBERS[0])
        self.logs: dict[Place, list[SourceRecord]] = {}
        self.at: Counter[Place] = Counter()
        self.changes: list[PartitionChange] = []
        self.announced: list[Outgoing] = []
        self.removed: Counter[Place] = Counter()
        """Of each partition the offset of the first record that is still there."""

    @property
    def partitions(self) -> int:
        """How many there are now."""
        return len(self.stream.rows)

    def send(self, code: str, event: Event) -> None:
        """Let a producer write; one in ten knows no partition."""
        place = partition_of(code.encode(), self.partitions)
        if self.chance.random() < 0.1:
            place = self.chance.randrange(self.partitions)
        self._append(topic_of(event), place, code.encode(), encode(event), ())

    def _append(
        self, topic: str, number: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, Any]]
    ) -> None:
        log = self.logs.setdefault((topic, number), [])
        log.append(SourceRecord(topic, number, len(log), 1_700_000_000_000, key, value, tuple(headers)))

    def work(self, *, records_max: int | None = None) -> None:
        """Let workers read until everything is read, or so many records at least."""
        done = 0
        while places := [place for place, log in self.logs.items() if self.at[place] < len(log)]:
            place = self.chance.choice(sorted(places))
            log, at = self.logs[place], self.at[place]
            run = log[at : at + self.chance.randrange(1, 40)]
            self.stream.take(*run)
            self.at[place] += len(run)
            done += len(run)
            for sent in self.stream.sent_to_sources():
                assert sent.key is not None
                home = partition_of(sent.key, self.partitions)
                self._append(sent.topic, home, sent.key, sent.value, sent.headers)
            self.announced += [
                each for each in self.stream.outgoing if each.topic == self.stream.attribution.milestones
            ]
            self.stream.outgoing.clear()
            if records_max is not None and done >= records_max:
                return

    def change(self, partitions: int) -> None:
        """Lay everything out anew, as it stands."""
        former = self.partitions
        after = Stream(RULES, partitions=partitions)
        after.published = self.stream.published
        for number, rows in enumerate(self.stream.rows):
            for home, belonging in spread(rows, number, former=former, partitions=partitions).items():
                after.rows[home] = belonging
        self.stream = after
        read_to = {topic: [self.at[topic, number] for number in range(former)] for topic in SOURCE_TOPICS}
        self.changes.append(
            PartitionChange(
                number=len(self.changes) + 1, former=former, partitions=partitions, read_to=read_to, is_done=True
            )
        )

    def options(self) -> EngineOptions:
        """Return the wiring."""
        return EngineOptions(
            app_id="app",
            source_topics=SOURCE_TOPICS,
            read_first=CODES_TOPIC,
            tables=tuple(self.stream.rows[0]),
            partitions=self.partitions,
        )

    def read_topics(
        self, _options: EngineOptions, topics: Sequence[str], start: dict[Place, int]
    ) -> Iterator[FakeMessage]:
        """Yield what there is of topics, from where it was read to."""
        attribution = self.stream.attribution
        counts = self.stream.published.items()
        kept: dict[str, list[FakeMessage]] = {
            PARTITION_CHANGES.full_name(PREFIX): [
                FakeMessage(("", 0), 0, change.key, encode_change(change), ()) for change in self.changes
            ],
            attribution.milestones: [
                FakeMessage((attribution.milestones, 0), 0, each.key, each.value, ()) for each in self.announced
            ],
            attribution.mentor_counts: [
                FakeMessage((attribution.mentor_counts, 0), 0, key, value, ()) for key, value in counts
            ],
            CODES_TOPIC: [
                FakeMessage((CODES_TOPIC, 0), 0, record.key, record.value, record.headers)
                for (topic, _), log in self.logs.items()
                if topic == CODES_TOPIC
                for record in log
            ],
        }
        del start
        for topic in topics:
            yield from kept[topic]

    def read_to_end(
        self, _options: EngineOptions, places: Sequence[Place], *, start: Mapping[Place, int]
    ) -> Iterator[tuple[Place, FakeMessage]]:
        """Yield what there is of a partition."""
        for place in places:
            for record in self.logs.get(place, [])[max(start[place], self.removed[place]) :]:
                yield place, FakeMessage(place, record.offset, record.key, record.value, record.headers)

    def anew(self) -> Anew:
        """Return what a rebuild begins with."""
        options = self.options()
        return Anew(options, Beginnings(options, PREFIX), lambda partitions: Attribution(RULES, partitions=partitions))

    def rebuild(self, numbers: Sequence[int]) -> list[Outgoing]:
        """Count partitions anew, and let workers go on; return the milestones that came of the beginning."""
        anew = self.anew()
        sent: list[Outgoing] = []
        for number in anew.together(numbers):
            anew.prepare(number)
            begun = anew.begin(number)
            self.stream.rows[number] = {table: dict(begun.rows.get(table, {})) for table in self.stream.rows[number]}
            for topic in SOURCE_TOPICS:
                self.at[topic, number] = begun.positions.get(topic, 0)
            sent += cast("Sequence[Outgoing]", begun.outgoing)
        self.announced += sent
        self.work()
        return sent

    def kept(self) -> list[dict[str, Any]]:
        """Return the rows, but for what the order of the topics decides: who waits in which place, and since when."""
        return [
            {
                MENTORS: {code: json.decode(row) for code, row in rows[MENTORS].items()},
                MEMBERS: rows[MEMBERS],
                MOVES: rows[MOVES],
                WAITING: Counter(
                    (key[:8], *msgpack.decode(row)[:3]) for key, row in rows[WAITING].items() if b"/" in key
                ),
            }
            for rows in self.stream.rows
        ]


def drawn(chance: random.Random, count: int, issued: list[str]) -> Iterator[tuple[str, Event]]:
    """Yield what producers send: codes that are issued now and then, also to somebody else, and all that members do."""
    for minute in range(count):
        code, member = chance.choice(CODES), chance.randrange(1, 5)
        status = chance.choice(["pending_signup", "confirmed", "confirmed", "withdrawn"])
        channel = by_channel(chance.choice(["sms", "email", "whatsapp"]))
        organisation = {} if chance.random() < 0.9 else {"org_id": uuid(77)}
        kind = chance.random()
        if kind < 0.1 and len(issued) < len(CODES) - 5:
            issued.append(code)
            yield code, make_code_issued(code, mentor_id=MENTOR_OF[code])
        elif kind < 0.12 and code in issued:
            yield code, make_code_issued(code, mentor_id=uuid(500))
        elif kind < 0.45:
            yield code, make_click(code, **channel, **organisation)
        elif kind < 0.95:
            yield code, make_registration(member, status, minute % 600, referral_code=code, **channel, **organisation)
        else:
            yield code, make_erasure(member, code)


def of_milestones(records: Sequence[Outgoing]) -> Counter[tuple[bytes | None, int]]:
    """Return how often each was announced."""
    decode = json.Decoder(MilestoneReached).decode
    return Counter((each.key, decode(each.value or b"").milestone_threshold) for each in records)


@pytest.fixture
def installed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Give an installation in which a programme has run through two changes, some records unread at each."""
    chance = random.Random(getattr(request, "param", 0))
    made = Installation(chance)
    monkeypatch.setattr(beginning, "read_topics", made.read_topics)
    monkeypatch.setattr(eras, "read_to_end", made.read_to_end)
    issued: list[str] = []
    for partitions in (*NUMBERS[1:], None):
        for code, event in drawn(chance, 700, issued):
            made.send(code, event)
            if chance.random() < 0.05:
                made.work(records_max=50)
        if partitions is None or chance.random() < 0.5:
            made.work()
        if partitions is not None:
            made.change(partitions)
    return made


@pytest.mark.parametrize("installed", range(4), indirect=True)
@pytest.mark.parametrize("numbers", [range(NUMBERS[-1]), [3]], ids=["all", "one class"])
def test_the_same_comes_of_it(installed: Installation, numbers: Sequence[int]) -> None:
    """Every row and count is what it was; nothing is announced again."""
    before, announced = installed.kept(), of_milestones(installed.announced)
    published = dict(installed.stream.published)
    assert installed.rebuild(numbers) == []
    assert installed.kept() == before
    assert of_milestones(installed.announced) == announced
    assert set(announced.values()) == {1}
    assert {key: json.decode(row) for key, row in installed.stream.published.items()} == {
        key: json.decode(row) for key, row in published.items()
    }


def test_what_was_due_and_never_announced_is_sent_once(installed: Installation) -> None:
    """Somebody has emptied the milestones topic and the counts': what was reached is announced, each once."""
    reached = of_milestones(installed.announced)
    assert reached
    installed.announced.clear()
    for key, row in installed.stream.published.items():
        installed.stream.published[key] = json.encode(json.decode(row) | {"milestones": []})
    sent = installed.rebuild(range(NUMBERS[-1]))
    assert sent
    assert of_milestones(installed.announced) == reached


def test_what_is_announced_while_it_is_counted_is_not_sent_again(installed: Installation) -> None:
    """The partition's owner works on until he is fenced."""
    meanwhile = list(installed.announced)
    installed.announced.clear()
    for key, row in installed.stream.published.items():
        installed.stream.published[key] = json.encode(json.decode(row) | {"milestones": []})
    anew = installed.anew()
    anew.prepare(0)
    installed.announced += meanwhile
    assert list(anew.begin(0).outgoing) == []


def test_a_class_is_counted_anew_together(installed: Installation) -> None:
    """The partitions that were one, whichever of them is named; without changes each by itself."""
    anew = installed.anew()
    assert anew.together([4, 0]) == [0, 2, 4, 6, 8, 10]
    assert anew.together([1, 2]) == [*range(0, 12, 2), *range(1, 12, 2)]
    installed.changes.clear()
    assert installed.anew().together([4, 0]) == [0, 4]


def test_a_change_that_is_not_over_comes_first(installed: Installation) -> None:
    """The rows of its partitions are not where they belong yet; and a worker that finds nothing begins nowhere."""
    options = installed.options()
    with pytest.raises(CannotWork, match="state rebuild --all"):
        Beginnings(options, PREFIX)([0])
    last = installed.changes.pop()
    begun = PartitionChange(
        number=last.number, former=last.former, partitions=last.partitions, read_to=last.read_to, is_done=False
    )
    installed.changes.append(begun)
    with pytest.raises(CannotWork, match="run `referrals state reshard` to its end"):
        installed.anew()


def test_a_code_that_is_issued_meanwhile_counts_what_waits_when_its_issue_is_read(installed: Installation) -> None:
    """Its owner is known before that, and must not hide what waits."""
    anew = installed.anew()
    anew.prepare(0)
    waits = {key[:8] for key in anew.begin(0).rows[WAITING] if b"/" in key}
    assert waits
    code = min(waits).decode()
    row = {
        **json.decode(next(iter(installed.stream.published.values()))),
        "referral_code": code,
        "mentor_id": MENTOR_OF[code],
    }
    installed.stream.published[f"{row['org_id']}:{row['mentor_id']}".encode()] = json.encode(row)
    assert code.encode() not in anew.begin(0).rows[MENTORS]


def test_a_record_at_which_the_fold_fails_is_left_out_and_named(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has set it aside in its time; those beside it count."""
    topic, offset = CLICKS_TOPIC, installed.changes[0].read_to[CLICKS_TOPIC][0] - 1
    fold = Attribution.fold

    def fails(attribution: Attribution, rows: Rows, batch: RecordBatch, *, now_ms: int) -> Changes:
        if (batch.topic, batch.partition) == (topic, 0) and any(each.offset == offset for each in batch.fetched):
            raise KeyError(offset)
        return fold(attribution, rows, batch, now_ms=now_ms)

    monkeypatch.setattr(Attribution, "fold", fails)
    anew = installed.anew()
    anew.prepare(0)
    assert anew.left_out == [f"{topic}/0/{offset}: KeyError"]
    assert anew.begin(0).rows[MENTORS]
