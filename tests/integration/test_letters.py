"""Dead letters by organisation: whose each is, what stays of them, and sent again from the page's side, once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import psycopg
import pytest
import pytest_asyncio
from confluent_kafka import Producer

from models.dead_letters import letter_of
from models.errors import BadEvent, WaitedTooLong
from models.outgoing import dead_letter
from models.topics import CLICKS, DEAD_LETTERS, REGISTRATIONS
from operations.dead_letters import DeadLetterReader
from operations.topics import create_topics
from process.settings import Settings
from sinks import postgres_letters
from sinks.components import letters as letters_task
from sinks.letters import Letters
from sinks.positions import Finding, Start
from sinks.postgres_letters import PostgresLetters
from sinks.records import Record
from tests.mentor_rows import put_mentor
from tests.milestones import ORG, OTHER_ORG, new_id
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

AS_SINKS: Final = "?options=-c%20role%3Dreferrals_sinks"
CODE: Final = "ABCDEFGH12"
NOBODYS: Final = "ABCDEFGH99"
NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOTES: Final = "replays"
PLACES: Final = (("letters", 0), (NOTES, 0))


def opened(url: str) -> Letters:
    """Return the sink alone, as the role that it needs and no more."""
    sink = Letters(PostgresLetters(url + AS_SINKS), letters_topic="letters")
    sink.positions.claim(PLACES)
    sink.begin({place: Start(next=0, topic_id="", partitions=1, finding=Finding.AS_EXPECTED) for place in PLACES})
    return sink


@pytest.fixture
def sink(settings: Settings) -> Iterator[Letters]:
    """Give the sink, and two organisations of which one has a code."""
    put_mentor(settings, code=CODE)
    put_mentor(settings, code="ABCDEFGH34", org_id=OTHER_ORG, mentor_id=new_id())
    with closing(opened(settings.database_url)) as sink:
        yield sink


def letter(
    offset: int,
    value: dict[str, Any] | bytes,
    *,
    topic: str = "clicks",
    source_offset: int | None = None,
    at: datetime = NOON,
) -> Record:
    """Return a dead letter as a record of its topic."""
    source = Record(
        topic=topic,
        partition=2,
        offset=offset if source_offset is None else source_offset,
        key=None,
        value=value if isinstance(value, bytes) else json.dumps(value).encode(),
    )
    sent = dead_letter("letters", source, BadEvent("no JSON: 'Kari Nordmann'"))
    return Record(
        topic="letters",
        partition=0,
        offset=offset,
        timestamp=round(at.timestamp() * 1000),
        key=sent.key,
        value=sent.value,
        headers=tuple(sent.headers),
    )


def note(offset: int, of: Record) -> Record:
    """Return the note that a dead letter was sent again."""
    value = {"letter": "letters/0/0", "topic": "clicks", "at": NOON.isoformat()}
    return Record(
        topic=NOTES, partition=0, offset=offset, key=letter_of(of, None).identity, value=json.dumps(value).encode()
    )


def listed(settings: Settings, columns: str = "topic_offset, org_id::text") -> list[tuple[Any, ...]]:
    """Return what is listed, in the order of the topic."""
    with psycopg.connect(settings.database_url) as connection:
        statement = f"SELECT {columns} FROM dead_letters ORDER BY topic_offset"  # noqa: S608  a test's own words
        return connection.execute(statement.encode()).fetchall()


def test_whose_each_is(sink: Letters, settings: Settings) -> None:
    """Its code's, whoever is named; of a code that nobody has the one named, until it is issued; and nobody's."""
    sink.put(
        [
            letter(0, {"referral_code": CODE, "org_id": OTHER_ORG}),
            letter(1, {"referral_code": NOBODYS, "org_id": OTHER_ORG}),
            letter(2, {"referral_code": NOBODYS}),
            letter(3, {"referral_code": NOBODYS, "org_id": new_id()}),
            letter(4, b"\xff{"),
        ]
    )
    assert listed(settings) == [(0, ORG), (1, OTHER_ORG), (2, None), (3, None), (4, None)]
    put_mentor(settings, code=NOBODYS, mentor_id=new_id(), org_id=ORG)
    sink.tend()
    assert listed(settings) == [(0, ORG), (1, ORG), (2, ORG), (3, ORG), (4, None)]


def test_nothing_of_the_record_is_kept(sink: Letters, settings: Settings) -> None:
    """Neither its member nor what was wrong with a value; and what Postgres cannot store is left out, not refused."""
    member = new_id()
    odd = letter(1, b"\0" * 9)
    odd = Record(**{name: getattr(odd, name) for name in odd.__struct_fields__}
                 | {"headers": (*odd.headers, ("__connect.errors.stage", b"a\0b\xff" * 900))})  # fmt: skip
    sink.put([letter(0, {"referral_code": CODE, "new_member_id": member}, topic="registrations"), odd])
    text = str(listed(settings, "dead_letters::text"))
    assert member not in text
    assert "Kari" not in text
    assert len(listed(settings)) == 2
    sink.probe()
    assert len(listed(settings)) == 2


def test_read_again_changes_nothing(sink: Letters, settings: Settings) -> None:
    """Also where only notes come again; a note is kept for a dead letter that comes later: a rebuild sends a second."""
    first, again = letter(0, {"referral_code": CODE}), letter(1, {"referral_code": CODE}, source_offset=0)
    other = letter(2, {"referral_code": CODE})
    sink.put([note(0, first)])
    sink.put([first, other])
    sink.put([again])
    sink.put([first, other, note(0, first)])
    assert listed(settings, "topic_offset, replayed_at") == [(0, NOON), (1, NOON), (2, None)]
    sink.put([note(1, other)])
    assert [at for _, at in listed(settings, "topic_offset, replayed_at")] == [NOON] * 3


def test_the_list_is_bounded(sink: Letters, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each organisation the latest stay, and what is old goes; another's are not pushed out."""
    monkeypatch.setattr(postgres_letters, "LISTED_MAX", 3)
    monkeypatch.setattr(postgres_letters, "time", SimpleNamespace(monotonic=lambda: 5.0))  # a machine just started
    sink.put([letter(0, {"referral_code": "ABCDEFGH34"})])
    sink.put([letter(number, {"referral_code": CODE}, at=NOON + timedelta(hours=number)) for number in range(1, 9)])
    assert listed(settings) == [(0, OTHER_ORG), (6, ORG), (7, ORG), (8, ORG)]
    sink.put([letter(9, b"1", at=NOON - timedelta(days=9_999))])
    sink.tend()
    assert len(listed(settings)) == 4
    sink.put([letter(number, {"referral_code": "ABCDEFGH34"}, at=NOON) for number in range(20, 30)])  # all at once
    assert [org_id for _, org_id in listed(settings)].count(OTHER_ORG) == 3


# -- over HTTP, with a real Kafka --------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a server with topics, whose requests are an administrator's unless they say otherwise."""
    create_topics(settings)
    async with running_web(settings) as web:
        web.headers.update(bearer("org_admin", org_id=ORG))
        yield web


def produce(settings: Settings, *records: tuple[str, dict[str, Any], Exception]) -> None:
    """Write dead letters of records that stood in a topic, one after the other in partition 1."""
    producer = Producer({**settings.kafka_client_config(), "linger.ms": 0})
    for number, (topic, value, fault) in enumerate(records):
        source = Record(topic=topic, partition=0, offset=number, key=None, value=json.dumps(value).encode())
        sent = dead_letter(DEAD_LETTERS.full_name(settings.topic_prefix), source, fault)  # type: ignore[arg-type]  # it is
        producer.produce(sent.topic, sent.value, sent.key, 1, headers=list(sent.headers))
    assert producer.flush(30) == 0


def read_in(settings: Settings, until: int) -> None:
    """Run the sink until so many records are dealt with."""
    task, stop = letters_task(settings), threading.Event()
    task.source.subscribe()
    try:
        done, tries = 0, 0
        while done < until and (tries := tries + 1) < 300:
            done += task.step(stop)
        assert done == until
    finally:
        task.source.close()
        task.sink.close()


async def test_an_administrator_sends_them_again_once(
    web: Web, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run says what would become of each; then each is sent once, whoever asks, and is marked as sent."""
    put_mentor(settings, code=CODE)
    put_mentor(settings, code="ABCDEFGH34", org_id=OTHER_ORG, mentor_id=new_id())
    clicks, registrations = CLICKS.full_name(settings.topic_prefix), REGISTRATIONS.full_name(settings.topic_prefix)
    member = new_id()
    good = {
        "attribution_id": new_id(), "referral_code": CODE, "new_member_id": member, "status": "confirmed",
        "occurred_at": "2026-11-20T10:00:00Z",
    }  # fmt: skip
    theirs = {"click_id": new_id(), "referral_code": "ABCDEFGH34", "occurred_at": "2026-11-20T10:00:00Z"}
    produce(
        settings,
        (registrations, good, WaitedTooLong("the code was not issued in time")),
        (clicks, {"referral_code": CODE, "click_id": "none"}, BadEvent("Click: click_id is no UUID: 'none'")),
        (clicks, theirs, WaitedTooLong("the code was not issued in time")),
    )
    await asyncio.to_thread(read_in, settings, 3)
    assert "topic_missing" not in capsys.readouterr().out  # the notes' topic is made by the first replay
    address = f"/v1/orgs/{ORG}/dead-letters"
    page = (await web.get(address)).json()
    assert sorted((each["letter"], each["reason"], each["topic"]) for each in page["letters"]) == [
        ("1/0", "WaitedTooLong", "registrations.v1"),
        ("1/1", "BadEvent", "clicks.v1"),
    ]
    assert {(each["reason"], each["open"], each["replayed"]) for each in page["counts"]} == {
        ("WaitedTooLong", 1, 0),
        ("BadEvent", 1, 0),
    }
    one = (await web.get(f"{address}/1/0")).json()
    assert (one["topic"], one["partition"], one["offset"], one["referralCode"]) == ("registrations.v1", 0, 0, CODE)
    assert member not in json.dumps(page) + json.dumps(one)
    assert "'none'" not in json.dumps(page)
    assert (await web.get(f"{address}/1/2")).status_code == 404
    for query, found in (
        ("reason=BadEvent", ["1/1"]),
        ("topic=registrations", ["1/0"]),
        (f"code={CODE.lower()}", ["1/0", "1/1"]),
        ("code=ABCDEFGH34", []),
        ("until=2020-01-01T00:00:00Z", []),
        ("since=2020-01-01T00:00:00Z&show=open&limit=100", ["1/0", "1/1"]),
    ):
        letters = (await web.get(f"{address}?{query}")).json()["letters"]
        assert sorted(each["letter"] for each in letters) == found, query
    first = (await web.get(f"{address}?limit=1")).json()
    second = (await web.get(f"{address}?limit=1&after={first['next']}")).json()
    assert {first["letters"][0]["letter"], second["letters"][0]["letter"]} == {"1/0", "1/1"}
    assert second["next"] is None
    for query, name in (("code=!", "code"), ("since=2026-11-20T10:00:00", "since"), ("after=x", "after")):
        answer = await web.get(f"{address}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)

    async def replay(*, dry_run: bool, org_id: str = ORG) -> dict[str, str]:
        body = {"letters": ["1/0", "1/1", "1/2", "3/99"], "dryRun": dry_run}
        headers = bearer("org_admin", org_id=org_id)
        answer = await web.post(f"/v1/orgs/{org_id}/dead-letters/replays", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return {each["letter"]: each["verdict"] for each in answer.json()["verdicts"]}

    nothing = {"1/1": "refused", "1/2": "gone", "3/99": "gone"}
    assert await replay(dry_run=True) == {"1/0": "ready", **nothing}
    with closing(DeadLetterReader(settings)) as reader:
        assert reader.replayed() == {}
    assert await replay(dry_run=False) == {"1/0": "sent", **nothing}
    assert await replay(dry_run=False) == {"1/0": "before", **nothing}
    assert (await replay(dry_run=True, org_id=OTHER_ORG))["1/0"] == "gone"
    await asyncio.to_thread(read_in, settings, 1)
    assert (await web.get(f"{address}/1/0")).json()["replayedAt"] is not None
    open_ones = (await web.get(f"{address}?show=open")).json()
    assert [each["letter"] for each in open_ones["letters"]] == ["1/1"]


async def test_another_record_in_its_place_is_not_sent(web: Web, settings: Settings) -> None:
    """What is listed is known by its bytes: where the topic was made anew, what stands there now is somebody else's."""
    put_mentor(settings, code=CODE)
    clicks = CLICKS.full_name(settings.topic_prefix)
    good = {"click_id": new_id(), "referral_code": CODE, "occurred_at": "2026-11-20T10:00:00Z"}
    produce(settings, (clicks, good, WaitedTooLong("the code was not issued in time")))
    await asyncio.to_thread(read_in, settings, 1)
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE dead_letters SET record_digest = gen_random_uuid()")
    answer = await web.post(f"/v1/orgs/{ORG}/dead-letters/replays", json={"letters": ["1/0"]})
    assert answer.json()["verdicts"] == [{"letter": "1/0", "verdict": "gone", "why": None}]
    assert (await web.post(f"/v1/orgs/{ORG}/dead-letters/replays", json={"letters": ["1-0"]})).status_code == 422
