"""A tree on standard output: wrapped within its branches on a terminal, each line whole where a program reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from rich.tree import Tree

UNBOUNDED: Final = 100_000
"""Columns; rich would cut lines at 80 where there is no terminal."""


def show_tree(tree: Tree) -> None:
    """Print a tree."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=UNBOUNDED)
    console.print(tree)
