"""Whether the HTTP side has everything that its work needs: for `/health/ready`, and as `referrals_ready` for alerts.

Kafka and Postgres are asked by connections of their own. That what publishes clicks and codes gets on is another
matter: each has its own producer and rights, and may stand while both answer. So each says for how long it has got
nowhere. Nothing is lost meanwhile (clicks wait on the disk, codes in the outbox), and no visitor notices.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from process.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from edges.registry.outbox import OutboxRelay
    from edges.web.clicks.recorder import ClickRecorder
    from edges.web.database import Database
    from edges.web.producer import AcknowledgedProducer

YOUNG_S: Final = 30.0
"""What publishes takes seconds where Kafka and Postgres answer; so long without success is no pause."""


class WebHealth(Collector):
    """How the HTTP side is, as it was found with the last look."""

    def __init__(
        self, *, producer: AcknowledgedProducer, database: Database, relay: OutboxRelay, clicks: ClickRecorder
    ) -> None:
        self._producer = producer
        self._database = database
        self._relay = relay
        self._clicks = clicks
        self._is_ready = False

    async def missing(self) -> dict[str, str]:
        """Return what is missing and why, by part, within seconds; empty where nothing is."""
        kafka, postgres = await asyncio.gather(self._producer.fault(), self._database.fault())
        faults = {"kafka": kafka, "postgres": postgres, "clicks": self._of_clicks(), "codes": self._of_codes()}
        missing = {part: fault for part, fault in faults.items() if fault is not None}
        self._is_ready = not missing
        return missing

    def _of_clicks(self) -> str | None:
        waits_s = self._clicks.waits_s
        return (
            f"no click has come into Kafka for {waits_s:.0f} s; `clicks_wait` in the log says why"
            if waits_s >= YOUNG_S
            else None
        )

    def _of_codes(self) -> str | None:
        stands_s = self._relay.stands_s
        return (
            f"codes were not published for {stands_s:.0f} s: Kafka or Postgres does not answer, or refuses; "
            "`codes.waiting` in the log says why"
            if stands_s >= YOUNG_S
            else None
        )

    def collect(self) -> Iterator[Metric]:
        """Yield it; for the registry. Whoever is answered by this process finds it alive."""
        build = GaugeMetricFamily("referrals_build_info", "Component and version.", labels=["component", "version"])
        build.add_metric(["web", VERSION], 1)
        yield build
        yield GaugeMetricFamily("referrals_live", "1 if /health/live says so, else 0.", value=1)
        yield GaugeMetricFamily("referrals_ready", "1 if /health/ready says so, else 0.", value=self._is_ready)
