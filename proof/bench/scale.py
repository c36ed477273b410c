"""How far the engine goes: the throughput of one worker, and with one thing changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from local.parts import Parts
from proof.bench.load import UNIFORM, Population
from proof.bench.throughput import Contender, Round, Source, engine_contender

MILLION: Final = Population(name="million", mentors=1_000_000, zipf_exponent=0.0)
HOT: Final = Population(name="hot", mentors=1_000, zipf_exponent=3.0)
"""The first mentor has 83 % of the events."""
PARTITIONS: Final = 96


@dataclass(frozen=True, kw_only=True)
class Point:
    """A condition, and what was measured under it."""

    name: str
    rounds: Sequence[Round]
    ratio: float
    """To the first condition: the median of the pairs."""
    required: float
    """0 where nothing is."""


def measure_scale(parts: Parts, *, events: int, rounds: int, announce: Callable[[str], None]) -> list[Point]:
    """Measure each condition in turn. Raises WrongResult where a result is not what it must be."""
    conditions: list[tuple[Population, Contender, float]] = [
        (UNIFORM, engine_contender(events, name="12 partitions, 100,000 mentors, 1 worker"), 0.0),
        (UNIFORM, engine_contender(events, name="2 workers", workers=2), 0.0),
        (UNIFORM, engine_contender(events, name="96 partitions", partitions=PARTITIONS), 0.9),
        (MILLION, engine_contender(events, name="1,000,000 mentors"), 0.9),
        (HOT, engine_contender(events, name="a mentor with 83 % of the events"), 0.0),
    ]
    sources = [Source(parts, population, contender, announce) for population, contender, _ in conditions]
    measured: list[list[Round]] = [[] for _ in sources]
    for number in range(rounds):
        for source, taken in zip(sources, measured, strict=True):
            taken.append(one := source.measure())
            announce(f"round {number + 1}, {one.contender}: {one.events_per_s:,.0f} events/s")
    return [
        Point(
            name=contender.name,
            rounds=taken,
            ratio=median(one.events_per_s / first.events_per_s for one, first in zip(taken, measured[0], strict=True)),
            required=required,
        )
        for (_, contender, required), taken in zip(conditions, measured, strict=True)
    ]
