"""The bar that commands show while they read a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from rich.console import Console


def progress_on(console: Console) -> Progress:
    """Return a bar with what is done, the time that remains, and a task's field `rate`.

    It goes when the work ends, well or badly: what stays in the terminal is what the command says of it.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
