"""How often pages are told, without Postgres."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from edges.web import feed
from edges.web.answers.organisation import PeriodCounts, Summary
from edges.web.database import DatabaseUnavailable
from edges.web.feed import Feed, FeedEnded, TooManyPages

ORG = "0a000000-0000-4000-8000-000000000001"
NOWHERE = "postgresql://127.0.0.1:1/nothing"
YIELDS = 50


class Sums:
    """An organisation's sums, which change each time they are computed."""

    def __init__(self) -> None:
        self.computed = 0
        self.is_away = False

    async def __call__(self, org_id: str) -> Summary:
        """Return them as they are now."""
        self.computed += 1
        if self.is_away:
            raise DatabaseUnavailable
        return Summary(
            org_id=org_id,
            name=None,
            mentors=0,
            active_mentors=0,
            total_clicks=self.computed,
            pending_attributions=0,
            confirmed_attributions=0,
            conversion_rate=0.0,
            milestones=0,
            awards=0,
            filtered_clicks=0,
            happened=PeriodCounts(clicks=0, registered=0, confirmed=0, withdrawn=0),
            updated_at=None,
        )


async def run_a_little() -> None:
    """Let tasks run that wait for nothing."""
    for _ in range(YIELDS):
        await asyncio.sleep(0)


async def notify_often(feed_: Feed) -> None:
    """Notify again and again, as each batch of the projection does."""
    for _ in range(YIELDS):
        feed_._audiences[ORG].wake()  # noqa: SLF001  what a notification does
        await run_a_little()


@pytest.mark.parametrize(("pause_s", "least", "most"), [(3_600.0, 1, 1), (0.0, 10, YIELDS + 1)])
async def test_sums_are_computed_once_a_pause(
    monkeypatch: pytest.MonkeyPatch, pause_s: float, least: int, most: int
) -> None:
    """However often it is notified; without a pause it is each time."""
    monkeypatch.setattr(feed, "PAUSE_S", pause_s)
    sums = Sums()
    async with Feed(NOWHERE, sums, asyncio.Event()) as feed_:
        with feed_.open_page(ORG):
            await notify_often(feed_)
            assert least <= sums.computed <= most


async def test_pages_share_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second page is told what the first knows, at once; and a page that was slow only the latest."""
    monkeypatch.setattr(feed, "PAUSE_S", 0.0)
    sums = Sums()
    async with Feed(NOWHERE, sums, asyncio.Event()) as feed_:
        with feed_.open_page(ORG) as slow:
            await notify_often(feed_)
            monkeypatch.setattr(feed, "PAUSE_S", 3_600.0)
            feed_._audiences[ORG].wake()  # noqa: SLF001  the same
            await run_a_little()
            latest = sums.computed
            with feed_.open_page(ORG) as second:
                for page in (slow, second):
                    change = await page.next(0)
                    assert change is not None
                    assert change.summary.total_clicks == latest
                    assert await page.next(0) is None
            assert sums.computed == latest


async def test_nobody_is_counted_for_when_the_last_page_is_gone() -> None:
    """Its task ends with it."""
    sums = Sums()
    async with Feed(NOWHERE, sums, asyncio.Event()) as feed_:
        tasks = len(asyncio.all_tasks())
        with feed_.open_page(ORG), feed_.open_page(ORG):
            await run_a_little()
            assert len(asyncio.all_tasks()) == tasks + 1
        await run_a_little()
        assert len(asyncio.all_tasks()) == tasks


async def test_without_the_database_pages_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told as soon as it is back."""
    monkeypatch.setattr(feed, "PAUSE_S", 0.0)
    sums = Sums()
    sums.is_away = True
    async with Feed(NOWHERE, sums, asyncio.Event()) as feed_:
        with feed_.open_page(ORG) as page:
            await notify_often(feed_)
            assert await page.next(0) is None
            sums.is_away = False
            feed_._audiences[ORG].wake()  # noqa: SLF001  the same
            await run_a_little()
            assert await page.next(0) is not None


async def test_an_organisation_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has at most its share; where all places are taken, one with fewer pages takes the place of its oldest."""
    monkeypatch.setattr(feed, "PAGES_MAX", 4)
    monkeypatch.setattr(feed, "PAGES_OF_ORGANISATION_MAX", 3)
    other, third = ORG.replace("1", "2"), ORG.replace("1", "3")
    async with Feed(NOWHERE, Sums(), asyncio.Event()) as feed_:
        with ExitStack() as opened:
            first, *_ = [opened.enter_context(feed_.open_page(ORG)) for _ in range(3)]
            assert not feed_.has_room(ORG)
            with pytest.raises(TooManyPages):
                opened.enter_context(feed_.open_page(ORG))
            opened.enter_context(feed_.open_page(other))
            opened.enter_context(feed_.open_page(third))
            with pytest.raises(FeedEnded):
                await first.next(0)
            assert {org_id: len(audience.pages) for org_id, audience in feed_._audiences.items()} == {  # noqa: SLF001
                ORG: 2,
                other: 1,
                third: 1,
            }
            assert not feed_.has_room(other)
        assert feed_._audiences == {}  # noqa: SLF001  nothing is kept of who has gone
