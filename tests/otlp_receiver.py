"""A collector for tests: a small HTTP server that takes what OpenTelemetry's exporters send, and reads it.

with otlp_receiver() as collector:
...                             # whatever is told `collector.url` as OTEL_EXPORTER_OTLP_ENDPOINT
spans = collector.wait_for(4)
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Span:
    """One that was sent, in words."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty: it begins its trace."""
    started_ns: int
    ended_ns: int
    attributes: dict[str, Any]
    is_error: bool


class Collector(ThreadingHTTPServer):
    """The server; `spans` are those that came."""

    daemon_threads = True

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.status = status
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def wait_for(self, number: int) -> list[Span]:
        """Return the spans when there are so many, in the order in which they began; raise after some seconds."""
        deadline_s = time.monotonic() + DEADLINE_S
        while len(self.spans) < number:
            if time.monotonic() > deadline_s:
                raise TimeoutError([span.name for span in self.spans])
            time.sleep(0.02)
        return sorted(self.spans, key=lambda span: span.started_ns)


class _Request(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        """Take spans."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.paths.append(self.path)
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(body)
        if self.server.status == 200:
            self.server.spans += _read(body)
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
        """Say nothing."""


def _read(body: bytes) -> Iterator[Span]:
    request = cast("Any", ExportTraceServiceRequest)()
    request.ParseFromString(body)
    for of_resource in request.resource_spans:
        service = _values(of_resource.resource.attributes)["service.name"]
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=service,
                    name=span.name,
                    kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    started_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                    attributes=_values(span.attributes),
                    is_error=span.status.code == span.status.STATUS_CODE_ERROR,
                )


def _values(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - of a message without types
    found = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        if kind == "array_value":
            value = [each.string_value for each in value.values]
        found[attribute.key] = value
    return found


@contextmanager
def otlp_receiver(status: int = 200) -> Iterator[Collector]:
    """Run one for the body; it answers with this status."""
    collector = Collector(status)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        collector.shutdown()
        collector.server_close()
