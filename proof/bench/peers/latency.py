"""From a confirmed registration produced to its milestone readable, of each contender that runs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import quantiles
from typing import Any, Final

from local.parts import Parts
from process.settings import Settings
from proof.bench.latency import measure_latency
from proof.bench.peers.contenders import Announce, Command, Contender
from proof.bench.peers.scene import FAILURES, make_sinks, sinks_of, start
from proof.bench.worker import Worker

PERCENTILES: Final = (50, 75, 90, 95, 99)


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Latencies of one contender at one rate, milliseconds."""

    contender: str
    rate: float
    """Events per second, as asked for."""
    fault: str = ""
    """Why there are no figures; empty where there are."""
    pace: float = 0.0
    """Events per second that were kept."""
    percentiles_ms: Mapping[int, float] = field(default_factory=dict)
    max_ms: float = 0.0

    def as_data(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self) | {"percentiles_ms": {f"p{each}": ms for each, ms in self.percentiles_ms.items()}}


def measure(
    parts: Parts, contender: Contender, command: Command, *, rate: float, seconds: float, announce: Announce
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
        )
    except FAILURES as error:
        return Percentiles(contender=contender.name, rate=rate, fault=f"failed: {error}")
    at_ms = quantiles((1000 * each for each in found.produced_to_milestone_s), n=100)
    return Percentiles(
        contender=contender.name,
        rate=rate,
        pace=found.events_per_s,
        percentiles_ms={percent: at_ms[percent - 1] for percent in PERCENTILES},
        max_ms=1000 * max(found.produced_to_milestone_s),
    )
