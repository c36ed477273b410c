"""From a confirmed registration produced to its milestone readable, of each contender that runs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import quantiles
from typing import Any, Final

from local.parts import Parts
from process.settings import Settings
from proof.bench.latency import WARM_UP_S, measure_latency
from proof.bench.peers.contenders import Announce, Command, Contender
from proof.bench.peers.scene import FAILURES, make_sinks, sinks_of, start
from proof.bench.worker import Worker

SHARE_WARM_UP_S: Final = 30.0
"""Less than usual: under so many events Java has compiled what it will, and they are made before they are sent."""
PERCENTILES: Final = (50, 75, 90, 95, 99)


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Latencies of one contender at one rate, milliseconds."""

    contender: str
    rate: float
    """Events per second, as asked for."""
    share: float | None = None
    """Of the contender's own throughput, percent, where the rate was chosen by it."""
    fault: str = ""
    """Why there are no figures; empty where there are."""
    pace: float = 0.0
    """Events per second that were kept."""
    percentiles_ms: Mapping[int, float] = field(default_factory=dict)
    max_ms: float = 0.0

    @property
    def load(self) -> str:
        """Return what contenders are compared at."""
        return f"{self.rate:,.0f} events/s" if self.share is None else f"{self.share:g} % of its own throughput"

    def as_data(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self) | {"percentiles_ms": {f"p{each}": ms for each, ms in self.percentiles_ms.items()}}


def measure(
    parts: Parts,
    contender: Contender,
    command: Command,
    *,
    rate: float,
    share: float | None = None,
    seconds: float,
    announce: Announce,
) -> Percentiles:
    """Run the load of `bench latency` beside a contender; a milestone that does not come is a fault."""
    announce(f"latency of {contender.name}")

    def begin(settings: Settings, parts: Parts) -> Worker:
        make_sinks(sinks_of(contender, settings))
        return start(contender, command, settings=settings, parts=parts)

    try:
        found = measure_latency(
            parts,
            events_per_s=rate,
            seconds=seconds,
            awards=False,
            announce=announce,
            start=begin,
            sinks_of=partial(sinks_of, contender),
            warm_up_s=WARM_UP_S if share is None else SHARE_WARM_UP_S,
        )
    except FAILURES as error:
        return Percentiles(contender=contender.name, rate=rate, share=share, fault=f"failed: {error}")
    at_ms = quantiles((1000 * each for each in found.produced_to_milestone_s), n=100)
    return Percentiles(
        contender=contender.name,
        rate=rate,
        share=share,
        pace=found.events_per_s,
        percentiles_ms={percent: at_ms[percent - 1] for percent in PERCENTILES},
        max_ms=1000 * max(found.produced_to_milestone_s),
    )
