"""What can be counted of the HTTP side, in Prometheus's form.

No label names an organisation, a mentor or a member: a route is its template, `/v1/orgs/{org_id}/summary`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from process.histogram import Histogram, buckets_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

UNMATCHED: Final = "none"
"""The route of requests that have none."""

WEBHOOK: Final = "/v1/orgs/{org_id}/registrations"
"""The route of webhooks."""

OUTCOMES: Final = {
    202: "accepted",
    401: "bad_signature",
    413: "too_large",
    415: "compressed",
    422: "bad_fields",
    503: "unavailable",
}
"""What the statuses of a webhook mean; any other is `other`."""

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics(Collector):
    """The counters of one server; parts with more of their own register them in `registry`.

    Requests are counted here and not by prometheus_client's own counters, which take locks and compare with bucket
    after bucket. Used from one event loop.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answered: dict[tuple[str, str, int], Histogram] = {}
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        answered = self._answered.get((route, method, status))
        if answered is None:
            answered = self._answered[route, method, int(status)] = Histogram(_BUCKETS_S)
        answered.observe(seconds)

    def render(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yield what was counted; for the registry."""
        requests = CounterMetricFamily(
            "referrals_http_requests", "Requests answered.", labels=["route", "method", "status"]
        )
        took = HistogramMetricFamily(
            "referrals_http_request_seconds",
            "From the request's head to the end of the answer.",
            labels=["route", "method"],
        )
        webhooks = dict.fromkeys((*OUTCOMES.values(), "other"), 0)
        by_route: dict[tuple[str, str], list[Histogram]] = {}
        for (route, method, status), answered in self._answered.items():
            requests.add_metric([route, method, str(status)], answered.count)
            if (route, method) == (WEBHOOK, "POST"):
                webhooks[OUTCOMES.get(status, "other")] += answered.count
            by_route.setdefault((route, method), []).append(answered)
        for labels, parts in by_route.items():
            in_bucket = map(sum, zip(*(part.in_bucket for part in parts), strict=True))
            took.add_metric(labels, buckets_of(_BUCKETS_S, in_bucket), sum(part.total for part in parts))
        outcomes = CounterMetricFamily("referrals_webhooks", "Webhooks answered.", labels=["outcome"])
        for outcome, count in webhooks.items():
            outcomes.add_metric([outcome], count)
        yield from (requests, took, outcomes)
