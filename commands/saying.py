"""How commands say on standard error what somebody should know, as what they end with is said."""

from __future__ import annotations

import rich_click as click


def say(text: str) -> None:
    """Say it, each line with the program's name before it."""
    for line in text.splitlines():
        click.echo(f"referrals: {line}", err=True)
