"""Figures as a picture that fits the terminal: 80 columns by 24 lines, or more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from local.demo.pseudonyms import mentor_name, organisation_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from local.demo.figures import Figures, Place

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH: Final = 12
SPARKLINE_WIDTH_WIDE: Final = 40
LINES_MIN: Final = 24
NOTICES_SHOWN: Final = 2
BUSIEST_SHARE: Final = 0.4
"""Of the lines left for lists; the rest is for milestones and awards."""
LIST_LINES_MIN: Final = 3
MORE_LINES: Final = 6
"""Three of the totals beyond the first, two headings of lists, one line between them."""
REASONS_SHOWN: Final = 4
WIDE: Final = 110
"""Columns from which there is room for times, rates and longer curves."""
MILESTONES_WIDTH: Final = 31
"""Columns of threshold, mentor and organisation; awards get the rest, their names are long."""
TIME_WIDTH: Final = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Where the demo is."""

    text: str
    fraction: float | None = None
    """How much of it is done; None where nobody knows."""


def draw(
    figures: Figures,
    stage: Stage,
    *,
    width: int,
    lines: int,
    places: Sequence[Place],
    notices: Sequence[str],
) -> Group:
    """Return the picture.

    Args:
        figures: what is seen.
        stage: where the demo is.
        width: columns of the terminal.
        lines: lines of the terminal; the picture has as many, and at least 24.
        places: where the servers and the dashboard are.
        notices: what was announced lately; the last ones are shown.

    """
    head: list[RenderableType] = [_title(stage, width), Rule(style="dim"), _totals(figures, width), Text()]
    foot: list[RenderableType] = [
        Rule(style="dim"),
        _line(_processes(figures, width), width),
        *(_line(Text(place.in_picture, style=_place_style(place)), width) for place in places),
        *(_line(Text(notice, style="yellow"), width) for notice in notices[-NOTICES_SHOWN:]),
    ]
    left = max(lines, LINES_MIN) - len(head) - len(foot) - MORE_LINES
    busiest = max(LIST_LINES_MIN, int(left * BUSIEST_SHARE))
    return Group(*head, _reached(figures, left - busiest, width), Text(), _busiest(figures, busiest, width), *foot)


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the last values as a row of bars, the highest of them full."""
    shown = values[-width:]
    highest = max(shown, default=0)
    if highest <= 0:
        return (BLOCKS[1] * len(shown)).rjust(width)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[max(1, round(max(value, 0) / highest * top))] for value in shown).rjust(width)


def _title(stage: Stage, width: int) -> RenderableType:
    row = Table.grid(expand=True)
    row.add_column(ratio=1, no_wrap=True)
    row.add_column(justify="right", no_wrap=True)
    row.add_column(width=1)
    row.add_column(width=width // 5)
    bar = ProgressBar(total=1.0, completed=stage.fraction, pulse=False) if stage.fraction is not None else Text()
    row.add_row(Text("Referral Streams", style="bold cyan"), Text(stage.text), "", bar)
    return row


def _totals(figures: Figures, width: int) -> RenderableType:
    """Return the lines of rates, lag and dead letters."""
    curve = SPARKLINE_WIDTH_WIDE if width >= WIDE else SPARKLINE_WIDTH
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, width=9)
    table.add_column(style="cyan", no_wrap=True, width=curve)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_row(
        "records in",
        f"{figures.received_per_s:,.0f}/s",
        sparkline(figures.received_history, curve),
        Text(f"{figures.received:,} in the source topics", style="dim"),
    )
    table.add_row(
        "processed",
        f"{figures.processed_per_s:,.0f}/s",
        sparkline(figures.processed_history, curve),
        Text(f"{figures.partitions_committed} of {figures.partitions} partitions committed just now", style="dim"),
    )
    lags = ", ".join(f"{name} {lag:,}" for name, lag in figures.lags.items())
    table.add_row(
        "lag",
        Text(f"{figures.lag:,}", style="bold yellow" if figures.lag else "bold green"),
        Text(sparkline(figures.lag_history, curve), style="yellow"),
        Text(lags, style="dim"),
    )
    letters = sorted(figures.dead_letters.items(), key=lambda item: -item[1])
    reasons = ", ".join(f"{name} {count:,}" for name, count in letters[:REASONS_SHOWN])
    table.add_row("dead letters", f"{sum(figures.dead_letters.values()):,}", "", Text(reasons, style="dim"))
    return table


def _reached(figures: Figures, rows: int, width: int) -> RenderableType:
    """Return the latest milestones and the latest awards side by side."""
    side = Table.grid(expand=True, padding=(0, 2, 0, 0))
    side.add_column(width=MILESTONES_WIDTH + (TIME_WIDTH if width >= WIDE else 0))
    side.add_column(ratio=1)
    milestones, awards = _list(), _list()
    for milestone in figures.milestones_latest[:rows]:
        milestones.add_row(
            *([f"{milestone.seen_at.astimezone():%H:%M:%S}"] if width >= WIDE else []),
            Text(f"{milestone.threshold:>2}", style="bold magenta"),
            mentor_name(milestone.mentor_id),
            Text(organisation_name(milestone.org_id), style="dim"),
        )
    for award in figures.awards_latest[:rows]:
        awards.add_row(
            *([f"{award.awarded_at.astimezone():%H:%M:%S}"] if width >= WIDE else []),
            Text(award.badge_name, style="green"),
            mentor_name(award.mentor_id),
            Text(organisation_name(award.org_id), style="dim"),
        )
    for _ in range(rows - len(figures.milestones_latest)):
        milestones.add_row("")
    side.add_row(
        Text.assemble(("milestones", "bold magenta"), f"  {figures.milestones:,}"),
        Text.assemble(("badges awarded", "bold green"), f"  {figures.awards:,}"),
    )
    side.add_row(milestones, awards)
    return side


def _busiest(figures: Figures, rows: int, width: int) -> RenderableType:
    """Return the mentors with most confirmed registrations."""
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(f"busiest of {figures.mentors:,} mentors", no_wrap=True, ratio=3)
    table.add_column("organisation", no_wrap=True, ratio=2, style="dim")
    for heading in ("clicks", "pending", "confirmed"):
        table.add_column(heading, justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("conversion", justify="right", no_wrap=True)
    table.add_column("reached", no_wrap=True, style="magenta")
    for mentor in figures.busiest[:rows]:
        table.add_row(
            mentor_name(mentor.mentor_id),
            organisation_name(mentor.org_id),
            f"{mentor.clicks:,}",
            f"{mentor.pending:,}",
            f"{mentor.confirmed:,}",
            *([f"{mentor.conversion_rate:.1%}"] if width >= WIDE else []),
            " ".join(map(str, mentor.milestones)),
        )
    for _ in range(rows - len(figures.busiest)):
        table.add_row("")
    return table


def _list() -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(no_wrap=True)
    return table


def _processes(figures: Figures, width: int) -> Text:
    """Return the components with their restarts and, given room, process ids; in red what is down or not answering."""
    text = Text("components")
    for process in figures.processes:
        if process.pid is None:
            text.append(f"  {process.name} is down", style="bold red")
        else:
            text.append(f"  {process.name}", style="bold")
            text.append((f" pid {process.pid}" if width >= WIDE else "") + _restarts(process.restarts))
    for server in figures.away:
        text.append(f"  no answer from {server}", style="bold red")
    return text


def _place_style(place: Place) -> Style:
    return Style(dim=place.link is None, bold=place.link is not None, link=place.link)


def _restarts(count: int) -> str:
    return "" if not count else f", {count} restart{'s' if count > 1 else ''}"


def _line(text: Text, width: int) -> Text:
    """Return the text as exactly one line."""
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text
