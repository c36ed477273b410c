"""What is counted of mail, and whether it is well. Nothing here names a person, an address or an organisation."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from edges.mail.outbox import Figures, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

Outcome: TypeAlias = Literal["sent", "put_off", "gave_up", "not_wanted"]

STANDS_S: Final = 180.0
"""No turn of the loop takes so long: a mail has a minute, and so has a statement."""
YOUNG_S: Final = 30.0
"""A turn takes seconds where the mail server and Postgres answer; who is stopped and keeps his connections does not."""


class MailState:
    """What the loop notes of itself."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[Kind, Outcome], int] = {
            (kind, outcome): 0 for kind in get_args(Kind) for outcome in get_args(Outcome)
        }
        self.figures = Figures(0, None, None)
        self.turned_s = time.monotonic()
        """When the loop last turned."""
        self.has_looked = False
        self.server_away: str | None = None
        """Why the mail server takes none; None: it does, or has not been asked."""
        self.server_away_since_s: float | None = None
        self.store_away: str | None = None

    def note_away(self, problem: str) -> bool:
        """Note that the mail server takes none; tell whether that is news."""
        is_news = self.server_away != problem
        self.server_away = problem
        self.server_away_since_s = self.server_away_since_s or time.monotonic()
        return is_news

    def note_back(self) -> float | None:
        """Note that it takes mail; return after how many seconds, None where it always did."""
        since_s, self.server_away_since_s, self.server_away = self.server_away_since_s, None, None
        return None if since_s is None else time.monotonic() - since_s


class MailMetrics(Collector):
    """The metrics of `referrals mail`."""

    def __init__(self, state: MailState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield everything; for the registry."""
        state = self._state
        mails = CounterMetricFamily(
            "referrals_mails", "Mails by what became of each attempt.", labels=["kind", "outcome"]
        )
        for (kind, outcome), count in state.outcomes.copy().items():
            mails.add_metric([kind, outcome], count)
        yield mails
        yield GaugeMetricFamily("referrals_mail_waiting", "Mails in the outbox.", value=state.figures.waiting)
        oldest_at = state.figures.oldest_at
        age_s = 0.0 if oldest_at is None else (datetime.now(UTC) - oldest_at).total_seconds()
        yield GaugeMetricFamily(
            "referrals_mail_oldest_age_seconds", "How long the oldest of them has waited.", value=max(0.0, age_s)
        )
        since_s = state.server_away_since_s
        yield GaugeMetricFamily(
            "referrals_mail_server_away_seconds",
            "For how long the mail server takes no mail; 0 where it does.",
            value=0.0 if since_s is None else time.monotonic() - since_s,
        )


class MailHealth:
    """Whether the loop turns, and whether what is due goes out."""

    def __init__(self, state: MailState) -> None:
        self._state = state

    def live(self) -> dict[str, str]:
        """Return for how long the loop stands still; to wait for a server or a database that is away is to move."""
        stands_s = time.monotonic() - self._state.turned_s
        return {"loop": f"no progress for {stands_s:.0f} s"} if stands_s >= STANDS_S / 2 else {}

    def ready(self) -> dict[str, str]:
        """Return what is missing; empty where nothing is."""
        missing = self.live()
        if (stands_s := time.monotonic() - self._state.turned_s) >= YOUNG_S:
            missing.setdefault("loop", f"no answer of Postgres or the mail server for {stands_s:.0f} s")
        if self._state.store_away is not None:
            missing["postgres"] = self._state.store_away
        elif not self._state.has_looked:
            missing["outbox"] = "has not been looked at yet"
        if self._state.server_away is not None:
            missing["smtp"] = self._state.server_away
        return missing
