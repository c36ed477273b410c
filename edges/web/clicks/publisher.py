"""The thread that moves the spool to Kafka: at once while all is well, and patiently while it is not.

A producer of which any call has failed is thrown away. The next one asks Kafka how far the spool was published, and
goes on from there; there is no half-way repair.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from edges.web.clicks.producer import CALL_TIMEOUT_S, ClickProducer, NotPublished
from edges.web.clicks.spool import Spool
from process.faults import named

REST_S: Final = 0.1
REST_S_MAX: Final = 0.2
"""Rest after a batch, while the next one gathers, otherwise as long as the batch took. A transaction costs the broker
milliseconds, however small it is: at 6,000 clicks/s a click costs it 53 us with a rest of 0.02 s, and 28 with 0.1. A
click that comes after a rest is published at once."""
PAUSE_S: Final = 0.2
PAUSE_MAX_S: Final = 2.0
"""Pauses between attempts while Kafka is away; each is twice as long as the one before."""

MakeProducer = Callable[[Callable[[], float]], ClickProducer]
"""Makes a producer; it is given what tells how long this process may wait at most."""

log = structlog.get_logger("clicks")


class Publisher(threading.Thread):
    """Publishes what is appended to the spool, until it is stopped."""

    def __init__(self, spool: Spool, make_producer: MakeProducer) -> None:
        super().__init__(name="clicks", daemon=True)
        self._spool = spool
        self._make_producer = make_producer
        self._news = threading.Event()
        self._stop_at = float("inf")
        self._stopping = threading.Event()
        self.published = 0
        """Clicks published by this process."""
        self.is_away = False
        """Whether clicks wait because Kafka does not take them."""
        self._stands_since_s: float | None = None
        """Since when some wait and none was published; None: none waited when it was last looked at."""

    @property
    def waits_s(self) -> float:
        """For how many seconds clicks have waited without any of them getting into Kafka; 0 where none waits.

        It is known only to who looks now and then: the time of the first look at which one waited counts.
        """
        if not self._spool.waiting_bytes:
            self._stands_since_s = None
            return 0.0
        now_s = time.monotonic()
        since_s = self._stands_since_s
        if since_s is None:
            since_s = self._stands_since_s = now_s
        return now_s - since_s

    def wake(self) -> None:
        """Say that something was appended."""
        if not self._news.is_set():
            self._news.set()

    def stop(self, grace_s: float) -> bool:
        """Publish what is there, for at most so many seconds, and end; while Kafka is away at once. The rest stays.

        Returns whether it has ended; a call of librdkafka may last longer, until the transaction's time is over.
        """
        self._stop_at = time.monotonic() + grace_s
        self._stopping.set()
        self._news.set()
        self.join(grace_s + CALL_TIMEOUT_S)
        return not self.is_alive()

    def run(self) -> None:
        """Publish; called by the thread."""
        pause_s = PAUSE_S
        while not self._stopping.is_set() or self._may_finish():
            published = self.published
            try:
                self._publish()
            except NotPublished as error:
                self._note_away(str(error), exc_info=False)
            except Exception as error:  # noqa: BLE001  the thread must not end, whatever it is: clicks would wait for ever
                self._note_away(named(error), exc_info=True)
            pause_s = PAUSE_S if self.published > published else min(2 * pause_s, PAUSE_MAX_S)
            self._stopping.wait(pause_s)

    def _publish(self) -> None:
        """Publish with one producer until it fails, or there is no more to do for a process that stops."""
        producer = self._make_producer(self._time_left_s)
        try:
            self._spool.note(producer.start())
            if self.is_away:
                self.is_away = False
                log.info("clicks_flow_again", waiting_bytes=self._spool.waiting_bytes)
            while self._time_left_s() > 0:
                self._news.clear()
                batch = self._spool.read()
                if batch.clicks:
                    started_s = time.monotonic()
                    producer.publish(batch)
                    self._spool.note(batch.ends_at)
                    self.published += len(batch.clicks)
                    self._stands_since_s = None
                    self._stopping.wait(min(max(REST_S, time.monotonic() - started_s), REST_S_MAX))
                elif self._stopping.is_set():
                    return
                else:
                    self._news.wait()
        finally:
            producer.let_go()

    def _may_finish(self) -> bool:
        """Tell whether a process that stops has something to publish, and can."""
        return self._spool.waiting_bytes > 0 and not self.is_away and self._time_left_s() > 0

    def _time_left_s(self) -> float:
        return self._stop_at - time.monotonic()

    def _note_away(self, reason: str, *, exc_info: bool) -> None:
        if not self.is_away:
            log.warning("clicks_wait", reason=reason, waiting_bytes=self._spool.waiting_bytes, exc_info=exc_info)
        self.is_away = True
