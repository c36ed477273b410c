"""Planted bugs: each takes one step of the protocol away, as somebody might in good faith.

The simulation must find all. A bug is a function that changes the program in this process, for good: a process runs
with one at most.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Final
from uuid import UUID

from msgspec import structs

from models import milestones
from models.attribution import Attribution
from models.changes import Changes
from models.erasures import MemberRows
from models.waiting import WaitingRoom
from sinks import sink_task
from sinks.badge_awarder import BadgeAwarder
from sinks.positions import NOWHERE
from streams.engine import committing, engine, takeover
from streams.engine.batch import RecordBatch
from streams.engine.epoch import Epoch
from streams.engine.errors import CommitFailed, Interrupted
from streams.engine.isolation import Isolation
from streams.engine.options import EngineOptions
from streams.engine.partition import SourcePartition
from streams.engine.producer import TransactionalProducer
from streams.engine.standing import SEAL_KEY, Found
from tests.simulation import schedule
from tests.simulation.clients import FakeClients
from tests.simulation.substitutes import VIRTUAL

BUGS: Final[dict[str, Callable[[], None]]] = {}


def _bug(plant: Callable[[], None]) -> Callable[[], None]:
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant


def _replace(owner: Any, name: str, value: Any) -> Any:
    old = getattr(owner, name)
    setattr(owner, name, value)
    return old


@_bug
def offset_before_state() -> None:
    """Positions are committed first, in a transaction of their own, and then what they stand for."""

    def commit(self: TransactionalProducer, epoch: Epoch) -> None:
        first, rest = Epoch(), copy(epoch)
        first.standing, rest.standing = epoch.standing, None
        original(self, first)
        original(self, rest)

    original = _replace(TransactionalProducer, "commit", commit)


@_bug
def row_changed_after_detach() -> None:
    """The next epoch goes on in the dicts of the one that is being committed."""

    def detach(self: SourcePartition, **how: bool) -> Epoch:
        epoch: Epoch = original(self, **how)
        self.epoch.rows = epoch.rows
        return epoch

    original = _replace(SourcePartition, "detach", detach)


@_bug
def unfenced_producer() -> None:
    """The transactional id is the process's own, not the partition's."""

    def transactional_id(self: EngineOptions, partition: int) -> str:
        return f"{self.app_id}-{partition}-{id(self.clients)}"

    _replace(EngineOptions, "transactional_id", transactional_id)


@_bug
def skipped_partition() -> None:
    """Off by one: the last partition is not taken over."""

    async def take_over(options: Any, cluster: Any, group: Any, numbers: list[int], **more: Any) -> Any:
        taken = [number for number in numbers if number + 1 < options.partitions]
        return await original(options, cluster, group, taken, **more)

    original = _replace(engine, "take_over", take_over)


@_bug
def told_before_it_is_committed() -> None:
    """Of what is sent somebody is told who then may not find it."""

    def commit(self: TransactionalProducer, epoch: Epoch) -> None:
        self._options.on_sent(epoch.outgoing)
        original(self, epoch)
        epoch.outgoing = []  # not once more

    original = _replace(TransactionalProducer, "commit", commit)


@_bug
def random_milestone_id() -> None:
    """A milestone sent again is another one to whoever reads it."""
    _replace(milestones, "milestone_id", lambda *_: str(UUID(int=VIRTUAL.loop.random.getrandbits(128))))


@_bug
def seal_not_written() -> None:
    """The changelogs do not say which epoch changed them last."""

    def send(self: TransactionalProducer, *record: Any, **more: Any) -> None:
        if record[2] != SEAL_KEY:
            original(self, *record, **more)

    original = _replace(TransactionalProducer, "_send", send)


@_bug
def standing_of_the_epoch_before() -> None:
    """What is written of the positions is what they were when the epoch began."""

    def detach(self: SourcePartition, **how: bool) -> Epoch:
        positions = self.positions
        self.positions = before.get(self, positions)
        epoch: Epoch = original(self, **how)
        self.positions = positions
        before[self] = dict(positions)
        return epoch

    before: dict[SourcePartition, dict[str, int]] = {}
    original = _replace(SourcePartition, "detach", detach)


@_bug
def rows_of_aborted_transactions() -> None:
    """Changelogs are read without regard to what was committed."""

    def consumer(self: FakeClients, config: Any) -> Any:
        return original(self, {**config, "isolation.level": "read_uncommitted"})

    original = _replace(FakeClients, "consumer", consumer)


def _commit_again_where(is_retried: Callable[[str], bool]) -> None:
    """Do a failed commit once more, by another client under the same transactional id."""

    def commit(self: TransactionalProducer, epoch: Epoch) -> None:
        try:
            original(self, epoch)
        except CommitFailed as failed:
            if not is_retried(str(failed)):
                raise
            self.__init__(self._options, self._partition)  # type: ignore[misc]  # another client under the same id
            self.start()
            original(self, epoch)

    original = _replace(TransactionalProducer, "commit", commit)


@_bug
def fenced_worker_carries_on() -> None:
    """Whoever is fenced starts his producer again, and goes on with the rows he has."""
    _commit_again_where(lambda failure: "_FENCED" in failure)


@_bug
def epoch_retried_when_nobody_knows() -> None:
    """A commit whose outcome is not known is done again, as another transaction."""
    _commit_again_where(lambda failure: "commit_transaction" in failure and "_FENCED" not in failure)


@_bug
def epoch_again_without_a_look() -> None:
    """An epoch that was interrupted is committed again, whatever has become of the first try or of the changelog."""

    def take_again(options: EngineOptions, _: object, partition: SourcePartition) -> None:
        partition.producer = TransactionalProducer(options, partition.number)
        partition.producer.start()

    _replace(committing, "_take_again", take_again)


@_bug
def interrupted_epoch_is_forgotten() -> None:
    """An epoch whose transaction was interrupted is taken for committed, and the next one goes on from there."""

    def commit(self: TransactionalProducer, epoch: Epoch) -> None:
        try:
            original(self, epoch)
        except Interrupted:
            self.__init__(self._options, self._partition)  # type: ignore[misc]  # another client under the same id
            self.start()

    original = _replace(TransactionalProducer, "commit", commit)


@_bug
def judge_always_heals() -> None:
    """Whatever is found, the new owner goes on."""

    def judge(found: Found) -> dict[str, int]:
        stands = found.standing.positions if found.standing else found.committed
        return {topic: stands.get(topic, log.first) for topic, log in found.sources.items()}

    _replace(takeover, "judge", judge)


@_bug
def fenced_after_loading() -> None:
    """The former owner is fenced when the rows are loaded already."""

    def start(options: EngineOptions, number: int) -> SourcePartition:
        made = SourcePartition(options, number)
        waiting.setdefault(VIRTUAL.loop.current, []).append(made)
        return made

    def find(*arguments: Any) -> Any:
        for made in waiting.pop(VIRTUAL.loop.current, []):
            made.producer.start()
        return original(*arguments)

    waiting: dict[object, list[SourcePartition]] = {}
    _replace(takeover, "_start", start)
    original = _replace(takeover, "find", find)


@_bug
def holes_are_admitted() -> None:
    """A batch is folded though records before it were lost on the way."""

    def admit(self: SourcePartition, batch: RecordBatch) -> None:
        original(self, RecordBatch(batch.topic, batch.partition, batch.fetched, 0, batch.covers_to, batch.generation))

    original = _replace(SourcePartition, "admit", admit)


@_bug
def owed_counts_are_forgotten() -> None:
    """Who takes over does not publish what the rows of a dead owner still had to."""
    _replace(takeover, "_publish", lambda *_: None)


@_bug
def owes_nothing() -> None:
    """An urgent epoch does not say that what it publishes is to follow."""
    original: Any = _replace(SourcePartition, "_standing", lambda self: structs.replace(original(self), owes=False))


@_bug
def offsets_before_what_is_published() -> None:
    """The group's offsets follow each epoch, also one that leaves something out, and whoever sees no lag misses it."""

    def note_written(self: SourcePartition, epoch: Epoch) -> None:
        epoch.is_whole = True
        original(self, epoch)

    original = _replace(SourcePartition, "note_written", note_written)


@_bug
def takeover_commits_nothing() -> None:
    """Neither what the rows still have to publish, nor that the group's offsets follow them."""
    _replace(takeover, "_commit", lambda *_: None)


@_bug
def announced_again() -> None:
    """A state that begins anew does not ask what was announced before."""
    _replace(schedule, "Beginnings", lambda *_: lambda _: {})


@_bug
def set_aside_in_silence() -> None:
    """A record at which the fold fails is passed, and nobody is told."""
    _replace(Attribution, "set_aside", lambda *_: Changes())


@_bug
def batch_set_aside_whole() -> None:
    """Where the fold fails, everything in the batch is set aside."""

    def take(self: Isolation, batch: RecordBatch, take: Callable[[RecordBatch], None]) -> None:
        try:
            take(batch)
        except ArithmeticError as error:
            for part in batch.alone():
                self._set_aside(part, error)

    _replace(Isolation, "take", take)


@_bug
def rows_changed_before_the_fold_failed() -> None:
    """What a batch changes is noted before it is known that the fold ends well."""

    def take(self: Isolation, batch: RecordBatch, take: Callable[[RecordBatch], None]) -> None:
        def take_half(whole: RecordBatch) -> None:
            if len(whole) > 1:
                for part in list(whole.alone())[:-1]:
                    take(part)
            take(whole)

        original(self, batch, take_half)

    original = _replace(Isolation, "take", take)


@_bug
def failed_work_is_not_read_again() -> None:
    """Where the fold fails, what it had taken in before is thrown away with it, and not read once more."""

    def rewind(self: SourcePartition, _failed: RecordBatch | None = None) -> dict[str, int]:
        self.work = None
        return {}

    _replace(SourcePartition, "rewind", rewind)


@_bug
def sink_position_before_its_effect() -> None:
    """The position is moved in a transaction of its own, and the effect comes after it."""

    def put(self: BadgeAwarder, records: Any, reached: Any = NOWHERE) -> Any:
        self.positions.move(reached)
        return original(self, records)

    original = _replace(BadgeAwarder, "put", put)


@_bug
def sink_goes_on_at_kafkas_offset() -> None:
    """A database that went back in time is not noticed: the group's offset says where to go on."""

    def judge(position: Any, log: Any, *, is_used: bool) -> Any:
        if position is not None and log.committed is not None:
            position = structs.replace(position, next=max(log.committed, position.next))
        return original(position, log, is_used=is_used)

    original = _replace(sink_task, "judge", judge)


@_bug
def award_without_its_mentor() -> None:
    """A milestone that waits for its mentor is not looked at again."""
    _replace(BadgeAwarder, "tend", lambda *_: None)


@_bug
def erasure_forgets_what_waits() -> None:
    """An erasure changes the rows of members alone, and what waits for its code still names them."""
    _replace(WaitingRoom, "replace", lambda *_: 0)


@_bug
def erasure_leaves_the_row_that_names_the_member() -> None:
    """A row without the id comes beside it, and a worker that takes the partition over has both."""

    def erase(self: MemberRows, code: str, pair: bytes) -> bool:
        done: bool = original(self, code, pair)
        for key in [key for key, row in self.changed.items() if row is None]:
            del self.changed[key]
        return done

    original = _replace(MemberRows, "erase", erase)


def plant(name: str) -> None:
    """Plant a bug."""
    BUGS[name]()
