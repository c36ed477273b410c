"""The figures as tables, each beside what it must reach; a function returns whether all of its figures do."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Final

from rich.console import Console
from rich.table import Table

from proof.bench.latency import Latencies
from proof.bench.memory import BYTES_REQUIRED, Footprint
from proof.bench.rebalances import LATE_S, Stretch
from proof.bench.recovery import ROWS_PER_S_REQUIRED, Recovery
from proof.bench.scale import Point
from proof.bench.soak import Soak
from proof.bench.throughput import Comparison

PERCENTILES: Final = (50, 90, 99)
MILESTONE_MS_MAX: Final = {50: 20.0, 99: 100.0}
AWARD_MS_MAX: Final = {50: 40.0}
GROWTH_MB_PER_H_MAX: Final = 5.0
"""Of a worker whose rows stay the same."""
SHOWN_OF_A_SOAK: Final = 10

REACHED: Final = {True: "reached", False: "NOT reached"}


def show_throughput(comparisons: Sequence[Comparison]) -> bool:
    """Print the rounds, and the ratios where there are any."""
    console = Console()
    reached = True
    for comparison in comparisons:
        population = comparison.population
        law = f"Zipf's law, s={population.zipf_exponent:g}" if population.zipf_exponent else "uniformly"
        table = _table(
            f"{population.mentors:,} mentors drawn {law}; 12 partitions, lz4, one worker",
            "events",
            "seconds",
            "events/s",
            "CPU s per million",
            "CPUs busy with others",
        )
        for one in comparison.rounds:
            table.add_row(
                one.contender,
                f"{one.events:,}",
                f"{one.wall_s:.1f}",
                f"{one.events_per_s:,.0f}",
                f"{one.cpu_s_per_million:.1f}",
                f"{one.foreign_cpus:.2f}",
            )
        console.print(table)
        if comparison.is_comparison:
            is_enough = comparison.ratio >= comparison.ratio_required
            reached &= is_enough
            console.print(
                f"engine : plain Faust = {comparison.ratio:.1f} (median of the pairs), at least "
                f"{comparison.ratio_required:g}: {REACHED[is_enough]}; in CPU time for an event "
                f"{comparison.cpu_ratio:.1f}\n"
            )
    return reached


def show_latency(found: Latencies) -> bool:
    """Print the percentiles."""
    console = Console()
    table = _table(
        f"{len(found.produced_to_milestone_s):,} confirmed registrations at {found.events_per_s:.0f} events/s, ms",
        *(f"p{percent}" for percent in PERCENTILES),
        "max",
        "required",
    )
    reached = True
    for name, seconds, ms_max in (
        ("produced to acknowledged", found.produced_to_acked_s, {}),
        ("acknowledged to milestone readable", found.acked_to_milestone_s, {}),
        ("produced to milestone readable", found.produced_to_milestone_s, MILESTONE_MS_MAX),
        ("produced to award committed", found.produced_to_award_s, AWARD_MS_MAX),
        ("  of which the notice", found.notice_s, {}),
    ):
        if not seconds:
            continue
        at_ms = dict(zip(range(1, 100), quantiles((1000 * each for each in seconds), n=100), strict=True))
        is_enough = all(at_ms[percent] <= most for percent, most in ms_max.items())
        reached &= is_enough
        required = ", ".join(f"p{percent} {most:g}" for percent, most in ms_max.items())
        table.add_row(
            name,
            *(f"{at_ms[percent]:.1f}" for percent in PERCENTILES),
            f"{1000 * max(seconds):.1f}",
            f"{required}: {REACHED[is_enough]}" if ms_max else "",
        )
    console.print(table)
    console.print(f"CPUs busy with others, Postgres among them: {found.foreign_cpus:.2f}")
    return reached


def show_memory(found: Sequence[Footprint]) -> bool:
    """Print the bytes of each kind of row."""
    table = _table("Memory", "rows", "bytes per row", "of these key", "and row", "required")
    reached = True
    for one in found:
        is_enough = one.bytes_per_row <= BYTES_REQUIRED[one.kind]
        reached &= is_enough
        table.add_row(
            one.kind,
            f"{one.rows:,}",
            f"{one.bytes_per_row:.0f}",
            f"{one.key_bytes:.0f}",
            f"{one.row_bytes:.0f}",
            f"{BYTES_REQUIRED[one.kind]}: {REACHED[is_enough]}",
        )
    Console().print(table)
    return reached


def show_recovery(found: Sequence[Recovery]) -> bool:
    """Print the speed of loading each kind."""
    table = _table("Recovery", "rows", "seconds", "rows/s", "required")
    reached = True
    for one in found:
        is_enough = one.rows_per_s >= ROWS_PER_S_REQUIRED
        reached &= is_enough
        table.add_row(
            one.kind,
            f"{one.rows:,}",
            f"{one.seconds:.1f}",
            f"{one.rows_per_s:,.0f}",
            f"{ROWS_PER_S_REQUIRED:,}: {REACHED[is_enough]}",
        )
    Console().print(table)
    return reached


def show_scale(found: Sequence[Point]) -> bool:
    """Print each point beside the first."""
    table = _table("One thing changed at a time", "events/s", "CPU s per million", "others", "ratio", "required")
    reached = True
    for point in found:
        is_enough = point.ratio >= point.required
        reached &= is_enough
        table.add_row(
            point.name,
            f"{median(one.events_per_s for one in point.rounds):,.0f}",
            f"{median(one.cpu_s_per_million for one in point.rounds):.1f}",
            f"{median(one.foreign_cpus for one in point.rounds):.2f}",
            f"{point.ratio:.2f}",
            f"{point.required:g}: {REACHED[is_enough]}" if point.required else "",
        )
    Console().print(table)
    return reached


def show_rebalances(found: Sequence[Stretch], *, events_per_s: float) -> None:
    """Print what each stretch saw."""
    columns = ("confirmed", "p50 ms", "p99 ms", "max ms", f"later than {LATE_S:g} s")
    table = _table(f"Produced to milestone readable at {events_per_s:g} events/s, from what happens on", *columns)
    for one in found:
        figures = (f"{1000 * each:.0f}" for each in (one.p50_s, one.p99_s, one.max_s))
        table.add_row(one.begins_with, f"{one.measured:,}", *figures, f"{one.late:,}")
    Console().print(table)


def show_soak(found: Soak) -> bool:
    """Print the worker's resident set in tenths of the time, and what it grew by."""
    table = _table(f"{found.events:,} events in {found.seconds / 60:.0f} minutes: the worker's resident set", "MB")
    for number in range(SHOWN_OF_A_SOAK):
        at_s, rss_mb = found.rss_mb[number * (len(found.rss_mb) - 1) // (SHOWN_OF_A_SOAK - 1)]
        table.add_row(f"minute {at_s / 60:.0f}", f"{rss_mb:.1f}")
    console = Console()
    console.print(table)
    is_enough = found.growth_mb_per_h <= GROWTH_MB_PER_H_MAX
    console.print(
        f"growth: {found.growth_mb_per_h:.1f} MB an hour, at most {GROWTH_MB_PER_H_MAX:g}: {REACHED[is_enough]}"
    )
    return is_enough


def _table(title: str, *columns: str) -> Table:
    table = Table("", title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    return table
