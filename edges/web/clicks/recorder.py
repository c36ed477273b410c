"""Where clicks are recorded: on the disk at once, in Kafka a moment later."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from edges.web.clicks.producer import ClickProducer
from edges.web.clicks.publisher import Publisher
from edges.web.clicks.spool import Spool, SpoolFull
from models.events import Click, DeviceMetadata, encode_event
from process.settings import Settings

GRACE_S: Final = 5.0
"""How long a server that stops publishes what still waits."""

log = structlog.get_logger("clicks")


class ClickRecorder(Collector):
    """Records clicks; none is lost while they fit on the disk. A context manager; used from one thread."""

    def __init__(self, settings: Settings) -> None:
        """Open the spool; raise SettingsError if it cannot be used."""
        self._spool = Spool(spool_dir(settings), bytes_max=settings.spool_bytes_max)
        self._publisher = Publisher(
            self._spool, lambda time_left_s: ClickProducer(settings, self._spool.id, time_left_s=time_left_s)
        )
        self._random_bits = random.Random(os.urandom(32)).getrandbits  # noqa: S311  ids must differ, they hide nothing
        self._recorded = 0
        self._bytes_max = settings.spool_bytes_max
        self._dropped: Counter[Literal["bound", "disk"]] = Counter()
        self._is_dropping = False

    def record(self, code: str, channel: str | None, occurred_at: datetime | None = None) -> None:
        """Record a click on a normalised code, with a cleaned channel, now unless it was before; wait for no broker.

        A click that there is no room for is counted as dropped, and said once.
        """
        click = Click(
            click_id=self._new_id(),
            referral_code=code,
            occurred_at=occurred_at or datetime.now(UTC),
            device_metadata=None if channel is None else DeviceMetadata(share_channel=channel),
        )
        try:
            self._spool.append(code.encode(), encode_event(click))
        except SpoolFull:
            self._drop("bound", "as many bytes wait for Kafka as REFERRALS_SPOOL_BYTES_MAX allows")
        except OSError as error:
            self._drop("disk", str(error))
        else:
            self._recorded += 1
            self._publisher.wake()
            if self._is_dropping:
                self._is_dropping = False
                log.info("clicks_kept_again", dropped=self._dropped.total())

    async def __aenter__(self) -> Self:
        """Begin to publish; wait for no broker."""
        self._publisher.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Publish what is there if Kafka is; what is left waits for the next start."""
        has_ended = await asyncio.to_thread(self._publisher.stop, GRACE_S)
        if self._spool.waiting_bytes:
            log.warning("clicks_left", waiting_bytes=self._spool.waiting_bytes)
        if has_ended:
            self._spool.close()

    @property
    def waits_s(self) -> float:
        """For how many seconds clicks have waited without any of them getting into Kafka; 0 where none waits."""
        return self._publisher.waits_s

    def collect(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus."""
        yield CounterMetricFamily("referrals_clicks_recorded", "Clicks of people, kept.", value=self._recorded)
        yield CounterMetricFamily("referrals_clicks_published", "Clicks in Kafka.", value=self._publisher.published)
        dropped = CounterMetricFamily("referrals_clicks_dropped", "Clicks without room.", labels=["reason"])
        for reason in ("bound", "disk"):
            dropped.add_metric([reason], self._dropped[reason])
        yield dropped
        yield GaugeMetricFamily("referrals_spool_bytes", "Clicks that wait for Kafka.", value=self._spool.waiting_bytes)
        yield GaugeMetricFamily("referrals_spool_max_bytes", "How much of them may.", value=self._bytes_max)
        yield GaugeMetricFamily(
            "referrals_spool_standing_seconds",
            "For how long they have waited without any of them getting into Kafka; 0 where none waits.",
            value=self.waits_s,
        )

    def _new_id(self) -> str:
        """Return a random UUID (version 4); `uuid.uuid4` takes 3 us, and asks the system for every one."""
        digits = f"{self._random_bits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def _drop(self, reason: Literal["bound", "disk"], why: str) -> None:
        self._dropped[reason] += 1
        if not self._is_dropping:
            self._is_dropping = True
            log.error("clicks_dropped", reason=why, waiting_bytes=self._spool.waiting_bytes)


def spool_dir(settings: Settings) -> Path:
    """Return where clicks wait: the setting, or `spool` in the data directory."""
    return settings.data_dir / "spool" if settings.spool_dir is None else settings.spool_dir
