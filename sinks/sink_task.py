"""The loop that every sink runs in: poll, put, dead letters, commit. The words are Kafka Connect's.

Failure handling:

- The effect comes first and the offset second. Killed between the two, the process that takes over gets the same
  records again and puts them again; so `Sink.put` must make no difference the second time.
- The store is away: the same records are tried again after 0.1 s, then twice as long each time up to 5 s, without
  end. The source's subscription is kept meanwhile. Said once, and once when the store is back.
- A record that makes the sink fail is found by putting the records of its batch one by one. It becomes a dead letter,
  acknowledged before the offset; the others are put.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import structlog

from process.fault_points import fault_point
from sinks.errors import RecordRefused, StoreUnavailable
from sinks.records import DeadLetter, Record

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from sinks.dead_letters import DeadLetters
    from sinks.milestone_source import MilestoneSource

POLL_TIMEOUT_S: Final = 0.1
"""How long an idle poll waits, and so how late `Sink.tend` may be; a record ends the wait at once."""

RETRY_DELAY_FIRST_S: Final = 0.1
RETRY_DELAY_MAX_S: Final = 5.0

_STAY_INTERVAL_S: Final = 0.5
"""While waiting, the source is told this often that we live; its group gives us minutes."""

Result = TypeVar("Result")


class Sink(Protocol):
    """Something that keeps what records say."""

    @property
    def name(self) -> str:
        """What it is called in logs and fault points."""

    def open(self) -> None:
        """Begin; called once, before the first records."""

    def put(self, records: Sequence[Record]) -> list[DeadLetter]:
        """Keep the records, all or none, and return those that cannot be used. Doing it twice is doing it once.

        Raises:
            StoreUnavailable: to be tried again.
            Exception: anything else is the fault of one of the records.

        """

    def tend(self) -> None:
        """Do what time or others have made due; called after each poll.

        Raises:
            StoreUnavailable: to be tried again.

        """

    def close(self) -> None:
        """Let go of connections; the next use opens them again."""


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The loop was asked to stop while it waited; what it waited with is delivered again to the next subscriber."""


class SinkTask:
    """A source, a sink, and the dead letters of the two."""

    def __init__(self, *, source: MilestoneSource, sink: Sink, dead_letters: DeadLetters) -> None:
        self._source = source
        self._sink = sink
        self._dead_letters = dead_letters
        self._log = structlog.stdlib.get_logger("sinks.sink_task").bind(sink=sink.name)
        self._polled = f"{sink.name}.polled"
        self._committed = f"{sink.name}.committed"

    def run(self, stop: threading.Event) -> None:
        """Subscribe and work until `stop` is set, then commit and close; may be called again."""
        self._source.subscribe()
        self._log.info("sink.started")
        try:
            self._patiently(self._sink.open, stop)
            while not stop.is_set():
                self.step(stop)
        except Stopped:
            pass
        finally:
            self._source.close()
            self._sink.close()
        self._log.info("sink.stopped")

    def step(self, stop: threading.Event, *, timeout_s: float = POLL_TIMEOUT_S) -> int:
        """Deal with what is there, waiting at most `timeout_s` seconds for a first record; return how many there were.

        Raises:
            Stopped: `stop` was set while the store or Kafka was away.

        """
        records = self._source.poll(timeout_s)
        if records:
            fault_point(self._polled)
            letters = self._patiently(lambda: self._put(records), stop)
            fault_point(self._committed)
            if letters:
                self._send(letters, stop)
            self._source.commit(records)
        self._patiently(self._sink.tend, stop)
        return len(records)

    def _put(self, records: Sequence[Record]) -> list[DeadLetter]:
        try:
            return self._sink.put(records)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a record causes must not end the others
            first, last = records[0], records[-1]
            self._log.warning(
                "sink.batch_failed",
                records=len(records),
                topic=first.topic,
                first_partition=first.partition,
                first_offset=first.offset,
                last_offset=last.offset,
                error=_name(error),
            )
            return [letter for record in records for letter in self._put_alone(record)]

    def _put_alone(self, record: Record) -> list[DeadLetter]:
        try:
            return self._sink.put([record])
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the same
            self._log.exception(
                "sink.record_failed",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
            )
            return [DeadLetter(record, RecordRefused(_name(error)))]

    def _send(self, letters: Sequence[DeadLetter], stop: threading.Event) -> None:
        self._dead_letters.send(letters)
        while not self._dead_letters.flush():
            if stop.is_set():
                raise Stopped
            self._source.stay()

    def _patiently(self, action: Callable[[], Result], stop: threading.Event) -> Result:
        """Do something that may find the store away, as often as it takes."""
        delay_s = RETRY_DELAY_FIRST_S
        away_since: float | None = None
        while True:
            try:
                result = action()
            except StoreUnavailable as error:
                if away_since is None:
                    away_since = time.monotonic()
                    self._log.warning("sink.store_unavailable", error=str(error))
                self._wait(delay_s, stop)
                delay_s = min(delay_s * 2, RETRY_DELAY_MAX_S)
            else:
                if away_since is not None:
                    self._log.info("sink.store_back", away_s=round(time.monotonic() - away_since, 1))
                return result

    def _wait(self, delay_s: float, stop: threading.Event) -> None:
        end = time.monotonic() + delay_s
        while (left_s := end - time.monotonic()) > 0:
            self._source.stay()
            if stop.wait(min(left_s, _STAY_INTERVAL_S)):
                raise Stopped


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
