"""Lets things go wrong with somebody's secrets, tokens and member ids in hand, and logs it as the program does.

    python -P -m tests.canaries json|text

Each canary is planted in one path, where errors of ours and of libraries quote it. The log goes to standard error,
what would be scraped and what a collector of traces gets to standard output.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final, cast
from uuid import UUID

import psycopg
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from edges.reconciliation import endpoint
from edges.web.metrics import WEBHOOK as ROUTE
from edges.web.problems import Problem
from edges.web.tracing import produce, request_span
from models.attribution import Attribution, Rules
from models.badges import Decision
from models.changes import TABLES
from models.topics import REGISTRATIONS
from models.traces import TRACEPARENT
from process import logs
from process.settings import Settings, load_settings
from process.tracing import open_tracer
from sinks import sink_task
from sinks.badge_awarder import BadgeAwarder
from sinks.badge_repository import Award, BadgeTransaction, MemoryBadgeRepository
from sinks.dead_letters import MemoryDeadLetters
from sinks.errors import StoreUnavailable
from sinks.metrics import SinkMetrics
from sinks.milestone_source import MemoryMilestoneSource
from sinks.records import Record
from sinks.sink_task import SinkTask
from sinks.tracing import AwardSpans
from streams.engine.batch import RecordBatch, Rows
from streams.engine.engine import Engine
from streams.engine.partition import SourcePartition
from streams.tracing import MilestoneSpans
from tests import canaries_of_rows, canaries_outside
from tests.factories import make_batch, make_code_issued, make_record, make_registration
from tests.folding import Changed, begins
from tests.milestones import MENTOR, ORG, milestone
from tests.otlp_receiver import otlp_receiver
from tests.unit.engine.changes import OTHER_TOPIC, TOPIC, make_found, make_options

MEMBERS: Final = {
    path: str(UUID(int=0xC0DE << 96 | 0x4000 << 64 | 0x8000 << 48 | number, version=4))
    for number, path in enumerate(
        (
            *("work_failed", "batch_failed", "worker_leaves", "record_without_place", "unprocessable"),
            *("sink.record_failed", "sink.tend_failed", "sink.store_unavailable", "chained", "library"),
            *("bad_event", "bytes", "without_hyphens", "traced", "traced.request", "traced.record"),
        )
    )
}
JWT_SECRET: Final = "canary-of-the-jwt-secret-that-is-long-enough"  # noqa: S105 - it is to be found nowhere
KEY: Final = base64.b64encode(b"canary of a key of 32 bytes, yes").decode()
PASSWORDS: Final = {
    "database_url": "canary-db-pass",
    "web_database_url": "canary%2Fweb",
    "sasl_password": "canary-sasl",
    "smtp_password": "canary-smtp",
}
TOKEN: Final = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJ0b2tlbiJ9.c2lnbmF0dXJlLWNhbmFyeQ"  # noqa: S105 - the same
WEBHOOK: Final = "whsec_Y2FuYXJ5LW9mLWEtd2ViaG9vaw=="
BEARER: Final = "canary-opaque-token-of-a-provider"
COLLECTOR: Final = "canary-token-of-the-collector"
CANARIES: Final = frozenset(
    {*MEMBERS.values(), JWT_SECRET, KEY, *PASSWORDS.values(), "canary/web", TOKEN, WEBHOOK, BEARER, COLLECTOR}
    | {member.replace("-", "") for member in MEMBERS.values()}
    | canaries_outside.CANARIES
    | canaries_of_rows.CANARIES
)

log = structlog.get_logger("canaries")


def settings(log_format: str) -> Settings:
    """Return settings full of secrets."""
    return load_settings(
        log_format=log_format,
        database_url=f"postgresql://owner:{PASSWORDS['database_url']}@127.0.0.1:1/x",
        web_database_url=f"postgresql://web:{PASSWORDS['web_database_url']}@127.0.0.1:1/x",
        jwt_secret=JWT_SECRET,
        secret_keys=f"1:{KEY}",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="someone",
        sasl_password=PASSWORDS["sasl_password"],
        smtp_password=PASSWORDS["smtp_password"],
    )


async def fail_in_the_engine() -> None:
    """Fail in the fold: at a batch, at each record, and at one that cannot be set aside."""
    raised: list[object] = [MEMBERS["work_failed"]]

    def fails(_rows: Rows, _batch: RecordBatch) -> Changed:
        raise KeyError(raised[0])

    left: list[Exception] = []
    options = replace(make_options(left.append), begin_work=begins(fails), set_aside=lambda _record, _error: Changed())
    engine = Engine(options)
    engine.assign({0}, 0)
    partition = SourcePartition(options, 0)
    partition.take_over({"stock": {}, "totals": {}}, {TOPIC: 0, OTHER_TOPIC: 0}, make_found(0, committed=0))
    engine.partitions[0] = partition
    engine.resume(0)

    def orders(*offsets: int, chain: int) -> RecordBatch:
        records = [make_record(MEMBERS["bytes"].encode(), topic=TOPIC, partition=0, offset=at) for at in offsets]
        return replace(make_batch(*records, generation=0), chain=chain)

    await engine.apply(orders(0, 1, chain=1))
    raised[0] = MEMBERS["batch_failed"].encode()
    await engine.apply(orders(0, 1, chain=2))
    raised[0] = MEMBERS["worker_leaves"]
    await engine.apply(orders(*range(2, 130), chain=2))
    await engine.apply(orders(*range(2, 130), chain=3))  # so many in a row are the program's fault
    assert left
    other = Engine(replace(options, set_aside=None))
    other.leave(KeyError(MEMBERS["record_without_place"]))
    partition.producer.close()


class Failing(MemoryBadgeRepository):
    """A repository that fails at a threshold, as Postgres would."""

    def __init__(self, error: Exception, threshold: int) -> None:
        super().__init__()
        self.add_mentor(ORG, MENTOR)
        self._error = error
        self._threshold = threshold

    @contextmanager
    def transaction(self) -> Iterator[BadgeTransaction]:
        """Run the body in a transaction that fails at its save."""
        with super().transaction() as work:
            save = work.save

            def fail_or_save(decisions: Sequence[Decision]) -> Any:  # noqa: ANN401 - awards
                if any(decision.milestone.milestone_threshold == self._threshold for decision in decisions):
                    raise self._error
                awarded: set[Award] = set(save(decisions))
                return awarded

            work.save = fail_or_save  # type: ignore[method-assign]
            yield work


def fail_in_a_sink(error: Exception) -> SinkTask:
    """Fail at a record, or until a stop where it is the store's fault."""
    source = MemoryMilestoneSource()
    sink = BadgeAwarder(Failing(error, 5))
    task = SinkTask(source=source, sink=sink, dead_letters=MemoryDeadLetters())
    source.publish(milestone(5))
    source.publish(b'{"new_member_id": "%s"}' % MEMBERS["bad_event"].encode())
    source.publish(milestone(1))
    source.subscribe()
    stop = threading.Event()
    if isinstance(error, StoreUnavailable):
        threading.Timer(0.05, stop.set).start()
    try:
        while task.step(stop, timeout_s=0):
            pass
    except sink_task.Stopped:
        pass
    return task


def fail_in_tending(error: Exception) -> None:
    """Fail where nothing was read."""
    task = SinkTask(
        source=MemoryMilestoneSource(), sink=BadgeAwarder(Failing(error, 5)), dead_letters=MemoryDeadLetters()
    )

    def tend() -> None:
        raise error

    task.sink.tend = tend  # type: ignore[method-assign]
    task.source.subscribe()
    task.step(threading.Event(), timeout_s=0)


def fail_elsewhere() -> None:
    """Log errors of libraries and chains of errors, as whoever meets them does."""
    try:
        _fail_twice()
    except RuntimeError:
        log.exception("request_failed", status=500)
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    logging.getLogger("httpx").warning("GET https://example.org/members?access_token=%s", TOKEN)
    log.warning("source_refuses", reason=f"Authorization: Bearer {BEARER} is not valid")
    log.error("database_unusable", reason=f"postgresql://owner:{PASSWORDS['database_url']}@127.0.0.1:1/x: refused")
    log.error("login_failed", reason=f"password {PASSWORDS['web_database_url']} or canary/web of web")
    log.warning("mail.server_away", reason=f"535 {PASSWORDS['smtp_password']} is not the password")
    log.error("kafka.error", error=f"SASL authentication failed for {PASSWORDS['sasl_password']}")
    log.error("secret_unreadable", reason=f"{WEBHOOK} by key {KEY} of 1:{KEY}", jwt={"secret": JWT_SECRET})


class Refusing:
    """A producer to which nothing can be given."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def produce(self, *_: object, **__: object) -> None:
        """Fail."""
        raise self._error


async def trace(collector_url: str) -> None:
    """Show everything that is shown, well and failing: requests, records on their way, milestones, awards."""
    os.environ.update({"NO_PROXY": "127.0.0.1", "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {COLLECTOR}"})
    tracer = open_tracer("web", load_settings(otel_exporter_otlp_endpoint=collector_url))
    assert tracer is not None
    with suppress(KeyError), request_span(tracer, ROUTE, None, started_ns=1) as traceparent:
        refusing = cast("Any", Refusing(KeyError(MEMBERS["traced.request"], TOKEN)))
        await produce(refusing, "t", b"k", b"v", tracer=tracer, traceparent=traceparent)
    with suppress(Problem), request_span(tracer, ROUTE, TOKEN.encode(), started_ns=1):
        raise Problem(422, f"cannot be used: {MEMBERS['traced.record']}")
    headers = [(TRACEPARENT, b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    attribution = Attribution(Rules(traces=True), partitions=1)
    rows: Any = {table: {} for table in TABLES}
    work = attribution.begin(rows, 0)
    work.fold(make_batch(make_record(make_code_issued(org_id=ORG, mentor_id=MENTOR), partition=0)), now_ms=1)
    event = make_registration(new_member_id=MEMBERS["traced"])
    work.fold(make_batch(make_record(event, partition=0, headers=headers)), now_ms=1)
    changes = work.changes()
    MilestoneSpans(tracer, group="g")(cast("Any", changes.outgoing))
    (sent,) = [sent for sent in changes.outgoing if sent.topic == attribution.milestones]
    awarder = BadgeAwarder(Failing(ArithmeticError("none"), 5), spans=AwardSpans(tracer, group="g"))
    awarder.put([Record(topic="m", partition=0, offset=1, key=sent.key, value=sent.value, headers=(*sent.headers,))])
    tracer.begin("x", "server", parent=None).end(error=KeyError.__name__)
    tracer.close()


def _fail_twice() -> None:
    known: dict[str, str] = {}
    try:
        known[MEMBERS["chained"]] += "?"
    except KeyError as error:
        text = f"no row for {MEMBERS['without_hyphens'].replace('-', '')}"
        raise RuntimeError(text) from error


def main(log_format: str) -> None:
    """Let everything go wrong."""
    given = settings(log_format)
    logs.configure(given)
    sink_task.RETRY_DELAY_FIRST_S = endpoint.PAUSE_FIRST_S = 0.01  # type: ignore[misc]
    asyncio.run(fail_in_the_engine())
    asyncio.run(canaries_outside.fail_in_mail(given))
    canaries_outside.fail_in_reconciliation(given)
    asyncio.run(canaries_of_rows.fail_at_postgres(given))
    with otlp_receiver() as collector:
        asyncio.run(trace(collector.url))
        assert collector.wait_for(6)
        sys.stdout.writelines(f"{span}\n" for span in collector.spans)
        sys.stdout.writelines(f"{body!r}\n" for body in collector.bodies)
    tasks = [
        fail_in_a_sink(ValueError(f"cannot keep {MEMBERS['sink.record_failed']}")),
        fail_in_a_sink(
            StoreUnavailable("the store is away")
            if log_format == "text"
            else psycopg.OperationalError(f"null value\nDETAIL:  Failing row ({MEMBERS['sink.store_unavailable']}).")
        ),
        fail_in_a_sink(canaries_of_rows.refused()),
    ]
    fail_in_tending(ArithmeticError(MEMBERS["sink.tend_failed"]))
    fail_elsewhere()
    registry = CollectorRegistry()
    registry.register(SinkMetrics({"canary": (tasks[0].state, tasks[0].source)}))
    sys.stdout.write(generate_latest(registry).decode())
    bad = make_record(
        b'{"new_member_id": "%s"}' % MEMBERS["unprocessable"].encode(), topic=REGISTRATIONS.full_name("referrals.")
    )
    attribution = Attribution(Rules(), partitions=1)
    rows: Any = {table: {} for table in TABLES}
    changes = attribution.fold(rows, make_batch(bad), now_ms=0)
    sys.stdout.write(f"{cast('dict[Any, int]', changes.counted)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
