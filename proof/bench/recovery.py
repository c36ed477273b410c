"""Rows per second of loading changelogs: written by the engine's producer, read by the engine's loader.

The rows are a million of a kind, each once, in 12 partitions, written in transactions of 5,000 as an epoch is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import uuid4

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # they are not in its __all__

from local.parts import Parts
from process.administrator import Administrator
from proof.bench.rows import Rows, build
from proof.bench.worker import PARTITIONS, settings_for
from streams.engine.changelog import load_rows
from streams.engine.epoch import Epoch
from streams.engine.options import EngineOptions
from streams.engine.producer import TransactionalProducer

ROWS_PER_S_REQUIRED: Final = 200_000
ROWS_PER_EPOCH: Final = 5_000
TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """One load of all partitions."""

    kind: str
    rows: int
    seconds: float

    @property
    def rows_per_s(self) -> float:
        """Return the speed."""
        return self.rows / self.seconds


def measure_recovery(parts: Parts, kind: str, count: int, *, announce: Callable[[str], None]) -> Recovery:
    """Write the changelog of so many rows, load it, and check that what was loaded is what was written."""
    settings = settings_for(parts, installation=f"bench-{uuid4().hex[:8]}-recovery", app=kind)
    options = EngineOptions(
        app_id=settings.app_id,
        source_topics=(),
        read_first="",
        tables=(kind,),
        partitions=PARTITIONS,
        client_config=settings.kafka_client_config(),
    )
    admin = Administrator(settings.kafka_client_config())
    changelog = NewTopic(options.changelog(kind), num_partitions=PARTITIONS, config={"cleanup.policy": "compact"})
    admin.create_topics([changelog])[changelog.topic].result(TIMEOUT_S)
    announce(f"making {count:,} rows of {kind}")
    written = [{kind: rows[kind]} for rows in build(kind, count)]
    announce("writing the changelog")
    for number, rows in enumerate(written):
        _write(options, number, rows)
    announce("loading it")
    started_s = time.perf_counter()
    loaded = load_rows(options, range(PARTITIONS), cancelled=lambda: False)
    seconds = time.perf_counter() - started_s
    if {number: each.rows for number, each in loaded.items()} != dict(enumerate(written)):
        raise RuntimeError(f"the rows of {kind} that were loaded are not those that were written")
    return Recovery(kind=kind, rows=sum(len(rows[kind]) for rows in written), seconds=seconds)


def _write(options: EngineOptions, number: int, rows: Rows) -> None:
    producer = TransactionalProducer(options, number)
    producer.start()
    for epoch in _epochs(rows):
        producer.commit(epoch)
    producer.close()


def _epochs(rows: Rows) -> Iterator[Epoch]:
    for table, changed in rows.items():
        remaining = iter(changed.items())
        while chunk := dict(islice(remaining, ROWS_PER_EPOCH)):
            epoch = Epoch()
            epoch.rows[table] = dict(chunk)
            yield epoch
