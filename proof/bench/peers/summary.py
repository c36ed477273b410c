"""What all rounds of a contender say together: medians and spread, and what had no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from proof.bench.peers.kills import Survival
from proof.bench.peers.latency import Percentiles
from proof.bench.peers.measuring import Round


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of some figures, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Return it of at least one figure."""
        return cls(median=median(figures), least=min(figures), most=max(figures))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A contender's rounds of one population."""

    contender: str
    rounds: int
    faults: Sequence[str]
    """Why rounds have no figure, each reason once."""
    wrong: int
    """Rounds with another result than the oracle's."""
    events_per_s: Spread | None
    """This and the next are None where no round has a figure."""
    cpu_s_per_million: Spread | None
    broker_cpu_s_per_million: Spread | None
    foreign_cpus: Spread | None


@dataclass(frozen=True, kw_only=True)
class Run:
    """All that one run of `referrals bench peers` found."""

    machine: Mapping[str, Any]
    titles: Mapping[str, str]
    """Of each contender that was asked for, in the tables' order."""
    absent: Mapping[str, str]
    """Why contenders could not be had."""
    rounds: list[Round]
    """This and the next grow while it runs."""
    latencies: list[Percentiles]
    survivals: list[Survival]

    @property
    def populations(self) -> list[str]:
        """Return the populations in the order in which they were measured."""
        return list(dict.fromkeys(one.population for one in self.rounds))

    @property
    def is_sound(self) -> bool:
        """Tell whether somebody was measured, and nothing that was is wrong or failed."""
        faults = [one.fault for one in self.rounds] + [one.fault for one in self.latencies]
        faults += [one.fault for one in self.survivals]
        return bool(faults) and not any(fault.startswith(("WRONG", "failed")) for fault in faults)

    def summaries(self, population: str) -> list[Summary]:
        """Return a population's summaries in the order of the tables."""
        of_population = [one for one in self.rounds if one.population == population]
        return [
            summarise(name, rounds)
            for name in self.titles
            if (rounds := [one for one in of_population if one.contender == name])
        ]

    def as_data(self) -> dict[str, Any]:
        """Return it for a file."""
        return {
            "machine": dict(self.machine),
            "absent": dict(self.absent),
            "rounds": [one.as_data() for one in self.rounds],
            "latencies": [one.as_data() for one in self.latencies],
            "survivals": [one.as_data() for one in self.survivals],
        }


def summarise(contender: str, rounds: Sequence[Round]) -> Summary:
    """Return what the rounds say together; a wrong one counts in no figure."""
    good = [one for one in rounds if not one.fault]

    def spread(figures: Sequence[float]) -> Spread | None:
        return Spread.of(figures) if figures else None

    return Summary(
        contender=contender,
        rounds=len(rounds),
        faults=list(dict.fromkeys(one.fault for one in rounds if one.fault)),
        wrong=sum(one.fault.startswith("WRONG") for one in rounds),
        events_per_s=spread([one.events_per_s for one in good]),
        cpu_s_per_million=spread([one.cpu_s_per_million for one in good]),
        broker_cpu_s_per_million=spread([one.broker_cpu_s_per_million for one in good]),
        foreign_cpus=spread([one.foreign_cpus for one in good]),
    )
