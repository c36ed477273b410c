"""Where share links lead: the landing page with the code, from whatever address, and whatever Postgres does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edges.web.clicks import landing as landing_module
from edges.web.clicks.damaged import Damaged
from edges.web.clicks.landing import (
    AWAY_S,
    FRESH_S,
    UNKNOWN_FRESH_S,
    LandingPages,
    LookupFailed,
    read_landing_url,
)
from edges.web.database import Database, DatabaseUnavailable


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://example.org", "https://example.org/?ref=C"),
        ("http://example.org:8080/join", "http://example.org:8080/join?ref=C"),
        ("https://example.org/join?x=1&y=a%20b", "https://example.org/join?x=1&y=a%20b&ref=C"),
        ("https://example.org/join?x=1#top", "https://example.org/join?x=1&ref=C#top"),
        ("https://example.org/#/join", "https://example.org/?ref=C#/join"),
        ("https://example.org/join?ref=mine&referrer=2&ref", "https://example.org/join?referrer=2&ref=C"),
        ("HTTPS://example.org/?", "https://example.org/?ref=C"),
        ("https://[::1]:8080/", "https://[::1]:8080/?ref=C"),
        ("https://example.org/bli medlem/å?q=ø", "https://example.org/bli%20medlem/%C3%A5?q=%C3%B8&ref=C"),
        ("https://blåbær.no/", "https://xn--blbr-roah.no/?ref=C"),
        ("https://straße.example/", "https://xn--strae-oqa.example/?ref=C"),
        ("https://faß.example:8443/", "https://xn--fa-hia.example:8443/?ref=C"),
        ("https://例え。example/", "https://xn--r8jz45g.example/?ref=C"),
        ("https://example.org/\r\nSet-Cookie: a=b", "https://example.org/Set-Cookie:%20a=b?ref=C"),
    ],
)
def test_address(url: str, address: str) -> None:
    """The code is the parameter `ref`; query and fragment of the page stay, and what no header may hold is escaped."""
    assert read_landing_url("org", url).address("C") == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/welcome",
        "//example.org/",
        "example.org",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://example.org/",
        "https://",
        "https:///path",
        "https://[::1",
        "https://" + "å" * 70 + ".no/",
        "https://☃.example/",
        "https://ex\u200cample.org/",
        "https://example.org:99999/",
    ],
)
def test_no_web_address(url: str) -> None:
    """Nothing but http and https with a host is redirected to."""
    with pytest.raises(ValueError, match=r"\w"):
        read_landing_url("org", url)


@given(some.builds(lambda host, rest: f"https://{host}{rest}", some.sampled_from(["example.org", "å.no"]), some.text()))
def test_any_address_fits_into_a_header(url: str) -> None:
    """Whatever stands behind the host, the address is printable ASCII, and the host stays in front."""
    with suppress(ValueError):
        address = read_landing_url("org", url).address("C")
        assert address.isascii()
        assert address.isprintable()
        assert " " not in address
        assert address.startswith("https://")


def test_what_is_passed_on_stands_behind_the_code() -> None:
    """Before the fragment; the page's own parameters are known, so that none is named twice."""
    landing = read_landing_url("org", "https://example.org/join?X=1&ref=mine&y#top")
    assert landing.address("C", "&c=sms") == "https://example.org/join?X=1&y&ref=C&c=sms#top"
    assert landing.own == {"x", "y"}


class Postgres(Database):
    """Stands for a database that is there, away or slow; how it is asked is the point."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_away = False
        self.held: asyncio.Event | None = None
        """If there, an answer waits for it."""
        self.landing_url: str | None = "https://example.org/"
        self.issued: list[str] = []
        """The codes that are looked through for those that begin alike."""

    async def rows(self, org_id: str | None, query: object, values: Any = None) -> list[tuple[Any, ...]]:  # noqa: ANN401, ARG002  Database's
        """Answer: codes that begin with an A were issued."""
        self.asked.append(values[0])
        if self.held is not None:
            await self.held.wait()
        if self.is_away:
            raise DatabaseUnavailable("away")
        if "begin_with" in str(query):
            return [(code,) for code in self.issued if code.startswith(values[0])][:2]
        return [("org", self.landing_url)] if values[0].startswith("A") else []


class Clock:
    """A clock that the test sets."""

    now_s = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


@pytest.fixture
def postgres() -> Postgres:
    """Give a database."""
    return Postgres()


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
def pages(postgres: Postgres, clock: Clock) -> LandingPages:
    """Give what looks codes up in that database, by that clock."""
    return LandingPages(postgres, clock_s=clock)


async def lead(pages: LandingPages, code: str) -> str | None:
    """Return where a code leads; None: not issued; `?`: nobody knows."""
    try:
        landing = await pages.find(code)
    except LookupFailed:
        return "?"
    return landing and landing.address(code)


async def test_answers_are_remembered_while_fresh(pages: LandingPages, postgres: Postgres, clock: Clock) -> None:
    """Postgres is asked once for each code, and again when the answer is old; sooner for codes that were not issued."""
    for _ in range(3):
        assert await lead(pages, "A") == "https://example.org/?ref=A"
        assert await lead(pages, "B") is None
    assert postgres.asked == ["A", "B"]
    clock.now_s += UNKNOWN_FRESH_S
    postgres.landing_url = "https://example.org/new"
    assert await lead(pages, "A") == "https://example.org/?ref=A"
    assert await lead(pages, "B") is None
    clock.now_s += FRESH_S
    assert await lead(pages, "A") == "https://example.org/new?ref=A"
    assert postgres.asked == ["A", "B", "B", "A"]


async def test_asked_once_for_all_who_wait(pages: LandingPages, postgres: Postgres) -> None:
    """A link that a thousand follow at once is one question."""
    postgres.held = asyncio.Event()
    waiting = [asyncio.create_task(lead(pages, "A")) for _ in range(1_000)]
    await asyncio.sleep(0)
    postgres.held.set()
    assert set(await asyncio.gather(*waiting)) == {"https://example.org/?ref=A"}
    assert postgres.asked == ["A"]


async def test_away(pages: LandingPages, postgres: Postgres, clock: Clock) -> None:
    """What was known goes on however old; of others nobody knows, and Postgres is asked once in a while."""
    await lead(pages, "A")
    await lead(pages, "B")
    postgres.is_away = True
    clock.now_s += FRESH_S
    for _ in range(10):
        assert await lead(pages, "A") == "https://example.org/?ref=A"
        assert await lead(pages, "A2") == "?"
        assert await lead(pages, "B") == "?"  # it may have been issued since
    assert len(postgres.asked) == 3
    clock.now_s += AWAY_S
    assert await lead(pages, "A2") == "?"
    assert len(postgres.asked) == 4
    postgres.is_away = False
    assert await lead(pages, "A2") == "?"
    clock.now_s += AWAY_S
    assert [await lead(pages, code) for code in ("A2", "B")] == ["https://example.org/?ref=A2", None]


async def test_silent(pages: LandingPages, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is waited for once; its answer, when it comes after all, is taken."""
    monkeypatch.setattr(landing_module, "PATIENCE_S", 0.01)
    postgres.held = asyncio.Event()
    assert [await lead(pages, code) for code in ("A", "A2", "A3")] == ["?", "?", "?"]
    assert postgres.asked == ["A"]
    postgres.held.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [await lead(pages, code) for code in ("A", "A2")] == [
        "https://example.org/?ref=A",
        "https://example.org/?ref=A2",
    ]
    assert postgres.asked == ["A", "A2"]


async def test_a_damaged_link_means_the_only_code_that_begins_so(pages: LandingPages, postgres: Postgres) -> None:
    """What is certain is not asked for; else Postgres is, and while it is away nobody knows."""
    doubtful = Damaged(("ABCDEFGH", "ABCDEFGHJK"), is_certain=False, query="")
    assert await pages.mean(doubtful._replace(is_certain=True)) == "ABCDEFGH"
    assert postgres.asked == []
    for issued, means in (
        (["ABCDEFGHJK"], "ABCDEFGHJK"),
        (["ABCDEFGH"], "ABCDEFGH"),
        (["ABCDEFGH", "ABCDEFGHJK"], None),
        (["ABCDEFGHJKMN"], None),
        ([], None),
    ):
        postgres.issued = issued
        assert await pages.mean(doubtful) == means
    postgres.is_away = True
    with pytest.raises(LookupFailed):
        await pages.mean(doubtful)


async def test_memory_is_bounded(pages: LandingPages, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The codes looked up longest ago go; guessing drives out no code that was issued."""
    monkeypatch.setattr(landing_module, "KNOWN_MAX", 3)
    monkeypatch.setattr(landing_module, "UNKNOWN_MAX", 2)
    for code in ("A1", "A2", "A3", "B1", "B2", "B3", "B4", "A4"):
        await lead(pages, code)
    postgres.asked.clear()
    for code in ("A2", "A3", "A4", "B3", "B4"):
        await lead(pages, code)
    assert postgres.asked == []
    for code in ("A1", "B2"):
        await lead(pages, code)
    assert postgres.asked == ["A1", "B2"]
