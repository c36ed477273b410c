"""An epoch is committed: at a second try where a broker that died, or a leader that changed, interrupted the first.

    fence     the transaction, by a producer that begins under the same id: it is committed now, or aborted for good
    look      whether the changelog is as this worker left it: nobody else has had the partition, nor was it committed
    again     the same epoch, in another transaction

Else the worker leaves, as it does wherever it was fenced itself. What a start afresh costs is saved: a rebalance, and
all rows of its partitions, read once more. librdkafka's own way, `abort_transaction`, ends the producer where the
coordinator has not heard of the transaction yet.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog
from confluent_kafka import KafkaException

from process.leaders import passes
from streams.engine.changelog import last_standings
from streams.engine.errors import CommitFailed, Interrupted
from streams.engine.producer import TransactionalProducer

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.cluster import Cluster
    from streams.engine.epoch import Epoch
    from streams.engine.options import EngineOptions
    from streams.engine.partition import SourcePartition

PAUSE_S: Final = 0.1
"""Before another try: a leader that changes is answered with an error at once."""

log = structlog.get_logger("engine")


def commit(
    options: EngineOptions,
    cluster: Cluster,
    partition: SourcePartition,
    epoch: Epoch,
    *,
    is_wanted: Callable[[], bool],
) -> None:
    """Commit a partition's epoch; blocks.

    Args:
        options: the application's wiring.
        cluster: its changelogs.
        partition: whose epoch it is; it may have another producer afterwards.
        epoch: what its rows and positions say already.
        is_wanted: whether to go on, asked before another try: not by a worker that leaves, nor for a partition that it
            has not any more: who has it now would be fenced.

    Raises:
        CommitFailed: as `TransactionalProducer.commit`; Interrupted among them where it was tried for long enough.

    """
    begun_s, is_again = time.monotonic(), False
    while True:
        try:
            if is_again:
                _take_again(options, cluster, partition)
            partition.producer.commit(epoch)
        except Interrupted as error:
            if time.monotonic() - begun_s > options.again_s or not is_wanted():
                raise
            is_again = True
            log.warning("commit_interrupted", partition=partition.number, reason=str(error))
            options.fault_point("engine.interrupted")
            time.sleep(PAUSE_S)
        else:
            partition.note_written(epoch)
            return


def _take_again(options: EngineOptions, cluster: Cluster, partition: SourcePartition) -> None:
    """Give the partition another producer, if its rows are the ones that this worker has committed."""
    former, partition.producer = partition.producer, TransactionalProducer(options, partition.number)
    partition.producer.start()
    former.close()
    try:
        ends = cluster.ends_of_standings([partition.number])
        standing = last_standings(options, ends)[partition.number]
    except KafkaException as error:
        if not passes(error):
            raise
        raise Interrupted(f"partition {partition.number}: its changelog cannot be looked at: {error}") from error
    if standing != partition.written:
        raise CommitFailed(f"partition {partition.number}: its changelog is not as this worker has left it")
