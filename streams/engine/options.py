"""What an application tells the engine, and the engine's figures with their reasons."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from streams.engine.clients import Clients, LibrdkafkaClients

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from streams.engine.batch import Changes, OutgoingRecord, Rows, SourceRecord, Work
    from streams.engine.cluster import Cluster

EXIT_LEFT: Final = 75
"""Exit code of a worker that left because its work was fenced or could not be committed (EX_TEMPFAIL)."""

MEBIBYTE: Final = 1024 * 1024


def leave_process(error: Exception) -> None:
    """End the process at once; what was not committed is done again by the next owner."""
    del error
    os._exit(EXIT_LEFT)


def nothing_before(partitions: Collection[int]) -> Mapping[int, Rows]:
    """Give no rows to partitions that begin."""
    del partitions
    return {}


def nothing_to_forget(rows: Rows, topic: str) -> Mapping[str, Mapping[bytes, bytes | None]]:
    """Keep every row."""
    del rows, topic
    return {}


def milliseconds() -> int:
    """Return the time by the clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def nothing_to_fold(rows: Rows, number: int) -> Work:
    """Fold nothing: for who only decides about state."""
    raise LookupError(f"partition {number}: no fold was given for its {len(rows)} tables")


def nothing_to_publish(rows: Mapping[bytes, bytes]) -> Mapping[str, dict[bytes, bytes]]:
    """Publish nothing."""
    del rows
    return {}


def no_objection(cluster: Cluster) -> None:
    """Let the application work under its name."""
    del cluster


def tell_nobody(sent: Sequence[OutgoingRecord]) -> None:
    """Let nobody know."""
    del sent


def no_fault(point: str) -> None:
    """Do nothing at a crash point."""
    del point


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """An application's wiring of the engine."""

    app_id: str
    """Consumer group, and first part of transactional ids and changelog topics."""
    source_topics: tuple[str, ...]
    """The joined topics: the same number of partitions each."""
    read_first: str
    """Of them the one whose records give the others their meaning. When a worker gets a partition it reads this
    topic to its present end before the others; what comes later comes in any order."""
    tables: tuple[str, ...]
    """Names of the tables; the changelog of T is the topic `<app_id>-T-changelog`."""
    partitions: int
    """Partitions of each source topic and each changelog."""
    output_topics: tuple[str, ...] = ()
    """What the application writes to besides; they must stand, or no epoch could be committed."""
    client_config: Mapping[str, str] = field(default_factory=dict)
    """librdkafka's settings of every client: addresses and security."""
    clients: Clients = field(default_factory=LibrdkafkaClients)
    """Who makes the clients."""

    transaction_timeout_s: float = 10.0
    """The broker aborts an older open transaction. A dead worker's holds back every read_committed reader
    until its successor starts, so it is short; a commit takes milliseconds."""
    again_s: float = 20.0
    """How long after its first try an epoch may be tried again whose transaction was interrupted (committing.py); then
    the worker starts afresh."""
    begin_work: Callable[[Rows, int], Work] = nothing_to_fold
    """Begins a fold over the rows of a source partition, of this number."""
    now_ms: Callable[[], int] = milliseconds
    """Tells the time, for folds."""
    uncommitted_bytes_max: int = 192 * MEBIBYTE
    """Rows and records that wait for their commit, for the whole worker; beyond, folding waits."""
    commit_threads: int = 12
    """Commits at a time: they wait for the broker, not for a core."""
    rest_ratio: float = 0.5
    """A partition rests this share of its last commit's duration before the next one. Under load both grow, and
    rows changed many times are written once."""
    rest_s_max: float = 0.25
    """The longest such rest."""
    calm_s: float = 0.3
    """An epoch without outgoing records, rows and published values only, waits this long after the last commit.
    Nobody waits for those as for a record that is sent once, and a transaction costs a broker milliseconds of CPU
    however little is in it. So a broker is free for the ones that are waited for: with 12 partitions and 500 events/s,
    0.1 s gave p50 32 ms to the milestone, 0.3 s gave 25, in runs that followed each other."""

    follow_s: float = 1.0
    """An urgent epoch leaves out what nobody waits for: published values, a transaction's more expensive half. They
    follow with the next calm one, at the latest after this long. The group's offsets follow in no transaction, after as
    long."""
    follow_behind_s: float = 8.0
    """The same while the partition is behind: a value that changed many times is published once. And published values
    lie in all partitions of their topic, so each epoch that has some writes to all: the more, the smaller its part."""

    backlog_records: int = 96_000
    """A partition with more records to come than its part of these is behind: with 12 partitions 8,000, which is more
    than one fetch brings; of 96 each has an eighth of the same backlog."""
    behind_s: float = 8.0
    """How long a partition is taken for behind after the batch that said so: the others have their turns first, of 96
    partitions for several seconds. Then the rest may be markers, of which no batch comes, or it may be held."""
    epoch_s_max: float = 2.0
    """How long an epoch of a partition that is behind may grow: a row changed many times is written once, and what it
    says is up to so much later."""
    epoch_rows_max: int = 10_000
    """Rows of such an epoch. While they are encoded, the partition's next batches wait (6 to 10 us for a row on a slow
    machine)."""
    rows_at_once: int = 1_000
    """Rows that are encoded without a pause; then the event loop has its turn: heartbeats, and other partitions."""
    epoch_bytes_max: int = 24 * MEBIBYTE
    """What such an epoch may hold."""

    check_name: Callable[[Cluster], None] = no_objection
    """Called in a thread, before the first partition is taken over: raises an EngineError where the application must
    not work under this name."""
    begin: Callable[[Collection[int]], Mapping[int, Rows]] = nothing_before
    """Gives the rows with which partitions begin of which nothing is kept, so that what was sent before their time
    is not sent again. Called in a thread."""
    publish: Callable[[Mapping[bytes, bytes]], Mapping[str, dict[bytes, bytes]]] = nothing_to_publish
    """Gives what rows of the first table publish, topic -> key -> value: the same as `Changes.latest` had when the fold
    made them. For who takes a partition over before what its rows publish has followed."""
    set_aside: Callable[[SourceRecord, Exception], Changes] | None = None
    """Gives what is to be sent of a record at which the fold fails each time; None: the worker leaves."""
    record_bytes_max: Mapping[str, int] = field(default_factory=dict)
    """Topic -> its largest record in bytes, where it must take more than a mebibyte."""
    again_header: str = "again"
    """Name of the header of records that are sent again, because a state is rebuilt; its value is `1`."""
    forget: Callable[[Rows, str], Mapping[str, Mapping[bytes, bytes | None]]] = nothing_to_forget
    """Gives the rows that go when a source topic was made anew, and somebody accepts that: `forget(rows, topic)`."""
    decide_with: str = "the application's own command"
    """What a person runs to decide about a partition's state, for the line that says that it is refused."""
    on_sent: Callable[[Sequence[OutgoingRecord]], None] = tell_nobody
    """Called on the event loop with what was sent, each in order, when it is committed; it must raise nothing."""
    partitions_hint: str = ""
    """What may be done where topics have another number of partitions, as the end of a sentence."""
    on_leave: Callable[[Exception], None] = leave_process
    """Called when this worker must not go on; it does not return to the work."""
    fault_point: Callable[[str], None] = no_fault
    """Called at named places where tests kill the process."""

    def changelog(self, table: str) -> str:
        """Return the name of a table's changelog topic, as Faust names it."""
        return f"{self.app_id}-{table}-changelog"

    @property
    def standing_changelog(self) -> str:
        """The changelog that has the standings: the first table's."""
        return self.changelog(self.tables[0])

    @property
    def behind_records(self) -> int:
        """How many records a partition that is not behind may have to come."""
        return self.backlog_records // self.partitions

    @property
    def caught_up_records(self) -> int:
        """How many records a partition that was behind may have to come, and is not any more.

        Hardly any, so that it commits once when it has caught up, and not once before and a little later for the rest;
        not none, because what is left may be markers.
        """
        return self.behind_records // 64

    @property
    def leader_topic(self) -> str:
        """Return the name of the topic whose owner is the leader, as Faust names it; nothing is ever written to it."""
        return f"{self.app_id}-__assignor-__leader"

    def transactional_id(self, partition: int) -> str:
        """Return the id whose producer alone may write for this source partition."""
        return f"{self.app_id}-{partition}"
