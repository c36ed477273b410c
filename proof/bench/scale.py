"""How far the engine goes: the throughput of one worker, and with one thing changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from local.parts import Parts
from local.parts.brokers import BROKERS
from proof.bench.load import UNIFORM, Population
from proof.bench.throughput import Contender, Round, Source, engine_contender

MILLION: Final = Population(name="million", mentors=1_000_000, zipf_exponent=0.0)
HOT: Final = Population(name="hot", mentors=1_000, zipf_exponent=3.0)
"""The first mentor has 83 % of the events."""
PARTITIONS: Final = (48, 96)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A condition, and what was measured under it."""

    name: str
    rounds: Sequence[Round]
    ratio: float
    """To the first condition: the median of the pairs."""
    required: float
    """0 where nothing is."""


def measure_scale(
    parts: Parts, replicated: Parts, *, events: int, rounds: int, announce: Callable[[str], None]
) -> list[Point]:
    """Measure each condition in turn. Raises WrongResult where a result is not what it must be.

    Args:
        parts: one broker, for all conditions but one.
        replicated: several, on the same machine.
        events: of each.
        rounds: of each.
        announce: told what is done.

    """
    few, many = PARTITIONS
    usual = replace(engine_contender(events), knows_codes=True, name="12 partitions, 100,000 mentors, 1 worker")
    conditions: list[tuple[Parts, Population, Contender, float]] = [
        (parts, UNIFORM, usual, 0.0),
        (parts, UNIFORM, replace(usual, name="2 workers", workers=2), 0.0),
        (parts, UNIFORM, replace(usual, name="4 workers", workers=4), 0.0),
        (parts, UNIFORM, replace(usual, name=f"{few} partitions", partitions=few), 0.0),
        (parts, UNIFORM, replace(usual, name=f"{many} partitions", partitions=many), 0.9),
        (replicated, UNIFORM, replace(usual, name="3 brokers, 3 replicas", replicas=BROKERS), 0.0),
        (parts, MILLION, replace(usual, name="1,000,000 mentors"), 0.9),
        (parts, HOT, replace(usual, name="a mentor with 83 % of the events"), 0.0),
    ]
    measured: list[list[Round]] = [[] for _ in conditions]
    for number in range(rounds):
        for (at, population, contender, _), taken in zip(conditions, measured, strict=True):
            taken.append(one := Source(at, population, contender, announce).measure())
            announce(f"round {number + 1}, {one.contender}: {one.events_per_s:,.0f} events/s")
    return [
        Point(
            name=contender.name,
            rounds=taken,
            ratio=median(one.events_per_s / first.events_per_s for one, first in zip(taken, measured[0], strict=True)),
            required=required,
        )
        for (_, _, contender, required), taken in zip(conditions, measured, strict=True)
    ]
