"""The HTTP side's figures as tables, each beside what it must reach."""

from __future__ import annotations

import sys
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from proof.bench.report import REACHED
from proof.bench.web import P99_MS_MAX, RATIO_REQUIRED, SELECT_1_MAX, Comparison, WebFigures

WIDTH_IN_FILES: Final = 120
"""Characters a line where no terminal says how wide it is."""


def show_web(found: WebFigures) -> bool:
    """Print the figures; return whether all of them are what they must be."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH_IN_FILES)
    reached = [_show_ratios(console, found), *(_show_latency(console, one) for one in found.comparisons)]
    return all([*reached, _show_figures(console, found)])


def _show_ratios(console: Console, found: WebFigures) -> bool:
    table = _table(
        "Requests per second, one process each, in turn",
        *("ours", "bare", "ratio", "required", "in CPU time", "server's CPUs", "generator's CPUs"),
    )
    reached = True
    for one in found.comparisons:
        ours, bare, _ = zip(*one.rounds, strict=True)
        is_enough = one.ratio >= RATIO_REQUIRED[one.route]
        reached &= is_enough
        table.add_row(
            one.route,
            f"{median(each.per_s for each in ours):,.0f}",
            f"{median(each.per_s for each in bare):,.0f}",
            f"{one.ratio:.2f}",
            f"{RATIO_REQUIRED[one.route]:g}: {REACHED[is_enough]}",
            f"{one.cpu_ratio:.2f}",
            f"{median(each.server_cpus for each in ours):.2f}, bare {median(each.server_cpus for each in bare):.2f}",
            f"{median(each.generator_cpus for each in (*ours, *bare)):.2f}",
        )
    console.print(table)
    console.print(f"the load generator alone, against a socket that answers at once: {found.generator_per_s:,.0f}\n")
    return reached


def _show_latency(console: Console, one: Comparison) -> bool:
    p50_ms, p99_ms = (1_000 * one.percentile_s(percent) for percent in (50, 99))
    is_enough = p99_ms < P99_MS_MAX
    console.print(
        f"{one.route} at {median(ordinary.per_s for _, _, ordinary in one.rounds):,.0f} requests/s, half of the most: "
        f"p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms, under {P99_MS_MAX:g}: {REACHED[is_enough]}"
    )
    return is_enough


def _show_figures(console: Console, found: WebFigures) -> bool:
    table = _table(
        f"An organisation of 100,000 mentors; SELECT 1 takes {1_000 * found.figures[0].select_1_s:.2f} ms",
        *("read, ms", "x SELECT 1", "answer over HTTP, ms", "x SELECT 1", "required"),
    )
    reached = True
    for one in found.figures:
        most = SELECT_1_MAX * one.statements
        is_enough = one.read_multiple <= most
        reached &= is_enough
        table.add_row(
            one.name,
            f"{1_000 * one.read_s:.2f}",
            f"{one.read_multiple:.1f}",
            f"{1_000 * one.answer_s:.2f}",
            f"{one.answer_multiple:.1f}",
            f"{most:g}: {REACHED[is_enough]}",
        )
    console.print("")
    console.print(table)
    return reached


def _table(title: str, *columns: str) -> Table:
    table = Table("", title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    return table
