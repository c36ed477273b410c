"""`referrals thresholds preview`: what other thresholds would award, before they are set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import rich_click as click
from rich.markup import escape
from rich.tree import Tree

from commands.trees import show_tree
from process.lines import json_line
from process.running import find_settings

if TYPE_CHECKING:
    from models.other_thresholds import Moved, Threshold
    from operations.previewing import Previewed

NAMED: Final = 10
"""Mentors that the terminal names for each threshold; JSON has all."""


@click.group()
def command() -> None:
    """Look at what other thresholds would bring."""


@command.command()
@click.argument("thresholds", metavar="THRESHOLDS")
@click.option("--org", type=click.UUID, metavar="ORG", help="In this organisation only.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, with every mentor.")
def preview(*, thresholds: str, org: UUID | None, as_json: bool) -> None:
    """Say what THRESHOLDS (1,3,10) in place of REFERRALS_THRESHOLDS would bring, and to whom; nothing is changed.

    A milestone of a threshold that is added comes with a mentor's next confirmation. A badge that is defined at a
    threshold is awarded at once to who has a milestone with as many confirmed, and to others with their next milestone.
    The counts are those that `referrals counts` has projected.
    """
    from operations.previewing import preview_thresholds  # noqa: PLC0415  `--help` needs no Postgres
    from operations.tables import tables  # noqa: PLC0415  the same

    settings = find_settings(thresholds=thresholds)
    with tables(settings.database_url) as database:
        found = list(preview_thresholds(database, settings.thresholds, None if org is None else str(org)))
    if org is not None and not found:
        raise click.ClickException(f"organisation {org} is not known")
    if as_json:
        told = {"thresholds": settings.thresholds, "organisations": [_told(each) for each in found]}
        click.echo(json_line(told))
        return
    for each in found:
        show_tree(_tree(each, settings.thresholds))
    if not found:
        click.echo("there is no organisation")


def _tree(found: Previewed, then: tuple[int, ...]) -> Tree:
    called = f" ({escape(found.name)})" if found.name else ""
    root = Tree(f"organisation {found.org_id}{called}: {_list(found.now)} now, {_list(then)} then")
    for each in found.preview.thresholds:
        _add_threshold(root, each)
    for at in found.now:
        if at not in then:
            root.add(f"{at:,} goes: no milestone is announced at it any more; those announced stay")
    for moved in found.preview.moved:
        _add_moved(root, moved)
    return root


def _add_threshold(root: Tree, found: Threshold) -> None:
    branch = root.add(f"{found.threshold:,}{', new' if found.is_new else ''}")
    if found.passed:
        passed = branch.add(f"{len(found.passed):,} are past it: announced with each one's next confirmation")
        passed.add(_mentors(found.passed))
    if found.badges:
        branch.add("brings " + ", ".join(escape(badge.name) for badge in found.badges))
        return
    undefined = branch.add(
        f"no badge is defined at it; one would be awarded to {len(found.at_once):,} at once, and to "
        f"{len(found.later):,} with their next confirmation, or by a back-fill"
    )
    for mentors in (found.at_once, found.later):
        if mentors:
            undefined.add(_mentors(mentors))


def _add_moved(root: Tree, moved: Moved) -> None:
    name = escape(moved.badge.name)
    line = f"badge {name} (at {moved.badge.threshold:,})"
    if moved.comes_at_now != moved.comes_at_then:
        then = "never comes any more" if moved.comes_at_then is None else f"comes at {moved.comes_at_then:,}"
        was = "it did not before" if moved.comes_at_now is None else f"now at {moved.comes_at_now:,}"
        line += f" {then} ({was}); {moved.without:,} mentors with confirmed members do not hold it"
    branch = root.add(line)
    if moved.next_time:
        branch.add(f"{len(moved.next_time):,} would have it with their next confirmation").add(
            _mentors(moved.next_time)
        )


def _mentors(mentors: list[str]) -> str:
    more = len(mentors) - NAMED
    return ", ".join(mentors[:NAMED]) + (f", and {more:,} more" if more > 0 else "")


def _list(thresholds: Any) -> str:  # noqa: ANN401  a tuple or a list
    return ", ".join(f"{at:,}" for at in thresholds)


def _told(found: Previewed) -> dict[str, Any]:
    return {
        "org_id": found.org_id,
        "name": found.name,
        "thresholds_now": found.now,
        "thresholds": [
            {
                "threshold": each.threshold,
                "is_new": each.is_new,
                "announced_with_next_confirmation": each.passed,
                "badges": [{"badge_id": badge.badge_id, "name": badge.name} for badge in each.badges],
                "a_badge_here": {"at_once": each.at_once, "with_next_confirmation": each.later},
            }
            for each in found.preview.thresholds
        ],
        "badges": [
            {
                "badge_id": each.badge.badge_id,
                "name": each.badge.name,
                "threshold": each.badge.threshold,
                "comes_at_now": each.comes_at_now,
                "comes_at_then": each.comes_at_then,
                "awarded_with_next_confirmation": each.next_time,
                "mentors_without": each.without,
            }
            for each in found.preview.moved
        ],
    }
