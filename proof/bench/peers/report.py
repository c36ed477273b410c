"""The tables of `referrals bench peers`; what has no figure says why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table

from proof.bench.peers.summary import Run, Spread, Summary

WIDTH: Final = 120
"""Of the tables where they go into a file."""
PERCENTILES_SHOWN: Final = (50, 90, 99)
LEGEND: Final = "CPU seconds per million events; CPUs busy with others"


def show(run: Run, console: Console | None = None) -> None:
    """Print the tables of a run, and below them every reason why a figure is missing."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    for population in run.populations:
        console.print(_throughput(run, population))
    for load in dict.fromkeys(one.load for one in run.latencies):
        console.print(_latency(run, load))
    if run.survivals:
        console.print(_kills(run))
    for reason in _reasons(run):
        console.print(reason, markup=False, highlight=False, emoji=False)


def _reasons(run: Run) -> Iterator[str]:
    for contender, why in run.absent.items():
        yield f"{run.titles[contender]}: ABSENT: {why}"
    for population in run.populations:
        for summary in run.summaries(population):
            yield from (f"{run.titles[summary.contender]}, {population}: {fault}" for fault in summary.faults)
    for one in run.latencies:
        if one.fault:
            yield f"{run.titles[one.contender]}, {one.load}: {one.fault}"
    for survival in run.survivals:
        if why := survival.fault or survival.example:
            yield f"{run.titles[survival.contender]}, killed: {why}"


def _throughput(run: Run, population: str) -> Table:
    table = Table("", title=f"{population}: 12 partitions, one worker; medians. {LEGEND}", title_justify="left")
    for column in ("rounds", "events/s", "least", "most", "CPU s/M", "broker's", "others"):
        table.add_column(column, justify="right")
    table.add_column("result")
    for summary in run.summaries(population):
        speed = summary.events_per_s
        table.add_row(
            run.titles[summary.contender],
            str(summary.rounds),
            *([f"{each:,.0f}" for each in (speed.median, speed.least, speed.most)] if speed else "---"),
            _median(summary.cpu_s_per_million, ".1f"),
            _median(summary.broker_cpu_s_per_million, ".1f"),
            _median(summary.foreign_cpus, ".2f"),
            _result(summary),
        )
    for contender in run.absent:
        table.add_row(run.titles[contender], "0", *"------", "ABSENT")
    return table


def _latency(run: Run, load: str) -> Table:
    title = f"Registration produced to milestone readable, {load}, ms"
    table = Table("", title=title, title_justify="left", min_width=len(title))
    for column in (*(f"p{percent}" for percent in PERCENTILES_SHOWN), "max", "pace kept", "result"):
        table.add_column(column, justify="right")
    for one in (each for each in run.latencies if each.load == load):
        figures = [one.percentiles_ms[percent] for percent in PERCENTILES_SHOWN] if not one.fault else []
        cells = [f"{each:.1f}" for each in (*figures, one.max_ms)] if figures else ["-"] * (len(PERCENTILES_SHOWN) + 1)
        pace = f"{one.pace:,.0f}" if figures else "-"
        table.add_row(run.titles[one.contender], *cells, pace, "right" if figures else one.fault.partition(":")[0])
    return table


def _kills(run: Run) -> Table:
    table = Table("", title="Killed at work by SIGKILL, and started again", title_justify="left")
    for column in ("kills", "ended by itself", "differences from the oracle's result"):
        table.add_column(column, justify="right")
    for one in run.survivals:
        differences = one.fault.partition(":")[0] or f"{one.differences:,}"
        table.add_row(run.titles[one.contender], str(one.kills), str(one.restarts), differences)
    return table


def _median(found: Spread | None, form: str) -> str:
    return "-" if found is None else f"{found.median:{form}}"


def _result(summary: Summary) -> str:
    faulty = [fault.partition(":")[0] for fault in summary.faults]
    if summary.wrong:
        return f"WRONG {summary.wrong} of {summary.rounds}"
    return ", ".join(faulty) if faulty else "right"
