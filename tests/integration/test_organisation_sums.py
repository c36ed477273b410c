"""The sums of migration 0006: right after any traffic, whoever writes, and however the records were batched."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from local.parts import Parts
from models.events import ChannelCounts, MentorCounts, encode_event
from models.partitioning import partition_of
from proof.verify.postgres import read_tables
from proof.verify.sums import compare_sums
from sinks.badge_awarder import BadgeAwarder
from sinks.counts_projection import CountsProjection
from sinks.postgres_badges import PostgresBadgeRepository
from sinks.postgres_counts import PostgresCountsRepository
from sinks.records import Record
from sinks.schema import MIGRATIONS
from tests.milestones import INSTANT, MENTOR, ORG, OTHER_ORG, code_issued, counts, milestone, new_id

pytestmark = pytest.mark.integration

DAY_MS = 24 * 60 * 60 * 1000
MIDNIGHT_MS = 20_000 * DAY_MS
IN_2066_MS = 35_100 * DAY_MS
CHANNELS = ("sms", "email", "whatsapp")
AS_SINKS = "?options=-c%20role%3Dreferrals_sinks"

NO_SUMS = """
    SELECT (SELECT count(*) FROM organisation_counts) + (SELECT count(*) FROM organisation_channels)
        + (SELECT count(*) FROM organisation_days) + (SELECT count(*) FROM organisation_totals)
"""


@pytest.fixture
def projection(database_url: str) -> Iterator[CountsProjection]:
    """Give the sink alone, as the role that it needs and no more: the sums are not its own to write."""
    with closing(
        CountsProjection(PostgresCountsRepository(database_url + AS_SINKS), codes_topic="codes", partitions=1)
    ) as projection:
        yield projection


@pytest.fixture
def awarder(database_url: str) -> Iterator[BadgeAwarder]:
    """Give the badge consumer's sink, as the same role."""
    with closing(BadgeAwarder(PostgresBadgeRepository(database_url + AS_SINKS))) as awarder:
        yield awarder


def rows(url: str, statement: LiteralString) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def differences(url: str) -> list[str]:
    """Return what the oracle finds wrong with the sums."""
    tables = read_tables(url)
    found, compared = compare_sums(
        tables.sums, tables.counts.values(), tables.codes.values(), (award.org_id for award in tables.awards)
    )
    assert compared > 0
    return [str(difference) for difference in found]


def days_of(url: str) -> dict[tuple[str, int], tuple[int, int, int]]:
    """Return the daily series, by organisation and number of the day since 1970."""
    found = rows(
        url, "SELECT org_id::text, day - '1970-01-01'::date, clicks, pending, confirmed FROM organisation_days"
    )
    return {(org_id, day): (clicks, pending, confirmed) for org_id, day, clicks, pending, confirmed in found}


def record(event: object, *, topic: str = "counts", partition: int = 0, offset: int = 0, at_ms: int = -1) -> Record:
    """Return an event as a record."""
    value = encode_event(event)
    return Record(topic=topic, partition=partition, offset=offset, timestamp=at_ms, key=None, value=value)


def make_counts(org_id: str, mentor_id: str, numbers: dict[str, tuple[int, int, int]]) -> MentorCounts:
    """Return a mentor's counts by channel, and what follows from them."""
    clicks, pending, confirmed = (sum(each) for each in zip((0, 0, 0), *numbers.values(), strict=True))
    return MentorCounts(
        org_id=org_id,
        mentor_id=mentor_id,
        referral_code="ABCDEFGH12",
        total_clicks=clicks,
        pending_attributions=pending,
        confirmed_attributions=confirmed,
        conversion_rate=min(confirmed / clicks, 1.0) if clicks else 0.0,
        by_channel={name: ChannelCounts(*each) for name, each in numbers.items()},
        milestones=[],
        last_event_at=INSTANT,
    )


@dataclass
class Programme:
    """Random counts of a few mentors in order of their records, and what the sums must be: counted one by one."""

    seed: int
    owners: list[tuple[str, str]] = field(init=False)
    records: list[Record] = field(init=False)
    days: dict[tuple[str, int], tuple[int, int, int]] = field(init=False)

    def __post_init__(self) -> None:
        """Make it all."""
        rng = random.Random(self.seed)
        organisations = [str(UUID(int=rng.getrandbits(128))) for _ in range(3)]
        self.owners = [(rng.choice(organisations), str(UUID(int=rng.getrandbits(128)))) for _ in range(12)]
        known: dict[tuple[str, str], MentorCounts] = {}
        days: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self.records = []
        at_ms = MIDNIGHT_MS - 5_000
        for offset in range(400):
            owner = rng.choice(self.owners)
            numbers = {
                name: (rng.randrange(9), rng.randrange(4), rng.randrange(3))
                for name in rng.sample(CHANNELS, rng.randrange(4))
            }
            at_ms += rng.choice((0, 40, 40, 400, -300)) + (rng.random() < 0.03) * DAY_MS // 3
            after, before = make_counts(*owner, numbers), known.get(owner)
            known[owner] = after
            partition = partition_of(":".join(owner).encode(), 4)
            self.records.append(record(after, partition=partition, offset=offset, at_ms=at_ms))
            for name in ("total_clicks", "pending_attributions", "confirmed_attributions"):
                change = getattr(after, name) - (getattr(before, name) if before else 0)
                days[owner[0], at_ms // DAY_MS][name] += change
        self.days = {
            key: (c["total_clicks"], c["pending_attributions"], c["confirmed_attributions"])
            for key, c in days.items()
            if any(c.values())
        }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sums_after_any_batches_replays_and_older_records(
    projection: CountsProjection, database_url: str, seed: int
) -> None:
    """Batches of any size, some of them again, whole beginnings again: sums and days are those of the records."""
    the = Programme(seed)
    rng = random.Random(seed)
    at = 0
    while at < len(the.records):
        size = rng.choice((1, 3, 20, 90))
        projection.put(the.records[at : at + size])
        if rng.random() < 0.3:
            projection.put(the.records[max(0, at - 30) : at + size])
        at += size
    projection.put(the.records)

    assert differences(database_url) == []
    found = {key: numbers for key, numbers in days_of(database_url).items() if any(numbers)}
    assert found == the.days
    assert len({day for _, day in found}) > 2


def test_an_older_record_is_on_no_day(projection: CountsProjection, database_url: str) -> None:
    """What does not replace a row does not count, also in the batch of one that does."""
    newer = record(make_counts(ORG, MENTOR, {"sms": (5, 1, 0)}), offset=7, at_ms=MIDNIGHT_MS)
    older = record(make_counts(ORG, MENTOR, {"sms": (4, 2, 0)}), offset=6, at_ms=MIDNIGHT_MS - 1)
    projection.put([newer])
    projection.put([older])
    projection.put([newer, older])
    assert days_of(database_url) == {(ORG, 20_000): (5, 1, 0)}


def test_days_are_net_changes(projection: CountsProjection, database_url: str) -> None:
    """More confirmed than came on a day leaves less than nothing pending; what changes back is no change."""
    before = make_counts(ORG, MENTOR, {"sms": (10, 3, 0)})
    after = make_counts(ORG, MENTOR, {"sms": (10, 1, 2)})
    projection.put([record(before, offset=0, at_ms=MIDNIGHT_MS - 1), record(after, offset=1, at_ms=MIDNIGHT_MS)])
    projection.put([record(before, offset=2, at_ms=MIDNIGHT_MS + DAY_MS)])
    projection.put([record(after, offset=3, at_ms=MIDNIGHT_MS + DAY_MS)])
    assert days_of(database_url) == {
        (ORG, 19_999): (10, 3, 0),
        (ORG, 20_000): (0, -2, 2),
        (ORG, 20_001): (0, 0, 0),
    }


@pytest.mark.parametrize("at_ms", [-1, 10**17, IN_2066_MS])
def test_a_record_without_a_usable_time_counts_today(
    projection: CountsProjection, database_url: str, at_ms: int
) -> None:
    """It counts on the day of its projection, also where a worker's clock is decades ahead."""
    projection.put([record(counts(1), at_ms=at_ms)])
    ((is_today,),) = rows(
        database_url, "SELECT abs(day - (now() AT TIME ZONE 'UTC')::date) <= 1 FROM organisation_days"
    )
    assert is_today
    assert rows(database_url, "SELECT updated_at <= now() FROM organisation_counts") == [(True,)]


def test_updated_at_is_the_latest_counted(projection: CountsProjection, database_url: str) -> None:
    """The organisation's time is that of its latest record; mentors keep their own."""
    projection.put([record(counts(1), offset=0, at_ms=MIDNIGHT_MS)])
    projection.put([record(counts(1, mentor_id=new_id()), offset=1, at_ms=MIDNIGHT_MS - 1_000)])
    latest = datetime.fromtimestamp(MIDNIGHT_MS / 1_000, UTC)
    assert rows(database_url, "SELECT updated_at FROM organisation_counts") == [(latest,)]
    assert rows(database_url, "SELECT max(counted_at), count(DISTINCT counted_at) FROM mentor_counts") == [(latest, 2)]


def test_two_projections_at_once(database_url: str) -> None:
    """Two never wait for each other in a circle, also where each changes first what the other changes last."""
    organisations = (ORG, OTHER_ORG)

    def project(number: int) -> None:
        first, last = organisations[number], organisations[1 - number]
        mentor_id = new_id()
        with closing(
            CountsProjection(PostgresCountsRepository(database_url + AS_SINKS), codes_topic="codes", partitions=1)
        ) as projection:
            for offset in range(100):
                code = code_issued(f"ABC{number}{offset:04}", org_id=organisations[offset % 2], mentor_id=new_id())
                known = counts(offset, org_id=first, mentor_id=mentor_id)
                new = counts(1, org_id=last, mentor_id=new_id())
                projection.put([record(code, topic="codes"), record(known, offset=offset), record(new)])

    with ThreadPoolExecutor(2) as pool:
        for finished in [pool.submit(project, number) for number in range(2)]:
            finished.result()  # raises StoreUnavailable where Postgres ended a deadlock

    assert differences(database_url) == []
    assert rows(database_url, "SELECT total FROM organisation_totals WHERE counted = 'mentors'") == [(100,), (100,)]


WRITES: dict[str, LiteralString] = {
    "delete of some": "DELETE FROM mentor_counts WHERE confirmed_attributions = 1",
    "delete of all": "DELETE FROM mentor_counts",
    "update by hand": 'UPDATE mentor_counts SET total_clicks = 6, by_channel = \'{"fax": {"clicks": 6}}\'',
    "another organisation": "UPDATE mentor_counts SET org_id = gen_random_uuid() WHERE confirmed_attributions = 1",
    "codes deleted": "DELETE FROM referral_codes",
    "awards deleted": "DELETE FROM badge_awards",
    "milestones deleted": "DELETE FROM milestones WHERE milestone_threshold = 1",
    "milestones wait": "UPDATE milestones SET state = 'awaiting_mentor' WHERE milestone_threshold = 5",
}


@pytest.mark.parametrize("name", WRITES)
def test_sums_follow_whoever_writes(
    projection: CountsProjection, awarder: BadgeAwarder, database_url: str, name: str
) -> None:
    """A sum is its rows also when somebody repairs something by hand."""
    fill(projection, awarder)
    before = days_of(database_url)
    rows(database_url, WRITES[name])
    assert differences(database_url) == []
    if "codes" not in name and "awards" not in name and "milestones" not in name:
        assert days_of(database_url) != before


def test_emptied_tables_take_their_sums_with_them(
    projection: CountsProjection, awarder: BadgeAwarder, database_url: str
) -> None:
    """TRUNCATE leaves no sum, and the records that are read again make them anew."""
    fill(projection, awarder)
    before = days_of(database_url)
    rows(database_url, "TRUNCATE mentor_counts, referral_codes, milestones, badge_awards")
    assert rows(database_url, NO_SUMS) == [(0,)]
    fill(projection, awarder)
    assert differences(database_url) == []
    assert days_of(database_url) == before


def test_totals_of_milestones_count_known_mentors(
    projection: CountsProjection, awarder: BadgeAwarder, database_url: str
) -> None:
    """A milestone counts when its mentor is known; a forged one never does."""
    totals = "SELECT org_id::text, counted, total FROM organisation_totals ORDER BY counted"
    awarder.put([record(milestone(5)), record(milestone(1, org_id=OTHER_ORG))])
    assert rows(database_url, totals) == [(ORG, "milestones", 0), (OTHER_ORG, "milestones", 0)]
    projection.put([record(code_issued(), topic="codes")])
    awarder.tend()
    assert rows(database_url, f"{totals}, org_id") == [
        (ORG, "awards", 2),
        (ORG, "mentors", 1),
        (ORG, "milestones", 1),
        (OTHER_ORG, "milestones", 0),
    ]
    assert differences(database_url) == []


def test_existing_rows_are_summed_by_the_migration(parts: Parts) -> None:
    """A database that was in use has the sums of what it holds, each row on the day of its projection."""
    url = parts.create_database(f"test_{new_id()}")
    older = [path for path in sorted(MIGRATIONS.glob("*.sql")) if path.name < "0006"]
    summing, *later = [path for path in sorted(MIGRATIONS.glob("*.sql")) if path.name >= "0006"]
    with psycopg.connect(url) as connection:
        for path in older:
            connection.execute(path.read_bytes())
        connection.execute(
            """
            INSERT INTO organisations (org_id) VALUES (%(org)s);
            INSERT INTO mentors (org_id, mentor_id) VALUES (%(org)s, %(mentor)s);
            INSERT INTO referral_codes VALUES ('ABCDEFGH12', %(org)s, %(mentor)s, now());
            INSERT INTO badge_awards
            SELECT %(org)s, %(mentor)s, badge_id, gen_random_uuid(), 1 FROM badge_definitions WHERE threshold = 1;
            INSERT INTO milestones
            SELECT %(org)s, %(mentor)s, threshold, gen_random_uuid(), 1, gen_random_uuid(), now(), state
            FROM (VALUES (1, 'decided'), (5, 'due'), (10, 'awaiting_mentor')) AS milestone (threshold, state);
            INSERT INTO mentor_counts
            SELECT
                %(org)s, gen_random_uuid(), 'ABCDEFGH12', number, 1, 0, 0,
                '{"sms": {"clicks": 0, "pending": 1, "confirmed": 0}}'::jsonb || jsonb_build_object(
                    'channel' || number, jsonb_build_object('clicks', number, 'pending', 0, 'confirmed', 0)
                ),
                '{}', NULL, 0, 0, '2026-11-20T23:30:00-01:00'::timestamptz + interval '1 day' * (number / 3)
            FROM generate_series(1, 5) AS number
            """.replace("%(org)s", f"'{ORG}'")
            .replace("%(mentor)s", f"'{MENTOR}'")
            .encode()
        )
        for path in (summing, *later):
            connection.execute(path.read_bytes())
    assert differences(url) == []
    first_day = (datetime(2026, 11, 21, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert days_of(url) == {(ORG, first_day): (3, 2, 0), (ORG, first_day + 1): (12, 3, 0)}
    assert rows(url, "SELECT counted, total FROM organisation_totals ORDER BY 1") == [
        ("awards", 1),
        ("mentors", 1),
        ("milestones", 2),
    ]


@contextmanager
def listening(url: str) -> Iterator[Callable[[], list[str]]]:
    """Listen to changes; gives a function that returns the payloads since it was called last."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LISTEN referrals_changes")
        yield lambda: [each.payload for each in connection.notifies(timeout=0.2)]


def test_changes_are_told_once(projection: CountsProjection, awarder: BadgeAwarder, database_url: str) -> None:
    """Each organisation whose counts, milestones or awards changed is named once for a batch; others are not."""
    with listening(database_url) as told:
        projection.put([record(code_issued(), topic="codes")])
        assert told() == []
        batch = [record(counts(1, org_id=org, mentor_id=new_id())) for org in (ORG, OTHER_ORG, ORG, ORG)]
        projection.put(batch)
        assert sorted(told()) == [ORG, OTHER_ORG]
        projection.put(batch)
        assert told() == []
        awarder.put([record(milestone(1))])
        assert told() == [ORG]
        awarder.put([record(milestone(1))])
        assert told() == []


def fill(projection: CountsProjection, awarder: BadgeAwarder) -> None:
    """Project two organisations, with codes, milestones and awards; the same each time."""
    mentors = [str(UUID(int=number + 1)) for number in range(6)]
    owners = [(ORG if number % 2 else OTHER_ORG, mentor_id) for number, mentor_id in enumerate(mentors)]
    projection.put(
        [
            record(code_issued(f"ABCDEF{n:02}00", org_id=o, mentor_id=m), topic="codes")
            for n, (o, m) in enumerate(owners)
        ]
    )
    projection.put(
        [
            record(make_counts(*owner, {"sms": (n, 1, n % 3), "email": (1, 0, 0)}), offset=n, at_ms=MIDNIGHT_MS)
            for n, owner in enumerate(owners)
        ]
    )
    awarder.put([record(milestone(5, org_id=o, mentor_id=m)) for o, m in owners])
    awarder.put([record(milestone(1, org_id=o, mentor_id=m)) for o, m in owners[:2]])
