"""A histogram whose writer pays for one addition: Prometheus's own takes a lock and compares with bucket after bucket.

One thread adds, any thread reads: what is read while something is added may lack just that.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client.core import HistogramMetricFamily


class Histogram:
    """How many values were at most as large as each bound."""

    __slots__ = ("_bounds", "in_bucket", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin with nothing; the bounds ascend, and what is beyond the last is counted too."""
        self._bounds = bounds
        self.in_bucket = [0] * (len(bounds) + 1)
        """How many were at most this bucket's bound, and more than the one's before."""
        self.total = 0.0
        """The values' sum."""

    def observe(self, value: float) -> None:
        """Count a value."""
        self.in_bucket[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.in_bucket)

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str] = ()) -> None:
        """Add it to what is exposed, under these labels."""
        family.add_metric(labels, buckets_of(self._bounds, self.in_bucket), self.total)


def buckets_of(bounds: Sequence[float], in_bucket: Iterable[int]) -> list[tuple[str, float]]:
    """Return buckets as Prometheus has them: each bound as text, with how many were at most so large."""
    return [*zip([*map(str, bounds), "+Inf"], map(float, accumulate(in_bucket)), strict=True)]
