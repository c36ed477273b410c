"""Completion in zsh and fish of a program that is on no path: it is asked by the words that were typed.

click's scripts ask `referrals`, which only the path can lead to, and zsh's ask nothing where it does not; a checkout is
called as `./referrals`. bash's asks what was typed.
"""

from __future__ import annotations

from click.shell_completion import FishComplete, ZshComplete, add_completion_class


def complete_what_was_typed() -> None:
    """Let click write these scripts."""
    add_completion_class(_Zsh)
    add_completion_class(_Fish)


class _Zsh(ZshComplete):
    source_template = ZshComplete.source_template.replace(
        "    (( ! $+commands[%(prog_name)s] )) && return 1\n", ""
    ).replace("=zsh_complete %(prog_name)s)", "=zsh_complete ${~words[1]})")


class _Fish(FishComplete):
    source_template = FishComplete.source_template.replace(
        "COMP_CWORD=(commandline -t) %(prog_name)s)", "COMP_CWORD=(commandline -t) (commandline -opc)[1])"
    )
