"""What can be counted of the HTTP side, in Prometheus's form.

No label names an organisation, a mentor or a member: a route is its template, `/v1/orgs/{org_id}/summary`.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

UNMATCHED: Final = "none"
"""The route of requests that have none."""

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, float("inf"))
_BOUNDS: Final = [*map(str, _BUCKETS_S[:-1]), "+Inf"]


class _Answered(Struct, gc=False):
    """Requests of one route, method and status."""

    in_bucket: list[int]
    """How many took at most this bucket's seconds, and more than the one's before."""
    seconds: float = 0.0


class Metrics(Collector):
    """The counters of one server; parts with more of their own register them in `registry`.

    Requests are counted here and not by prometheus_client's own counters, which take locks and compare with bucket
    after bucket. Used from one event loop.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answered: dict[tuple[str, str, int], _Answered] = {}
        self.registry.register(self)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        answered = self._answered.get((route, method, status))
        if answered is None:
            answered = self._answered[route, method, int(status)] = _Answered([0] * len(_BUCKETS_S))
        answered.in_bucket[bisect_left(_BUCKETS_S, seconds)] += 1
        answered.seconds += seconds

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
        by_route: dict[tuple[str, str], list[_Answered]] = {}
        for (route, method, status), answered in self._answered.items():
            requests.add_metric([route, method, str(status)], sum(answered.in_bucket))
            by_route.setdefault((route, method), []).append(answered)
        for labels, parts in by_route.items():
            in_bucket = map(sum, zip(*(part.in_bucket for part in parts), strict=True))
            buckets = [*zip(_BOUNDS, accumulate(in_bucket), strict=True)]
            took.add_metric(labels, buckets, sum(part.seconds for part in parts))
        yield requests
        yield took
