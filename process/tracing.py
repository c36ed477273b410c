"""Traces by OpenTelemetry: spans of what became of an event, sent where OTEL_EXPORTER_OTLP_ENDPOINT says.

Without it there is no tracer and nothing of OpenTelemetry is imported; who could trace something looks whether there is
one. A component's work depends on no collector: what cannot be sent is said, and the work goes on.

A span says where and what, never who: no organisation, mentor, member, code, token or address of a person, and of an
error its class alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import structlog

if TYPE_CHECKING:
    from process.settings import Settings

Kind: TypeAlias = Literal["server", "producer", "consumer"]
"""What a span is to others, in OpenTelemetry's words."""
Attributes: TypeAlias = Mapping[str, str | int | Sequence[str]]

NOTHING: Final[Attributes] = MappingProxyType({})
PROTOCOL: Final = "http/protobuf"
TRACES_PATH: Final = "/v1/traces"
INSTALL: Final = (
    "pip install --require-hashes -r requirements/traces.txt, or build the image with --build-arg TRACES=1; until then "
    "the work goes on without"
)

log = structlog.get_logger("tracing")


class Span(Protocol):
    """One step of a trace, under way."""

    @property
    def traceparent(self) -> bytes | None:
        """What its children name as their parent, as W3C writes it; None where the trace is not sampled."""

    def end(self, *, error: str | None = None, attributes: Attributes = NOTHING) -> None:
        """End it, well or with the class of an error; there may be more to say of it."""


class Tracer(Protocol):
    """Makes the spans of one component."""

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: bytes | None,
        attributes: Attributes = NOTHING,
        started_ns: int | None = None,
        traceparent: bytes | None = None,
    ) -> Span:
        """Begin a span.

        Args:
            name: what is done, of few words; nothing of an event.
            kind: what it is to others.
            parent: the traceparent of what it follows from; None: it begins a trace.
            attributes: what is known of it.
            started_ns: when it began, nanoseconds since 1970; None: now.
            traceparent: its own, where that is settled already.

        """

    def flush(self) -> None:
        """Send what has ended, or give up after two seconds."""

    def close(self) -> None:
        """Flush, and send nothing more."""


def open_tracer(component: str, settings: Settings) -> Tracer | None:
    """Return a component's tracer; None where none is asked for, or none can be had, which is said."""
    base, exact = settings.otel_exporter_otlp_endpoint, settings.otel_exporter_otlp_traces_endpoint
    if base is None and exact is None:
        return None
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if (protocol := os.environ.get(variable) or PROTOCOL) != PROTOCOL:
            log.warning(
                "traces_not_sent",
                reason=f"{variable} is {protocol[:20]!r}, which is not spoken here",
                remedy=f"set it to {PROTOCOL} and the endpoint to the collector's port for that, 4318 as a rule; until "
                "then the work goes on without",
            )
            return None
    try:
        from process.otlp import OtlpTracer  # noqa: PLC0415 - 0.4 s, and not there unless it was installed
    except ImportError as error:
        log.warning("traces_not_sent", reason=f"{error.name} is not installed", remedy=INSTALL)
        return None
    tracer = OtlpTracer(component, exact or f"{(base or '').rstrip('/')}{TRACES_PATH}")
    log.info("traces_are_sent", component=component)
    return tracer
