"""Spans of the HTTP side: an event that was posted, by whoever may post one, and its record on the way to the brokers.

There are none of strangers' requests: what begins a trace, or goes on with a caller's, has been let in.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from edges.web.problems import status_of
from models.traces import TRACEPARENT, is_traceparent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edges.web.producer import AcknowledgedProducer, Headers
    from process.tracing import Tracer


@contextmanager
def request_span(tracer: Tracer, route: str, parent: bytes | None, *, started_ns: int) -> Iterator[bytes | None]:
    """Show a POST during the body, and give the traceparent with which its event goes on; None: nobody looks at it.

    Args:
        tracer: who shows it.
        route: the address with names in the place of what is somebody's.
        parent: what the caller says of its trace; without one, or where it has not W3C's form, one begins.
        started_ns: when the request came, nanoseconds since 1970.

    """
    parent = parent if is_traceparent(parent) else None
    attributes = {"http.request.method": "POST", "http.route": route}
    span = tracer.begin(f"POST {route}", "server", parent=parent, attributes=attributes, started_ns=started_ns)
    status, failed = HTTPStatus.ACCEPTED, "cancelled"
    try:
        yield span.traceparent or parent
        failed = ""
    except Exception as error:
        status = status_of(error)
        failed = type(error).__name__ if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
        raise
    finally:
        answered = {} if failed == "cancelled" else {"http.response.status_code": int(status)}
        span.end(error=failed or None, attributes=answered)


async def produce(
    producer: AcknowledgedProducer,
    topic: str,
    key: bytes,
    value: bytes,
    *,
    tracer: Tracer | None,
    traceparent: bytes | None,
) -> None:
    """Send a record of a trace, None: of none, and wait for the brokers. Raises BrokerUnavailable."""
    if tracer is None or traceparent is None:
        await producer.produce(topic, key, value, headers=_headers(traceparent))
        return
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
    }
    span = tracer.begin(f"send {topic}", "producer", parent=traceparent, attributes=attributes)
    failed: str | None = "cancelled"
    try:
        await producer.produce(topic, key, value, headers=_headers(span.traceparent or traceparent))
        failed = None
    except Exception as error:
        failed = type(error).__name__
        raise
    finally:
        span.end(error=failed)


def _headers(traceparent: bytes | None) -> Headers | None:
    return None if traceparent is None else [(TRACEPARENT, traceparent)]
