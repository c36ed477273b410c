"""The plots of a run: throughput and CPU of each population, latency at each rate."""

from __future__ import annotations

from collections.abc import Callable

from proof.bench.peers.kills import Survival
from proof.bench.peers.latency import Percentiles
from proof.bench.peers.summary import Run, Spread, Summary
from proof.bench.peers.svg import Bar, Group, bar_chart


def plots(run: Run) -> dict[str, str]:
    """Return the drawings by file name; who has no figure is named with the reason."""
    drawn = {}
    for population in run.populations:
        drawn[f"throughput-{population}.svg"] = bar_chart(
            f"Events per second, {population}, exactly once where not said otherwise: median, least, most",
            ["events/s"],
            _groups(run, population, lambda one: [(one.events_per_s, ",.0f")]),
        )
        drawn[f"cpu-{population}.svg"] = bar_chart(
            f"CPU seconds per million events, {population}",
            ["contender", "broker"],
            _groups(
                run, population, lambda one: [(one.cpu_s_per_million, ".1f"), (one.broker_cpu_s_per_million, ".1f")]
            ),
        )
    for load, example in {one.load: one for one in run.latencies}.items():
        drawn[_latency_file(example)] = bar_chart(
            f"Registration to milestone readable at {load}, ms",
            ["p50", "p99"],
            [
                Group(
                    name=run.titles[one.contender],
                    remark=one.fault.partition(":")[0],
                    bars=[]
                    if one.fault
                    else [
                        Bar(value=one.percentiles_ms[percent], label=_at(one, one.percentiles_ms[percent]))
                        for percent in (50, 99)
                    ],
                )
                for one in run.latencies
                if one.load == load
            ]
            + _absent(run),
        )
    if run.survivals:
        drawn["kills.svg"] = bar_chart(
            "After SIGKILL at work: mentors and milestones that differ from the oracle's result",
            ["differences"],
            [
                Group(
                    name=run.titles[one.contender],
                    remark=one.fault.partition(":")[0],
                    bars=[] if one.fault else [Bar(value=one.differences, label=_killed(one))],
                )
                for one in run.survivals
            ]
            + _absent(run),
        )
    return drawn


def _latency_file(one: Percentiles) -> str:
    return f"latency-{one.rate:.0f}.svg" if one.share is None else f"latency-{one.share:g}-percent.svg"


def _at(one: Percentiles, ms: float) -> str:
    return f"{ms:,.1f}" if one.share is None else f"{ms:,.1f} at {one.pace:,.0f}/s"


def _killed(one: Survival) -> str:
    return f"{one.differences:,} after {one.kills} kills"


def _groups(run: Run, population: str, figures: Callable[[Summary], list[tuple[Spread | None, str]]]) -> list[Group]:
    groups = []
    for summary in run.summaries(population):
        wrong = f", WRONG {summary.wrong} of {summary.rounds}" if summary.wrong else ""
        bars = [
            Bar(value=found.median, label=f"{found.median:{form}}{wrong}", least=found.least, most=found.most)
            for found, form in figures(summary)
            if found is not None
        ]
        remark = ", ".join(fault.partition(":")[0] for fault in summary.faults)
        groups.append(Group(name=run.titles[summary.contender], bars=bars, remark=remark))
    return groups + _absent(run)


def _absent(run: Run) -> list[Group]:
    return [Group(name=run.titles[name], remark="absent") for name in run.absent]
