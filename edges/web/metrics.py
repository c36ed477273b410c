"""What can be counted of the HTTP side, in Prometheus's form.

No label names an organisation, a mentor or a member: a route is its template, `/v1/orgs/{org_id}/summary`.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

UNMATCHED: Final = "none"
"""The route of requests that have none."""

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counters of one server; parts with more of their own register them in `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "referrals_http_requests", "Requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "referrals_http_request_seconds",
            "From the request's head to the end of the answer.",
            ["route", "method"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        try:
            requests, took = self._known[route, method, status]
        except KeyError:  # looking up labels costs more than counting
            requests = self._requests.labels(route, method, status)
            took = self._seconds.labels(route, method)
            self._known[route, method, status] = requests, took
        requests.inc()
        took.observe(seconds)

    def render(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self.registry)
