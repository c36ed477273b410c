"""The loop that every sink runs in: poll, put, dead letters, positions, offsets. The words are Kafka Connect's.

Failure handling:

- Effect and position are one transaction of the store. Where some of a batch are dead letters, the effect is first,
  then the dead letters, and when these are safe the effect once more, with the positions: a store that went back in
  between has it no more. Killed in between, the process that takes over gets the same records again and puts them
  again; so `Sink.put` must make no difference the second time. Kafka's offsets come last, and nothing depends on them.
- A partition that comes is claimed, which fences whoever had it, and read from where the store says
  (`positions.judge`). A process that was fenced drops what it has in hand and claims anew what the group still gives
  it.
- The store is away: the same records are tried again after 0.1 s, then twice as long each time up to 5 s, without
  end. The source's subscription is kept meanwhile. Said once, again every minute, and once when the store is back.
- A batch fails for another reason: a made-up record that is right is tried. If that fails too, or the tables are of
  another version, it is the store, and is waited for. Else it is a record: it is found by putting the records one by
  one, and becomes a dead letter, acknowledged before the position moves; the others are put.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import structlog

from process.fault_points import fault_point
from process.faults import named, said, where
from sinks.errors import Fenced, RecordRefused, StoreUnavailable
from sinks.metrics import SinkState
from sinks.positions import NOWHERE, Finding, judge
from sinks.records import DeadLetter, Record
from sinks.watchdog import SIGNS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from sinks.dead_letters import DeadLetters
    from sinks.milestone_source import MilestoneSource
    from sinks.positions import Place, Position, Positions, Start

POLL_TIMEOUT_S: Final = 0.1
"""How long an idle poll waits, and so how late `Sink.tend` may be; a record ends the wait at once."""

RETRY_DELAY_FIRST_S: Final = 0.1
RETRY_DELAY_MAX_S: Final = 5.0

SAID_AGAIN_S: Final = 60.0
"""Whoever looks at the log a while later sees what is waited for."""

LOOK_INTERVAL_S: Final = 10.0
"""So often positions are looked at without records: whether the store went back in time, and to move them over what was
no record, a transaction's marker for example."""

BEGIN_INTERVAL_S: Final = 1.0
"""While Kafka does not say how partitions are, it is asked again after this."""

BACKLOG_INTERVAL_S: Final = 1.0
"""So often it is noted how far the partitions are read, and where they end."""

_STAY_INTERVAL_S: Final = 0.5
"""While waiting, the source is told this often that we live; its group gives us minutes."""

Result = TypeVar("Result")


class Sink(Protocol):
    """Something that keeps what records say."""

    @property
    def name(self) -> str:
        """What it is called in logs and fault points."""

    @property
    def positions(self) -> Positions:
        """Where it goes on reading."""

    def open(self) -> None:
        """Begin; called once, before the first records. Raises StoreUnavailable: to be tried again."""

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions begin that were claimed. Raises what `Positions.begin` does."""

    def put(self, records: Sequence[Record], reached: Mapping[Place, int] = NOWHERE) -> list[DeadLetter]:
        """Keep the records, all or none, and return those that cannot be used. Doing it twice is doing it once.

        `reached` is how far their partitions are read then. It is kept in the same transaction if all can be used, and
        else by the caller, when the dead letters are safe.

        Raises:
            StoreUnavailable: to be tried again.
            Fenced: another process has a partition of these now; nothing was kept.
            Exception: anything else is the fault of one of the records, or of the store, as `probe` tells.

        """

    def probe(self) -> None:
        """Put a made-up record that is right, and undo it; whatever is raised is the fault of the store."""

    def tend(self) -> None:
        """Do what time or others have made due; called after each poll. Raises what `put` does."""

    def close(self) -> None:
        """Let go of connections; the next use opens them again."""


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The loop was asked to stop while it waited; what it waited with is delivered again to the next subscriber."""


class SinkTask:
    """A source, a sink, and the dead letters of the two."""

    def __init__(self, *, source: MilestoneSource, sink: Sink, dead_letters: DeadLetters) -> None:
        self.source = source
        self.sink = sink
        self.state = SinkState()
        self._dead_letters = dead_letters
        self._log = structlog.stdlib.get_logger("sinks.sink_task").bind(sink=sink.name)
        self._polled = f"{sink.name}.polled"
        self._committed = f"{sink.name}.committed"
        self._next_look = 0.0
        self._next_begin = 0.0
        self._next_backlog = 0.0

    def run(self, stop: threading.Event) -> None:
        """Subscribe and work until `stop` is set, then commit and close; may be called again."""
        self.source.subscribe()
        self._log.info("sink.started")
        try:
            self._patiently(self.sink.open, stop)
            while not stop.is_set():
                self.step(stop)
        except Stopped:
            pass
        finally:
            self.source.close()
            self.sink.close()
        self._log.info("sink.stopped")

    def step(self, stop: threading.Event, *, timeout_s: float = POLL_TIMEOUT_S) -> int:
        """Deal with what is there, waiting at most `timeout_s` seconds for a first record; return how many there were.

        Raises:
            Stopped: `stop` was set while the store or Kafka was away.

        """
        SIGNS.give()
        records = self.source.poll(timeout_s)
        if records:
            fault_point(self._polled)
        try:
            self._keep(records, stop)
            if time.monotonic() >= self._next_begin and self.source.awaiting():
                self._patiently(self._begin, stop)
            self._patiently(self._tend, stop)
            self.state.done_s = time.monotonic()
            self._look_at_the_backlog(in_hand=False)
        except Fenced as fenced:
            self.state.fenced += 1
            # What is in hand of other partitions was not kept either; all of it is read again from where the store is.
            self._log.warning("sink.fenced", reason=str(fenced))
            self.source.give_back(fenced.places | self.source.reached().keys())
        return len(records)

    def _keep(self, records: Sequence[Record], stop: threading.Event) -> None:
        """Put records, and let positions and offsets follow; look at all positions now and then."""
        reached = self.source.reached()
        if records:
            began_s = time.monotonic()
            letters = self._patiently(lambda: self._put(records, reached), stop)
            self.state.put(len(records), letters, time.monotonic() - began_s)
            fault_point(self._committed)
            good = records
            while letters:
                self._send(letters, stop)
                # Once more, now with the positions: a store that went back meanwhile has the effect no more.
                bad = {id(letter.record) for letter in letters}
                good = [record for record in good if id(record) not in bad]
                letters = self._patiently(partial(self._put, good, reached), stop)
            self.source.commit(records)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_INTERVAL_S
            held = {**dict.fromkeys(self.source.held()), **self.source.reached()}
            if held:
                self._patiently(lambda: self.sink.positions.move(held), stop)
                self.source.commit([])

    def _begin(self) -> None:
        """Claim the partitions that have come, and read them from where the store says."""
        places = self.source.awaiting()
        positions = self.sink.positions.claim(places)
        logs = self.source.look(places)  # after the claim: nobody moves the positions any more
        is_used = len(positions) == len(places) or self.sink.positions.is_used()
        if len(logs) < len(places):
            self._next_begin = time.monotonic() + BEGIN_INTERVAL_S
        starts = {place: judge(positions.get(place), log, is_used=is_used) for place, log in logs.items()}
        if starts:
            self.sink.begin(starts)
            self.source.begin(starts)
        for place, start in sorted(starts.items()):
            self._say(place, start, positions.get(place))

    def _say(self, place: Place, start: Start, position: Position | None) -> None:
        (topic, partition), before = place, None if position is None else position.next
        details = {"topic": topic, "partition": partition, "position": before, "goes_on_at": start.next}
        if start.lost:
            self._log.error(
                "sink.records_lost",
                **details,
                at_most=start.lost,
                remedy="they were deleted before they were read: publish them again from a copy, if there is one; what "
                "comes twice changes nothing",
            )
        elif start.finding in (Finding.AS_EXPECTED, Finding.BEGINS):
            self._log.debug(f"sink.{start.finding}", **details)
        else:
            self._log.warning(f"sink.{start.finding}", **details, read_before=start.read_before)

    def _put(self, records: Sequence[Record], reached: Mapping[Place, int]) -> list[DeadLetter]:
        try:
            return self.sink.put(records, reached)
        except (StoreUnavailable, Fenced):
            raise
        except Exception as error:  # whatever a record causes must not end the others
            self._acquit_store(error)
            if not records:  # only positions
                raise
            first, last = records[0], records[-1]
            self._log.warning(
                "sink.batch_failed",
                records=len(records),
                topic=first.topic,
                first_partition=first.partition,
                first_offset=first.offset,
                last_offset=last.offset,
                reason=named(error),
                where=where(error),
            )
            letters = [letter for record in records for letter in self._put_alone(record)]
            if not letters:
                self.sink.positions.move(reached)
            return letters

    def _put_alone(self, record: Record) -> list[DeadLetter]:
        try:
            return self.sink.put([record])
        except (StoreUnavailable, Fenced):
            raise
        except Exception as error:  # noqa: BLE001 - the same
            self._acquit_store(error)
            self._log.error(
                "sink.record_failed",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=named(error),
                where=where(error),
            )
            return [DeadLetter(record, RecordRefused(_name(error)))]

    def _tend(self) -> None:
        try:
            self.sink.tend()
        except (StoreUnavailable, Fenced):
            raise
        except Exception as error:  # noqa: BLE001 - what waits is looked at again, and must not end what comes
            self._acquit_store(error)
            self._log.error("sink.tend_failed", reason=named(error), where=where(error))

    def _acquit_store(self, error: Exception) -> None:
        """See that what failed is not the store's fault.

        Raises:
            StoreUnavailable: it is; a record that is surely right fails too.

        """
        try:
            self.sink.probe()
        except StoreUnavailable as fault:
            raise StoreUnavailable(f"{_name(error)}; {fault}", blocked_by=fault.blocked_by) from error
        except Exception as fault:  # noqa: BLE001 - whatever it is, no record has caused it
            raise StoreUnavailable(
                f"{_name(fault)}; a made-up record that is right fails too, so the tables are others than this "
                "program knows: see what was changed in the database"
            ) from error

    def _send(self, letters: Sequence[DeadLetter], stop: threading.Event) -> None:
        self._dead_letters.send(letters)
        while not self._dead_letters.flush():
            if stop.is_set():
                raise Stopped
            SIGNS.give()
            self.source.stay()
            self._look_at_the_backlog(in_hand=True)

    def _look_at_the_backlog(self, *, in_hand: bool) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_backlog:
            self._next_backlog = now_s + BACKLOG_INTERVAL_S
            self.state.backlog.look(self.source.behind(in_hand=in_hand), now_s)

    def _patiently(self, action: Callable[[], Result], stop: threading.Event) -> Result:
        """Do something that may find the store away, as often as it takes."""
        delay_s = RETRY_DELAY_FIRST_S
        away_since: float | None = None
        say_again = 0.0
        blocked_by: str | None = None
        while True:
            try:
                result = action()
            except StoreUnavailable as error:
                now = time.monotonic()
                away_since = self.state.away_since_s = now if away_since is None else away_since
                if now >= say_again or error.blocked_by not in (None, blocked_by):
                    say_again, blocked_by = now + SAID_AGAIN_S, error.blocked_by
                    named = {} if blocked_by is None else {"blocked_by": blocked_by}
                    self._log.warning(
                        "sink.store_unavailable", error=str(error), away_s=round(now - away_since, 1), **named
                    )
                self._wait(delay_s, stop)
                delay_s = min(delay_s * 2, RETRY_DELAY_MAX_S)
            else:
                if away_since is not None:
                    self.state.away_since_s = None
                    self._log.info("sink.store_back", away_s=round(time.monotonic() - away_since, 1))
                return result

    def _wait(self, delay_s: float, stop: threading.Event) -> None:
        end = time.monotonic() + delay_s
        while (left_s := end - time.monotonic()) > 0:
            SIGNS.give()
            self.source.stay()
            self._look_at_the_backlog(in_hand=True)
            if stop.wait(min(left_s, _STAY_INTERVAL_S)):
                raise Stopped


def _name(error: Exception) -> str:
    """Return an error's class and what it says; of Postgres's nothing that has a row's values."""
    kind, text = type(error).__name__, said(error)
    return kind if text == kind else f"{kind}: {text}"
