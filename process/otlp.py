"""Spans by OpenTelemetry's SDK, sent over HTTP by a thread of its own. Imported only where somebody wants them.

What is not said here the SDK reads from OpenTelemetry's own variables: the sampler (unless told otherwise the caller's
flag decides, and what nobody began is sampled), headers and certificates for the collector, time-outs, the bounds of
the queue. A span that finds no room in it is dropped.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from process.tracing import NOTHING
from process.version import VERSION

if TYPE_CHECKING:
    from opentelemetry import trace

    from process.tracing import Attributes, Kind

FLUSH_S: Final = 2.0
"""How long an end waits for a collector: stopping has to be done in ten seconds, and the work goes first."""

UNNAMED: Final = "unknown_service"
"""What the SDK calls a service that nobody has named begins so."""

_KINDS: Final[dict[Kind, SpanKind]] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class OtlpTracer:
    """A component's tracer; used from one thread."""

    def __init__(self, component: str, endpoint: str) -> None:
        """Send to this address, of which no word is said before something is to be sent."""
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=_resource(component), id_generator=self._ids, shutdown_on_exit=False
        )  # at the interpreter's exit it would wait half a minute for a collector that is away
        self._exporter = OTLPSpanExporter(endpoint=endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("referrals", VERSION)

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: bytes | None,
        attributes: Attributes = NOTHING,
        started_ns: int | None = None,
        traceparent: bytes | None = None,
    ) -> OtlpSpan:
        """Begin a span; see `process.tracing.Tracer`."""
        context = Context()
        if parent is not None:
            context = set_span_in_context(NonRecordingSpan(_read(parent)), context)
        self._ids.given = None if traceparent is None else _read(traceparent).span_id
        return OtlpSpan(
            self._tracer.start_span(
                name, context, _KINDS[kind], attributes=dict(attributes), start_time=started_ns, record_exception=False
            )
        )

    def flush(self) -> None:
        """Send what has ended, or give up after two seconds."""
        sending = threading.Thread(target=self._provider.force_flush, name="last-spans", daemon=True)
        sending.start()  # the SDK's own bound has no effect
        sending.join(FLUSH_S)

    def close(self) -> None:
        """Send what has ended, or give up after two seconds; and send nothing more."""
        self.flush()
        # It comes first: the threads would go on trying, and the other one wait for them.
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        self._provider.shutdown()


class OtlpSpan:
    """A span of the SDK's."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> bytes | None:
        """What its children name as their parent; None where the trace is not sampled."""
        context = self._span.get_span_context()
        if not context.trace_flags.sampled:
            return None
        return b"00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags)

    def end(self, *, error: str | None = None, attributes: Attributes = NOTHING) -> None:
        """End it, well or with the class of an error."""
        self._span.set_attributes(dict(attributes))
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose id is settled."""

    given: int | None = None

    def generate_span_id(self) -> int:
        """Return the id that was given for the next span, or a random one."""
        given, self.given = self.given, None
        return super().generate_span_id() if given is None else given


def _read(traceparent: bytes) -> SpanContext:
    """Return what a traceparent says; it has W3C's form."""
    _, trace_id, span_id, flags = traceparent.split(b"-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _resource(component: str) -> Resource:
    """Return who sends the spans: as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and what they leave open."""
    told = Resource.create()
    ours = {"service.version": VERSION, "service.instance.id": str(uuid4()), **told.attributes}
    if str(ours["service.name"]).startswith(UNNAMED):
        ours["service.name"] = f"referrals-{component}"
    return told.merge(Resource(ours))
