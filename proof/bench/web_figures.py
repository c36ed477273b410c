"""What people ask about an organisation of 100,000 mentors: its figures, and its lists, first pages and far ones.

Each is asked for one at a time and compared with the round trip of `SELECT 1` over the same kind of pool, in this
process: what reads it from Postgres, as its route does, and the whole answer over HTTP.
The bound is on what is read; the answer is told beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Final, NamedTuple, TypeAlias

import msgspec
import uvloop

from edges.web import lists, organisation
from edges.web.cursors import write_cursor
from edges.web.database import Database
from edges.web.finding import find_mentors, read_wanted
from edges.web.history import read_history, read_today
from edges.web.lists import ClosePlace, ListPlace, ReachedPlace
from edges.web.organisation import Place
from models.periods import read_period
from process.settings import Settings
from proof.bench.web_scene import DAYS, MENTORS, Scene, mentor_id
from proof.bench.web_servers import Server

SELECT_1: Final = "SELECT 1"
READ: Final = 300
"""How often each is read from Postgres in a round."""
ASKED_S: Final = 0.5
"""How long each is asked for over HTTP in a round."""
DAYS_SHOWN: Final = 30
SHOWN: Final = 20
"""Mentors on a page."""
FAR: Final = MENTORS // 2
NAMED: Final = "kari 5"

Reading: TypeAlias = Callable[[Database], Awaitable[object]]


class Timed(NamedTuple):
    """Seconds of one round, each the median of many, one at a time; SELECT 1 in turn with what is read."""

    read: float
    beside_read: float
    answer: float
    beside_answer: float


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One of an organisation's figures: what reads it from Postgres, and the whole answer over HTTP."""

    name: str
    statements: int
    rounds: Sequence[Timed]

    @property
    def read_s(self) -> float:
        """The median of the rounds."""
        return median(one.read for one in self.rounds)

    @property
    def answer_s(self) -> float:
        """The same over HTTP."""
        return median(one.answer for one in self.rounds)

    @property
    def select_1_s(self) -> float:
        """The same of SELECT 1."""
        return median(one.beside_read for one in self.rounds)

    @property
    def read_multiple(self) -> float:
        """How many SELECT 1 reading it takes: the median of the rounds."""
        return median(one.read / one.beside_read for one in self.rounds)

    @property
    def answer_multiple(self) -> float:
        """The same of the answer."""
        return median(one.answer / one.beside_answer for one in self.rounds)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Something that is asked about the organisation."""

    name: str
    read: Reading
    """What its route reads from Postgres."""
    path: str
    """Below the organisation's address."""
    is_page: bool = True
    """Whether it lists mentors, as many as a page has."""
    statements: int = 1


def measure_figures(scene: Scene, ours: Server, settings: Settings, *, rounds: int) -> Sequence[Figure]:
    """Measure everything that is asked."""
    asked = [*_sums(scene.org_id), *_leaderboard(scene.org_id), *_lists(scene.org_id)]
    found: dict[str, list[Timed]] = {one.name: [] for one in asked}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(rounds):
            read_s = runner.run(_time_readings(settings, asked))
            for one in asked:
                request = scene.get(f"/v1/orgs/{scene.org_id}/{one.path}")
                answers, _ = ours.ask([request], expected=200, seconds=ASKED_S, connections=1)
                answer_s = median(answers.latencies_s)
                found[one.name].append(Timed(read_s[one.name], read_s[SELECT_1], answer_s, read_s[SELECT_1]))
    return [Figure(name=one.name, statements=one.statements, rounds=found[one.name]) for one in asked]


def _sums(org_id: str) -> list[Asked]:
    async def history(database: Database) -> object:
        today = await read_today(database, org_id)
        return await read_history(database, org_id, today, read_period(today.date, days=DAYS_SHOWN))

    return [
        Asked(name="summary", read=partial(organisation.summary, org_id=org_id), path="summary", is_page=False),
        Asked(
            name="daily series",
            read=partial(organisation.daily, org_id=org_id, days=DAYS_SHOWN),
            path="daily",
            is_page=False,
        ),
        Asked(
            name="period and the one before",
            read=history,
            path=f"history?days={DAYS_SHOWN}",
            is_page=False,
            statements=4,
        ),
    ]


def _leaderboard(org_id: str) -> list[Asked]:
    page = partial(organisation.leaderboard, org_id=org_id, limit=SHOWN)
    far = Place(rank=FAR, confirmed=15, mentor_id=mentor_id(FAR))

    async def find(database: Database) -> object:
        wanted = read_wanted(NAMED)
        return wanted and await find_mentors(database, org_id, wanted, limit=SHOWN)

    return [
        Asked(name="leaderboard", read=page, path=f"leaderboard?limit={SHOWN}"),
        Asked(
            name="leaderboard, far in",
            read=partial(page, after=far),
            path=f"leaderboard?limit={SHOWN}&after={write_cursor(far)}",
        ),
        Asked(
            name="mentors by name",
            read=find,
            path=f"mentors?find={NAMED.replace(' ', '+')}&limit={SHOWN}",
        ),
    ]


def _lists(org_id: str) -> list[Asked]:
    """Return the lists of people, each as the page asks first, and from a place in the middle of it."""
    now = datetime.now(UTC)
    middle, key = mentor_id(FAR), (now - timedelta(days=DAYS * 3 // 4)).date().toordinal()
    listed = partial(lists.listed, org_id=org_id, order="most", limit=SHOWN)
    quiet, pending = (partial(listed, kind=kind, bound=30) for kind in ("quiet", "pending"))
    clicks = partial(listed, kind="clicks", bound=1)
    close = partial(lists.close, org_id=org_id, within=2, limit=SHOWN)
    reached = partial(lists.just_reached, org_id=org_id, limit=SHOWN)
    every, to_thank = partial(reached, is_open=False), partial(reached, is_open=True)
    reached_at = ReachedPlace(now - timedelta(days=DAYS // 2), 1, middle)
    return [
        *_both("no activity", quiet, "no-activity?days=30", ListPlace("quiet", key, middle)),
        *_both("pending for long", pending, "pending?days=30", ListPlace("pending", key, middle)),
        *_both("clicks alone", clicks, "clicks-only?clicks=1", ListPlace("clicks", 50, middle)),
        *_both("close to a badge", close, "close-to-badge?within=2", ClosePlace(1, 9, middle)),
        *_both("just reached", every, "just-reached?show=all", reached_at),
        *_both("just reached, to thank", to_thank, "just-reached?show=open", reached_at),
    ]


def _both(
    name: str, read: Callable[..., Awaitable[object]], path: str, place: ListPlace | ClosePlace | ReachedPlace
) -> list[Asked]:
    address = f"lists/{path}&limit={SHOWN}"
    return [
        Asked(name=name, read=partial(read, after=None), path=address),
        Asked(
            name=f"{name}, far in",
            read=partial(read, after=place),
            path=f"{address}&after={write_cursor(place)}",
        ),
    ]


async def _time_readings(settings: Settings, asked: Sequence[Asked]) -> dict[str, float]:
    """Return the median of the times of each, and of SELECT 1's, all read in turn."""

    async def select_1(database: Database) -> object:
        return await database.rows(None, SELECT_1)

    readings: dict[str, Reading] = {SELECT_1: select_1, **{one.name: one.read for one in asked}}
    times: dict[str, list[float]] = {name: [] for name in readings}
    async with Database(settings) as database:
        for one in asked:
            _see_page(one, await one.read(database))
        for _ in range(READ):
            for name, read in readings.items():
                started_s = time.perf_counter()
                await read(database)
                times[name].append(time.perf_counter() - started_s)
    return {name: median(taken_s) for name, taken_s in times.items()}


def _see_page(one: Asked, answer: object) -> None:
    """See that a list has its page: what is not there is quickly read."""
    lists_told = [value for value in msgspec.to_builtins(answer).values() if isinstance(value, list)]
    if one.is_page and not any(len(listed) == SHOWN for listed in lists_told):
        msg = f"{one.name}: the organisation of the bench has no full page of it"
        raise RuntimeError(msg)
