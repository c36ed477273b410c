"""A small application of the engine, to plant faults in: a shop that counts its orders.

    python -P -m tests.shop APP_ID FAULT [KIND=SECONDS ...]

Faults stand in `FAULTS`; each is planted here and not in the product. KIND=SECONDS sets a bound of the watchdog. The
log says what the watchdog sees, in a line `view` each second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import faust
import msgspec
import structlog
from confluent_kafka import Producer

from process import logs
from process.monitoring import start_monitoring
from process.settings import load_settings
from streams.engine.app import EngineApp
from streams.engine.batch import RecordBatch, Rows
from streams.engine.clients import LibrdkafkaClients
from streams.engine.health import EngineHealth
from streams.engine.metrics import EngineMetrics
from streams.engine.options import EngineOptions
from streams.engine.watchdog import Bounds
from tests.folding import Changed, FunctionWork, Sent, begins

PARTITIONS: Final = 2
SESSION_TIMEOUT_S: Final = 6.0
FOR_EVER_S: Final = 1_000_000.0

log = structlog.get_logger("shop")


def topics(app_id: str) -> tuple[str, str]:
    """Return the names of the shop's source topics."""
    return (f"{app_id}-orders", f"{app_id}-customers")


has_folded: Final = threading.Event()


def fold(rows: Rows, batch: RecordBatch) -> Changed:
    """Count the orders of each customer."""
    has_folded.set()
    changed: dict[bytes, bytes | None] = {}
    for key in (record.key or b"" for record in batch.fetched):
        count = int(changed.get(key) or rows["totals"].get(key) or b"0") + 1
        changed[key] = b"%d" % count
    return Changed(rows={"totals": changed})


def fold_sleeps(rows: Rows, batch: RecordBatch) -> Changed:
    """Wait in a call that does not return."""
    time.sleep(FOR_EVER_S)
    return fold(rows, batch)


def fold_spins(rows: Rows, batch: RecordBatch) -> Changed:
    """Never come to an end, as a loop over a cycle does."""
    while True:
        len(rows)
        len(batch)


def fold_fails(rows: Rows, batch: RecordBatch) -> Changed:
    """Be wrong about a record."""
    raise ZeroDivisionError((rows, batch))


BAD: Final = b"bad"


def fold_fails_at_bad(rows: Rows, batch: RecordBatch) -> Changed:
    """Be wrong about some records."""
    if BAD in batch.values():
        raise ZeroDivisionError("planted")
    return fold(rows, batch)


class LateWork(FunctionWork):
    """Is wrong about some records, and finds out only when it is to say what has changed."""

    def changes(self) -> Changed:
        """Raise where a bad record was among the batches."""
        changed = super().changes()
        if BAD in changed.rows.get("totals", {}):
            raise ZeroDivisionError("planted")
        return changed


def aside(app_id: str) -> str:
    """Return the name of the topic to which the shop sends what it cannot fold."""
    return f"{app_id}-aside"


def commit_hangs(point: str) -> None:
    """Let the thread that commits hang; what a takeover commits is not meant."""
    if point == "engine.begun" and has_folded.is_set():
        threading.Event().wait()


class HangingProducer:
    """librdkafka's producer, of which a call does not return that was given 5 s."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def __getattr__(self, name: str) -> object:
        """Return what the real one has."""
        return getattr(self._producer, name)

    def commit_transaction(self, timeout: float) -> None:
        """Hang, but in a takeover."""
        if has_folded.is_set():
            threading.Event().wait()
        self._producer.commit_transaction(timeout)


class HangingClients(LibrdkafkaClients):
    """The real ones, but for the producer."""

    def producer(self, config: Mapping[str, Any]) -> Producer:
        """Return one that hangs."""
        return cast("Producer", HangingProducer(super().producer(config)))


def group_loads(app: EngineApp) -> None:
    """Let aiokafka take the group for one without offsets, as it does while its coordinator loads them."""
    from aiokafka.consumer.group_coordinator import GroupCoordinator  # noqa: PLC0415

    async def fetch(*_: object) -> dict[object, object]:
        return {}

    del app
    GroupCoordinator._do_fetch_commit_offsets = fetch  # noqa: SLF001 - the fault


def begin_hangs(numbers: object) -> dict[int, Rows]:
    """Let the takeover of a new partition hang, in its thread."""
    del numbers
    threading.Event().wait()
    return {}


def assignor_fails(app: EngineApp) -> None:
    """Let Faust's assignor raise where the leader computes the assignment."""

    def assign(*_: object) -> None:
        raise ZeroDivisionError("planted")

    assignor: Any = app.assignor
    assignor.assign = assign


def assignor_fails_later(app: EngineApp) -> None:
    """Let Faust's assignor raise where a member takes its assignment, which ends aiokafka's task."""

    def on_assignment(*_: object) -> None:
        raise ZeroDivisionError("planted")

    assignor: Any = app.assignor
    assignor.on_assignment = on_assignment


def assignor_hangs(app: EngineApp) -> None:
    """Block the loop of aiokafka's consumer."""

    def assign(*_: object) -> None:
        time.sleep(FOR_EVER_S)

    assignor: Any = app.assignor
    assignor.assign = assign


def join_hangs(app: EngineApp) -> None:
    """Wait for ever before the group is joined, as somebody's handler might."""

    async def handler(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    app.on_partitions_revoked.connect(handler, weak=False)


def fetch_hangs(app: EngineApp) -> None:
    """Let answers of the broker be lost in the client."""
    from aiokafka.consumer.fetcher import Fetcher  # noqa: PLC0415

    async def lose(*_: object, **__: object) -> bool:
        await asyncio.Event().wait()
        return False

    del app
    Fetcher._proc_fetch_request = lose  # noqa: SLF001 - the fault


def requests_are_noted(app: EngineApp) -> None:
    """Log what the consumer asks the cluster for: the kind of request, and of which topics it fetches."""
    from aiokafka.client import AIOKafkaClient  # noqa: PLC0415
    from aiokafka.protocol.fetch import FetchRequest  # noqa: PLC0415

    del app
    send = AIOKafkaClient.send

    async def noted(self: object, node: int, request: object, **options: object) -> object:
        topics = sorted(name for name, _ in request.topics) if isinstance(request, FetchRequest) else []
        log.info("asked", request=type(request).__name__, topics=topics)
        return await send(self, node, request, **options)

    AIOKafkaClient.send = noted


def records_are_lost(app: EngineApp) -> None:
    """Let what was fetched never come to the fold."""

    async def swallow(*_: object) -> None:
        await asyncio.Event().wait()

    engine: Any = app.engine
    engine.apply = swallow


FOLDS: Final = {
    "fold-sleeps": fold_sleeps,
    "fold-spins": fold_spins,
    "fold-fails": fold_fails,
    "fold-fails-at-bad": fold_fails_at_bad,
}
PLANTED: Final[dict[str, Callable[[EngineApp], None]]] = {
    "assignor-fails": assignor_fails,
    "assignor-fails-later": assignor_fails_later,
    "assignor-hangs": assignor_hangs,
    "join-hangs": join_hangs,
    "fetch-hangs": fetch_hangs,
    "group-loads": group_loads,
    "records-are-lost": records_are_lost,
    "requests-are-noted": requests_are_noted,
}
FAULTS: Final = {"none", "call-hangs", "commit-hangs", "begin-hangs", "changes-fail-at-bad", *FOLDS, *PLANTED}


def main(app_id: str, fault: str, *bounds: str) -> None:
    """Run one worker of the shop."""
    assert fault in FAULTS
    settings = load_settings()
    logs.configure(settings)
    orders, customers = topics(app_id)
    more: dict[str, Any] = {}
    if fault == "commit-hangs":
        more["fault_point"] = commit_hangs
    if fault == "call-hangs":
        more["clients"] = HangingClients()
    if fault == "begin-hangs":
        more["begin"] = begin_hangs
    if fault.endswith("at-bad"):
        more["output_topics"] = (aside(app_id),)
        more["set_aside"] = lambda record, _: Changed(outgoing=[Sent(aside(app_id), record.key, record.value)])
    options = EngineOptions(
        app_id=app_id,
        source_topics=(orders, customers),
        read_first=customers,
        tables=("totals",),
        partitions=PARTITIONS,
        client_config={**settings.kafka_client_config(), "log_level": "2"},
        begin_work=begins(FOLDS.get(fault, fold), made=LateWork if fault == "changes-fail-at-bad" else FunctionWork),
        **more,
    )
    given = {kind: float(seconds) for kind, _, seconds in (bound.partition("=") for bound in bounds)}
    app = EngineApp.create(
        options,
        session_timeout_s=float(os.environ.get("SHOP_SESSION_TIMEOUT_S", SESSION_TIMEOUT_S)),
        bounds=Bounds(**given),
    )
    if fault in PLANTED:
        PLANTED[fault](app)

    async def view() -> None:
        log.info("view", **msgspec.to_builtins(app.watchdog.view), is_well=app.watchdog.view.is_well)

    app.timer(1.0)(view)
    start_monitoring("shop", settings, health=EngineHealth(app), collectors=[EngineMetrics(app, {})])

    app.finalize()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker: Any = faust.Worker(
        app, loglevel="info", loop=loop, quiet=True, redirect_stdouts=False, override_logging=False
    )
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
