"""Clicks on codes that cannot be looked up: recorded when they can, if the code was issued."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from edges.web.clicks import unsure
from edges.web.clicks.landing import Landing, LandingPages, LookupFailed
from edges.web.clicks.recorder import ClickRecorder
from edges.web.clicks.unsure import UnsureClicks

DEADLINE_S = 10.0


class Landings(LandingPages):
    """Stands for Postgres, there or away; codes that begin with an A were issued."""

    def __init__(self) -> None:
        self.is_away = True

    async def find(self, code: str) -> Landing | None:
        """Answer."""
        if self.is_away:
            raise LookupFailed
        return Landing("org", "", "", frozenset()) if code.startswith("A") else None


class Recorder(ClickRecorder):
    """Takes what is recorded."""

    def __init__(self) -> None:
        self.recorded: list[tuple[Any, ...]] = []

    def record(self, code: str, channel: str | None, occurred_at: datetime | None = None) -> None:
        """Take a click."""
        self.recorded.append((code, channel, occurred_at))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsure, "PAUSE_S", 0.01)


def figures(clicks: UnsureClicks) -> dict[str, float]:
    """Return what Prometheus reads, by what became of clicks."""
    counted, _ = clicks.collect()
    return {sample.labels["became"]: sample.value for sample in counted.samples}


async def test_guessed_codes_become_no_clicks() -> None:
    """What was issued is recorded as of when it was clicked; the rest is not."""
    landings, recorder = Landings(), Recorder()
    async with UnsureClicks(landings, recorder) as clicks:
        before = datetime.now(UTC)
        for code in ("A1", *(f"B{number}" for number in range(100)), "A2"):
            clicks.keep(code, "sms")
        after = datetime.now(UTC)
        await asyncio.sleep(0.1)
        assert recorder.recorded == []
        landings.is_away = False
        async with asyncio.timeout(DEADLINE_S):
            while len(recorder.recorded) < 2:  # noqa: ASYNC110  it is done beside
                await asyncio.sleep(0.01)
        assert [each[:2] for each in recorder.recorded] == [("A1", "sms"), ("A2", "sms")]
        assert all(before <= each[2] <= after for each in recorder.recorded)
        assert figures(clicks) == {"recorded": 2, "not_issued": 100, "dropped": 0}
    assert len(recorder.recorded) == 2


async def test_a_server_that_stops_records_what_is_left() -> None:
    """Nobody could be asked, and they may be somebody's."""
    recorder = Recorder()
    async with UnsureClicks(Landings(), recorder) as clicks:
        clicks.keep("A1", None)
        clicks.keep("B1", None)
    assert [each[0] for each in recorder.recorded] == ["A1", "B1"]


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is dropped, and counted."""
    monkeypatch.setattr(unsure, "CLICKS_MAX", 10)
    recorder = Recorder()
    async with UnsureClicks(Landings(), recorder) as clicks:
        for number in range(25):
            clicks.keep(f"A{number}", None)
        assert figures(clicks)["dropped"] == 15
    assert len(recorder.recorded) == 10
