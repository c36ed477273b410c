"""Spans: sent where they are asked for, and where they are not, nothing is imported, read or done."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.attribution import Attribution, Rules
from models.changes import TABLES
from models.events import encode_event
from models.topics import REGISTRATIONS
from models.traces import TRACEPARENT
from process.settings import SettingsError, load_settings
from process.tracing import open_tracer
from sinks.badge_awarder import BadgeAwarder
from sinks.badge_repository import MemoryBadgeRepository
from sinks.records import Record
from sinks.tracing import AwardSpans
from streams.engine.batch import RecordBatch, SourceRecord
from streams.tracing import MilestoneSpans
from tests.component import ROOT
from tests.factories import make_batch, make_code_issued, make_record, make_registration
from tests.milestones import MENTOR, ORG, milestone
from tests.otlp_receiver import otlp_receiver

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01".encode()
NOT_SAMPLED = PARENT[:-1] + b"0"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "PROTOCOL", "TRACES_PROTOCOL"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)


def crossed(headers: Sequence[tuple[str, bytes | None]], *, traces: bool) -> Any:  # noqa: ANN401 - an Outgoing
    """Return the milestone of a registration with these headers."""
    attribution = Attribution(Rules(traces=traces), partitions=1)
    rows: Any = {table: {} for table in TABLES}
    work = attribution.begin(rows, 0)
    work.fold(make_batch(make_record(make_code_issued(org_id=ORG, mentor_id=MENTOR), partition=0)), now_ms=1)
    work.fold(make_batch(make_record(make_registration(), partition=0, headers=headers, offset=7)), now_ms=5_000)
    (sent,) = [sent for sent in work.changes().outgoing if sent.topic == attribution.milestones]
    return sent


def test_a_milestone_has_a_place_of_its_own_in_the_trace() -> None:
    """The same each time; its parent is not in the record, and the record's value is what it would be."""
    sent = crossed([(TRACEPARENT, PARENT)], traces=True)
    again = crossed([(TRACEPARENT, PARENT)], traces=True)
    assert (sent.value, sent.headers) == (again.value, again.headers)
    own = dict(sent.headers)[TRACEPARENT]
    assert own != PARENT
    assert (own[:36], own[52:]) == (PARENT[:36], b"-01")
    assert (sent.step.parent, sent.step.offset, sent.step.at_ms) == (PARENT, 7, 5_000)
    plain = crossed([(TRACEPARENT, PARENT)], traces=False)
    assert (plain.value, dict(plain.headers)[TRACEPARENT], plain.step) == (sent.value, PARENT, None)


def test_who_does_not_sample_is_obeyed() -> None:
    """The header goes on as it came, and no span is made of it."""
    sent = crossed([(TRACEPARENT, NOT_SAMPLED)], traces=True)
    assert (dict(sent.headers)[TRACEPARENT], sent.step) == (NOT_SAMPLED, None)
    with otlp_receiver() as collector:
        tracer = open_tracer("web", load_settings(otel_exporter_otlp_endpoint=collector.url))
        assert tracer is not None
        span = tracer.begin("x", "server", parent=NOT_SAMPLED)
        span.end()
        assert span.traceparent is None
        tracer.close()
        assert collector.bodies == []


@pytest.mark.parametrize("traces", [False, True])
def test_a_fold_reads_no_trace_of_what_crosses_nothing(monkeypatch: pytest.MonkeyPatch, *, traces: bool) -> None:
    """Of a batch only the record that crosses is made whole, tracing or not."""
    made: list[int] = []
    record = RecordBatch.record

    def counted(batch: RecordBatch, index: int) -> SourceRecord:
        made.append(index)
        return record(batch, index)

    attribution = Attribution(Rules(traces=traces, thresholds=(3,)), partitions=1)
    rows: Any = {table: {} for table in TABLES}
    work = attribution.begin(rows, 0)
    work.fold(make_batch(make_record(make_code_issued(), partition=0)), now_ms=1)
    monkeypatch.setattr(RecordBatch, "record", counted)
    members = [make_registration(member=number, status="confirmed") for number in range(6)]
    work.fold(
        make_batch(*(make_record(each, partition=0, headers=[(TRACEPARENT, PARENT)]) for each in members)), now_ms=2
    )
    assert made == [2]


def test_off_means_that_nothing_is_imported() -> None:
    """Neither the SDK nor what sends, in any component; and with a collector they are."""
    script = """
import json, os, sys
from process.settings import load_settings
from process.tracing import open_tracer
import edges.web.server, sinks.components, streams.app, commands.publish

def say():
    tracers = [open_tracer(each, load_settings()) is not None for each in ("web", "stream", "badges")]
    print(json.dumps([tracers, sorted({name.partition(".")[0] for name in sys.modules} & {"opentelemetry", "google"})]))

say()
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
for name, value in {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"}.items():
    os.environ[name] = value
    say()
    del os.environ[name]
say()
"""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *off, on = (json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[["))
    assert off == [[[False, False, False], []]] * 3
    assert on == [[True, True, True], ["google", "opentelemetry"]]


def test_milestone_and_award_are_spans() -> None:
    """The milestone's is a child of the record's that crossed, under its record's id; the award's is its child."""
    with otlp_receiver() as collector:
        settings = load_settings(otel_exporter_otlp_endpoint=f"{collector.url}/")
        tracer = open_tracer("stream", settings)
        assert tracer is not None
        sent = crossed([(TRACEPARENT, PARENT)], traces=True)
        MilestoneSpans(tracer, group="streams")([crossed([], traces=True), sent])
        repository = MemoryBadgeRepository()
        repository.add_mentor(ORG, MENTOR)
        spans = AwardSpans(tracer, group="badges")
        record = Record(
            topic=sent.topic, partition=0, offset=3, key=sent.key, value=sent.value, headers=(*sent.headers,)
        )
        awarder = BadgeAwarder(repository, spans=spans)
        awarder.put([record])
        awarder.put([record])  # decided before
        awarder.close()
        tracer.close()
        stream, award = collector.wait_for(2)
        assert len(collector.spans) == 2
        assert collector.paths == ["/v1/traces"]
    own = dict(sent.headers)[TRACEPARENT].decode()
    assert (stream.trace_id, stream.parent_id, f"00-{TRACE_ID}-{stream.span_id}-01") == (
        TRACE_ID,
        "00f067aa0ba902b7",
        own,
    )
    assert (stream.service, stream.name, stream.kind) == (
        "referrals-stream",
        f"process {REGISTRATIONS.full_name('referrals.')}",
        "consumer",
    )
    assert stream.started_ns == 5_000_000_000
    assert stream.attributes["messaging.kafka.offset"] == 7
    assert stream.attributes["referrals.milestone.threshold"] == 1
    assert (award.trace_id, award.parent_id) == (TRACE_ID, stream.span_id)
    assert len(award.attributes["referrals.badges.awarded"]) == 1
    assert award.attributes["referrals.badges.decisions"] == ["awarded=1", "below_threshold=3"]


def test_a_milestone_of_no_trace_is_no_span() -> None:
    """The badge consumer goes on with traces, and begins none."""
    with otlp_receiver() as collector:
        tracer = open_tracer("badges", load_settings(otel_exporter_otlp_traces_endpoint=f"{collector.url}/mine"))
        assert tracer is not None
        repository = MemoryBadgeRepository()
        repository.add_mentor(ORG, MENTOR)
        awarder = BadgeAwarder(repository, spans=AwardSpans(tracer, group="badges"))
        awarder.put([Record(topic="m", partition=0, offset=3, key=b"k", value=encode_event(milestone(1)))])
        awarder.close()
        assert collector.bodies == []
        tracer.begin("x", "server", parent=None).end()
        tracer.close()
        assert collector.paths == ["/mine"]


def test_a_collector_that_is_away_holds_nobody_up() -> None:
    """Ending waits two seconds at most, spans that find no room are dropped."""
    tracer = open_tracer("web", load_settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9"))
    assert tracer is not None
    for _ in range(5_000):
        tracer.begin("x", "server", parent=None).end()
    began_s = time.monotonic()
    tracer.close()
    assert time.monotonic() - began_s < 8  # two, and on a busy machine less than the ten for which a batch is tried
    for thread in threading.enumerate():
        if "Otel" in thread.name or "spans" in thread.name:
            thread.join(30)
            assert not thread.is_alive(), thread.name


def test_what_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another protocol, or packages that are not installed: by name, with the remedy, and the work goes on."""
    settings = load_settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9")
    with capture_logs() as logs:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        assert open_tracer("web", settings) is None
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_PROTOCOL")
        monkeypatch.delitem(sys.modules, "process.otlp", raising=False)
        monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
        assert open_tracer("web", settings) is None
    protocol, packages = logs
    assert {log["event"] for log in logs} == {"traces_not_sent"}
    assert protocol["reason"] == "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', which is not spoken here"
    assert packages["reason"] == "opentelemetry.context is not installed"
    assert "requirements/traces.txt" in packages["remedy"]


def test_an_address_that_is_none() -> None:
    """Is refused under the name of its variable, without a password that it may hold."""
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT: is no address of a collector") as refused:
        load_settings(otel_exporter_otlp_endpoint="collector:hidden@host:4317")
    assert "hidden" not in str(refused.value)
