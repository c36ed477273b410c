"""What the leader of the stream workers does by the clock: Faust is told when, and that the leader alone does it."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest

from commands.daily import reconcile_in_process
from process.settings import load_settings
from streams.app import create_app
from streams.engine.app import EngineApp


async def daily() -> None:
    """Do nothing."""


async def minutely() -> None:
    """Do nothing either."""


def test_what_is_done_takes_nothing() -> None:
    """Faust gives its app to who takes an argument, also one that has a default."""
    assert not signature(reconcile_in_process).parameters


@pytest.mark.parametrize(
    ("reconcile_at", "scheduled"),
    [("0 3 * * *", [("0 3 * * *", daily), ("* * * * *", minutely)]), ("off", [])],
)
def test_what_the_leader_does(
    monkeypatch: pytest.MonkeyPatch, reconcile_at: str, scheduled: list[tuple[str, Any]]
) -> None:
    """At the time that is set, and each minute for intervals of their own; `off` is never, for these too."""
    found: list[tuple[str, Any]] = []

    def crontab(_app: EngineApp, at: str, *, timezone: object, on_leader: bool) -> Any:  # noqa: ANN401  Faust's own
        assert on_leader
        assert timezone is not None
        return lambda done: found.append((at, done))

    monkeypatch.setattr(EngineApp, "crontab", crontab)
    create_app(load_settings(reconcile_at=reconcile_at), daily=daily, minutely=minutely)
    assert found == scheduled
