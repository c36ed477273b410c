"""Where the demo speaks to: a terminal with a live picture, or plain lines where there is none."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Final, Protocol

from rich.live import Live
from rich.text import Text

from local.demo.figures import Figures, Place
from local.demo.frame import LINES_MIN, Stage, draw
from local.demo.pseudonyms import mentor_name, organisation_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from rich.console import Console, RenderableType

PLAIN_INTERVAL_S: Final = 2.0


class View(Protocol):
    """What the demo tells; any thread may."""

    def announce(self, line: str) -> None:
        """Say what happens: starts, ends, restarts."""

    def show(self, figures: Figures) -> None:
        """Show a look."""

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Say where the demo is, and how much of that is done."""

    def live(self, places: Sequence[Place]) -> AbstractContextManager[None]:
        """Show stages and looks while the body runs; `places` says where everything is."""

    def say(self, line: str, style: str = "") -> None:
        """Say a result. A line that begins with a space stays one line, to be copied."""


def view_for(console: Console) -> View:
    """Return the view that suits the console."""
    return TerminalView(console) if console.is_terminal else PlainView(console)


class TerminalView:
    """A picture on the terminal's second screen, which leaves the first one as it was; its last state is kept there."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._figures = Figures()
        self._stage = Stage(text="")
        self._places: Sequence[Place] = ()
        self._notices: list[str] = []

    def announce(self, line: str) -> None:
        """Print the line; while the picture is shown, show it there, and print it afterwards."""
        with self._lock:
            self._notices.append(f"{time.monotonic() - self._started_s:5.1f} s  {line}")
            if self._live is None:
                self._print_notices()
            else:
                self._redraw()

    def show(self, figures: Figures) -> None:
        """Show a look."""
        with self._lock:
            self._figures = figures
            self._redraw()

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Show the stage."""
        with self._lock:
            self._stage = Stage(text=text, fraction=fraction)
            self._redraw()

    @contextmanager
    def live(self, places: Sequence[Place]) -> Iterator[None]:
        """Show the picture while the body runs, and print its last state afterwards."""
        self._places = places
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            with self._lock:
                self._live = live
                self._redraw()
            try:
                yield
            finally:
                with self._lock:
                    self._live = None
        with self._lock:
            self._console.print(self._picture(LINES_MIN, notices=[]))
            self._print_notices()

    def say(self, line: str, style: str = "") -> None:
        """Print a result."""
        with self._lock:
            lines = line if line.startswith(" ") else fill(line, self._console.width)
            self._console.print(Text(lines, style=style), soft_wrap=True)

    def _print_notices(self) -> None:
        for notice in self._notices:
            self._console.print(Text(notice, style="dim"), soft_wrap=True)
        self._notices.clear()

    def _redraw(self) -> None:
        if self._live is not None:
            self._live.update(self._picture(self._console.height, notices=self._notices), refresh=True)

    def _picture(self, lines: int, *, notices: Sequence[str]) -> RenderableType:
        return draw(
            self._figures, self._stage, width=self._console.width, lines=lines, places=self._places, notices=notices
        )


class PlainView:
    """A line every two seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._shown_s = 0.0
        self._stage = ""
        self._is_live = False

    def announce(self, line: str) -> None:
        """Print the line."""
        self._print(line)

    def show(self, figures: Figures) -> None:
        """Print a look, if the last one is long enough ago."""
        now_s = time.monotonic()
        if self._is_live and now_s - self._shown_s >= PLAIN_INTERVAL_S:
            self._shown_s = now_s
            self._print(as_line(figures))

    def stage(self, text: str, fraction: float | None = None) -> None:  # noqa: ARG002  a line is said once
        """Print the stage when it is another one."""
        kind = text.partition(",")[0]  # what follows the comma moves on
        if kind != self._stage:
            self._stage = kind
            self._print(kind)

    @contextmanager
    def live(self, places: Sequence[Place]) -> Iterator[None]:
        """Print looks while the body runs."""
        for place in places:
            self._print(place.in_full)
        self._is_live = True
        try:
            yield
        finally:
            self._is_live = False

    def say(self, line: str, style: str = "") -> None:  # noqa: ARG002  plain
        """Print a result."""
        with self._lock:
            self._console.print(Text(line), soft_wrap=True)

    def _print(self, line: str) -> None:
        with self._lock:
            self._console.print(Text(f"{time.monotonic() - self._started_s:5.1f} s  {line}"), soft_wrap=True)


def as_line(figures: Figures) -> str:
    """Return a look as one line of text."""
    parts = [
        f"in {figures.received:,} ({figures.received_per_s:,.0f}/s)",
        f"processed {figures.processed:,} ({figures.processed_per_s:,.0f}/s)",
        f"lag {figures.lag:,}",
        f"dead letters {sum(figures.dead_letters.values()):,}",
        f"milestones {figures.milestones:,}",
        f"awards {figures.awards:,}",
    ]
    if figures.awards_latest:
        award = figures.awards_latest[0]
        who = f"{mentor_name(award.mentor_id)} of {organisation_name(award.org_id)}"
        parts.append(f"latest: {who}, {award.badge_name}")
    if figures.away:
        parts.append(f"no answer from {' and '.join(figures.away)}")
    return "  ".join(parts)
