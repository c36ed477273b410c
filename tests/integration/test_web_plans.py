"""What a large organisation costs: plans as the HTTP side's role gets them, and rows that are looked at.

No times: a plan that reads indexes and sums alone is what keeps them, whatever the machine.
"""

from __future__ import annotations

import csv
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import psycopg
import pytest

from edges.web import export, lists, organisation
from edges.web.counts import attribution_counts, profile
from edges.web.cursors import write_cursor
from edges.web.database import Database
from edges.web.history import read_history, read_today
from edges.web.lists import CloseOrder, Kind, Order, ReachedOrder
from edges.web.organisation import Place
from edges.web.queries import statement, statements
from local.parts import Parts
from models.badges import FIRST_RECRUIT
from models.names import KEYS_MAX
from models.periods import read_period
from process.settings import Settings, load_settings
from tests.large_programme import LETTERS, MENTORS, LargeProgramme, build

pytestmark = pytest.mark.integration

PAGE = 20
DEEP = 999 * PAGE
"""Mentors before page 1,000."""

ROWS_MAX = 12
"""Rows looked at for each one that is told, and for none; whatever grows with the organisation is far beyond."""


@pytest.fixture(scope="module")
def large_settings(parts: Parts, migrated_template: str) -> Settings:
    """Give the settings of a database that all tests here read, and none changes."""
    url = parts.create_database(f"test_{uuid.uuid4().hex}", template=migrated_template)
    return load_settings(bootstrap_servers=parts.bootstrap_servers, database_url=url)


@pytest.fixture(scope="module")
def large(large_settings: Settings) -> LargeProgramme:
    """Give what that database is filled with."""
    return build(large_settings.database_url)


@pytest.fixture(scope="module")
def deep(large: LargeProgramme, large_settings: Settings) -> Place:
    """Give where page 999 of the leaderboard ends."""
    with psycopg.connect(large_settings.database_url) as connection:
        row = connection.execute(
            "SELECT confirmed_attributions, mentor_id::text FROM mentor_counts WHERE org_id = %s "
            "ORDER BY confirmed_attributions DESC, mentor_id OFFSET %s LIMIT 1",
            [large.org_id, DEEP - 1],
        ).fetchone()
    assert row is not None
    return Place(DEEP, *row)


@pytest.fixture
async def database(large_settings: Settings) -> AsyncIterator[Database]:
    """Give the HTTP side's way into that database."""
    async with Database(large_settings) as database:
        yield database


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return every node of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


STATEMENTS = {
    "attribution_counts": 1,
    "attribution_counts_of_channel": 1,
    "mentor": 8,
    "mentors_found": KEYS_MAX * PAGE,
    "milestones_of_mentor": 4,
    "awards_of_mentor": 4,
    "award_to_take_along": 4,
    "award_explained": 8,
    "confirmed_until": PAGE,
    "dead_letters_counted": LETTERS,
    "dead_letters_listed": PAGE,
    "dead_letter": 1,
    "dead_letters_named": 1,
    "summary": 40,
    "leaderboard": PAGE,
    "leaderboard_after": PAGE,
    "leaderboard_of_group": PAGE,
    "groups": 450,
    "daily": 30,
    "channels": 4,
    "activity": PAGE,
    "export": PAGE,
    "reconciliation": PAGE,
    "mentors_listed": PAGE,
    "mentors_close": 9 * PAGE,
    "just_reached": PAGE,
    "thank": 1,
    "unthank": 1,
    "standing": 50,
    "decisions": 4,
    "history": PAGE,
    "period_today": 2,
    "period_days": 60,
    "period_channels": 5 * 60,
    "period_rows": 5 * 30,
    "confirmation_times": 60 * 8,
}
"""What the HTTP side runs, and about how many rows of tables each is made of."""


_OF_LETTERS: dict[str, Any] = {
    **dict.fromkeys(("reason", "topic", "code")),
    **dict.fromkeys(("after_partition", "after_offset"), 0),
    "since": datetime(2020, 1, 1, tzinfo=UTC),
    "until": datetime(2099, 1, 1, tzinfo=UTC),
    "after_at": datetime.now(UTC) - timedelta(hours=500),
    "open": True,
}

FOUND: dict[str, dict[str, Any]] = {
    "dead_letters_counted": _OF_LETTERS,
    "dead_letters_listed": _OF_LETTERS,
    "dead_letter": {"partition": 0, "offset": 5},
    "dead_letters_named": {"partitions": [0], "offsets": [5]},
    "mentors_close": {"within": 2, "missing": 1, "confirmed": 3},
    "just_reached": {"recorded_at": datetime.now(UTC) - timedelta(days=200), "threshold": 1},
    "award_to_take_along": {"badge_id": FIRST_RECRUIT},
    "award_explained": {"badge_id": FIRST_RECRUIT},
    "confirmed_until": {"code": "0000000001", "until": datetime.now(UTC) - timedelta(days=10)},
    "thank": {"threshold": 1},
    "unthank": {"threshold": 1},
    "mentors_found": {
        "code": "7KQ2M9XW4T",
        "first": "0" * 32,
        "last": "f" * 32,
        "ending": "",
        "named": "anna",
        "named_end": "anna\U0010ffff",
        "keys": KEYS_MAX,
    },
}
"""What else a statement is asked with."""

GROUPS = ("North", "G7")
"""One of half of all mentors, and a small one."""
LISTS: list[tuple[Kind, Order]] = [(kind, order) for kind in get_args(Kind) for order in get_args(Order)]


def spelled_out(name: str) -> list[tuple[bytes, dict[str, Any]]]:
    """Return a statement with what it is asked with; each of its forms, where it has several, in the middle of all."""
    days = (datetime.now(UTC) - timedelta(days=200)).date()
    of_groups = [(False, {}), *((True, {"group": lists.group_key(group)}) for group in GROUPS)]
    if name == "leaderboard_of_group":
        return [(statement(name), more) for _, more in of_groups[1:]]
    if name == "just_reached":
        return [
            (lists.reached_statement(is_open=is_open, order=order, of_group=of_group), more)
            for is_open in (True, False)
            for order in get_args(ReachedOrder)
            for of_group, more in of_groups
        ]
    if name == "mentors_close":
        return [
            (lists.close_statement(order, of_group=of_group), more)
            for order in get_args(CloseOrder)
            for of_group, more in of_groups
        ]
    if name != "mentors_listed":
        return [(statement(name), {})]
    return [
        (lists.list_statement(kind, order, of_group=of_group), {"place": place, "bound": bound} | more)
        for kind, order in LISTS
        for place, bound in [(200, 1) if kind == "clicks" else (days, days + timedelta(days=190))]
        for of_group, more in of_groups
    ]


def test_every_statement_is_looked_at() -> None:
    """None of the file is left out."""
    assert list(statements()) == list(STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("size", ["large", "small"])
def test_no_table_is_read_as_a_whole(
    large_settings: Settings, large: LargeProgramme, deep: Place, name: str, size: str
) -> None:
    """Indexes and sums alone, and no more rows than the answer has, on page 1,000 as on the first."""
    org_id = large.org_id if size == "large" else large.small_org_id
    today = datetime.now(UTC).date()
    values = {
        "org_id": org_id,
        "mentor_id": deep.mentor_id if name == "leaderboard_after" else large.mentor_id,
        "confirmed": deep.confirmed,
        "channel": "sms",
        "limit": PAGE,
        "before_first": today - timedelta(days=59),
        "before_last": today - timedelta(days=30),
        "part_days": 1,
        **FOUND.get(name, {"first": today - timedelta(days=29), "last": today}),
        "after": deep.mentor_id,
    }
    for text, more in spelled_out(name):
        with psycopg.connect(large_settings.database_url, cursor_factory=psycopg.ClientCursor) as connection:
            connection.execute("SET ROLE referrals_app")
            connection.execute("SELECT set_config('referrals.org_id', %s, true)", [org_id])
            explained = connection.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + text, values | more).fetchone()
            connection.rollback()
        assert explained is not None
        found = list(nodes(explained[0][0]["Plan"]))
        kinds = {node["Node Type"] for node in found}
        assert not any("Seq Scan" in kind for kind in kinds), kinds
        scans = [node for node in found if "Relation Name" in node]
        looked_at = sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans
        )
        assert looked_at <= ROWS_MAX * (STATEMENTS[name] + 1), scans


async def test_page_1000_is_right(
    large: LargeProgramme, large_settings: Settings, database: Database, deep: Place
) -> None:
    """Ranks and mentors as counting all of them gives."""
    page = await organisation.leaderboard(database, large.org_id, limit=PAGE, after=deep)
    with psycopg.connect(large_settings.database_url) as connection:
        right = connection.execute(
            "SELECT row_number() OVER (ORDER BY confirmed_attributions DESC, mentor_id) AS rank, mentor_id::text "
            "FROM mentor_counts WHERE org_id = %s ORDER BY rank OFFSET %s LIMIT %s",
            [large.org_id, DEEP, PAGE],
        ).fetchall()
    assert [(entry.rank, entry.mentor_id) for entry in page.entries] == right
    assert page.next == write_cursor(Place(DEEP + PAGE, page.entries[-1].confirmed_attributions, right[-1][1]))


async def test_answers_of_a_large_organisation(large: LargeProgramme, database: Database) -> None:
    """What the sums say is what there is."""
    summary = await organisation.summary(database, large.org_id)
    daily = await organisation.daily(database, large.org_id, days=366)
    channels = (await organisation.channels(database, large.org_id)).channels
    activity = await organisation.activity(database, large.org_id, limit=PAGE)
    today = await read_today(database, large.org_id)
    history = await read_history(database, large.org_id, today, read_period(today.date, days=366))
    told = await attribution_counts(database, large.org_id, large.mentor_id)
    assert summary.mentors == MENTORS
    assert 0 < summary.confirmed_attributions < summary.total_clicks
    assert summary.total_clicks == sum(channel.clicks for channel in channels)
    assert 0 < sum(day.clicks for day in daily.days) < summary.total_clicks
    assert 0 < history.before.clicks < history.period.clicks == sum(day.clicks for day in history.days)
    assert history.period.registered == sum(channel.registered for channel in history.channels)
    assert (history.period.confirmation_time.median_hours, history.period.confirmation_time.p90_hours) == (96, 168)
    assert len(activity.milestones) == len(activity.awards) == PAGE
    assert told.is_known
    assert (await profile(database, large.org_id, large.mentor_id)).referral_code == "0000000001"


async def test_an_export_is_never_whole_in_memory(large: LargeProgramme, database: Database) -> None:
    """All its mentors come in pieces of a page each; together they are the summary."""
    pieces = 0
    longest = 0
    lines: list[str] = []
    async for piece in export.write(database, large.org_id, await export.first_page(database, large.org_id)):
        pieces += 1
        longest = max(longest, len(piece))
        lines += piece.decode().splitlines()
    rows = list(csv.DictReader(lines))
    summary = await organisation.summary(database, large.org_id)
    assert (len(rows), pieces) == (MENTORS, 1 + MENTORS // export.PAGE)
    assert longest < 200 * export.PAGE
    assert sum(int(row["total_clicks"]) for row in rows) == summary.total_clicks
    assert len({row["mentor_id"] for row in rows}) == MENTORS
