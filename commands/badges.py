"""`referrals badges`: the badge consumer, from milestones to awards; and an organisation's own badges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import rich_click as click

from models.badges import PICTURES
from process.lines import json_line

if TYPE_CHECKING:
    from edges.registry.back_filling import BackFilled, Due
    from edges.registry.badges import Badge, BadgeListed, Badges

NAMED: Final = 10
"""Mentors that a preview names on the terminal; JSON has up to NAMED_IN_JSON."""
NAMED_IN_JSON: Final = 100_000

_JSON_HELP: Final = "Print one line of JSON."
_org = click.option("--org", "org_id", type=click.UUID, required=True, metavar="UUID", help="The organisation.")
_json = click.option("--json", "as_json", is_flag=True, help=_JSON_HELP)


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Award badges for the milestones that mentors reach; or, by a command, look after an organisation's own badges.

    Without a command: reads the milestones topic and writes milestones, badge_awards and badge_decisions in
    REFERRALS_DATABASE_URL. Instances share the partitions. Runs until SIGTERM or Ctrl-C.
    """
    if ctx.invoked_subcommand is not None:
        return
    from commands.sinks import run_until_stopped  # noqa: PLC0415 - `--help` needs neither Kafka nor Postgres
    from sinks.components import badge_consumer  # noqa: PLC0415 - the same

    run_until_stopped("badges", badge_consumer)


@command.command(name="list")
@_org
@_json
def show(*, org_id: UUID, as_json: bool) -> None:
    """List the badges that mentors of an organisation can earn: its own, and every organisation's."""
    from edges.registry.badges import list_badges  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.database import owner_database  # noqa: PLC0415  the same

    async def run() -> Badges:
        async with owner_database(_database_url()) as database:
            return await list_badges(database, org_id)

    found = asyncio.run(run())
    if as_json:
        click.echo(json_line({"thresholds": found.thresholds, "badges": [_told(each) for each in found.badges]}))
        return
    for each in found.badges:
        click.echo(f"{each.badge_id}  {each.name}: {_described(each)}")
    click.echo(f"milestones are announced at {', '.join(f'{at:,}' for at in found.thresholds)}")


@command.command()
@click.argument("threshold", type=click.IntRange(min=1))
@_org
@click.option("--badge", "badge_id", type=click.UUID, metavar="UUID", help="Leave out who holds this badge.")
@_json
def preview(*, threshold: int, org_id: UUID, badge_id: UUID | None, as_json: bool) -> None:
    """Say who would be awarded a badge at THRESHOLD if it was made and back-filled now; nothing is changed.

    The counts are those that `referrals counts` has projected.
    """
    from edges.registry.back_filling import preview_badge  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.database import owner_database  # noqa: PLC0415  the same

    async def run() -> Due:
        async with owner_database(_database_url()) as database:
            named = NAMED_IN_JSON if as_json else NAMED
            return await preview_badge(database, org_id, threshold=threshold, badge_id=badge_id, named=named)

    found = asyncio.run(run())
    if as_json:
        mentors = [
            {
                "mentor_id": each.mentor_id,
                "referral_code": each.referral_code,
                "display_name": each.display_name,
                "confirmed": each.confirmed,
            }
            for each in found.mentors
        ]
        click.echo(
            json_line(
                {
                    "threshold": threshold,
                    "is_announced": found.is_announced,
                    "due": found.due,
                    "held": found.held,
                    "mentors": mentors,
                }
            )
        )
        return
    held = f"; {found.held:,} hold it" if badge_id else ""
    click.echo(f"{found.due:,} mentors have reached {threshold:,} and would be awarded it{held}")
    if not found.is_announced:
        click.echo(
            f"no milestone is announced at {threshold:,}, so no badge can be made at it: see REFERRALS_THRESHOLDS"
        )
    for each in found.mentors:
        click.echo(f"  {each.mentor_id}  {each.confirmed:,} confirmed")
    if found.due > len(found.mentors):
        click.echo(f"  and {found.due - len(found.mentors):,} more")


@command.command()
@click.argument("name")
@_org
@click.option("--at", "threshold", type=click.IntRange(min=1), required=True, metavar="COUNT",
              help="Confirmed registrations at which it is earned: one of REFERRALS_THRESHOLDS.")  # fmt: skip
@click.option("--picture", type=click.Choice(PICTURES), default=PICTURES[0], show_default=True, help="How it looks.")
@click.option("--badge", "badge_id", type=click.UUID, metavar="UUID",
              help="Of a badge that is there: changed to this name and picture. Without it one is made.")  # fmt: skip
@click.option("--back-fill", "fills", is_flag=True, help="Award it now to who has reached it already.")
@_json
def define(
    *, name: str, org_id: UUID, threshold: int, picture: str, badge_id: UUID | None, fills: bool, as_json: bool
) -> None:
    """Make a badge of an organisation's own, called NAME, or change its name and picture.

    Running badge consumers award it to who has a milestone at its count, and from now on to who reaches it. With
    --back-fill everybody who has reached it is awarded it at once. `preview` says beforehand who that is.
    """
    from edges.registry.back_filling import back_fill  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.badges import BY_OPERATOR, Badge, save_badge  # noqa: PLC0415  the same
    from edges.registry.database import owner_database  # noqa: PLC0415  the same

    badge = Badge(badge_id=badge_id or uuid4(), name=name, threshold=threshold, picture=picture)

    async def run() -> tuple[bool, BackFilled | None]:
        async with owner_database(_database_url()) as database:
            is_new = await save_badge(database, org_id, badge, by=BY_OPERATOR)
            filled = await back_fill(database, org_id, badge.badge_id, by=BY_OPERATOR) if fills else None
            return is_new, filled

    is_new, filled = asyncio.run(run())
    awarded = None if filled is None else filled.awarded
    if as_json:
        click.echo(json_line({"badge_id": str(badge.badge_id), "is_new": is_new, "awarded": awarded}))
        return
    click.echo(f"{badge.badge_id}  {'made' if is_new else 'as given'}")
    if awarded is not None:
        click.echo(f"awarded to {awarded:,} who had reached it")


@command.command()
@click.argument("badge_id", metavar="BADGE", type=click.UUID)
@_org
@click.option("--off/--on", "is_off", required=True, default=None, help="Off: nobody is awarded it any more.")
@_json
def switch(*, badge_id: UUID, org_id: UUID, is_off: bool, as_json: bool) -> None:
    """Switch an organisation's own BADGE off or on; who holds it keeps it.

    Switched on again it is awarded to who has reached a milestone at its count meanwhile.
    """
    from edges.registry.badges import BY_OPERATOR, Badge, list_badges, save_badge  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.database import owner_database  # noqa: PLC0415  the same
    from edges.registry.errors import NoSuchBadge  # noqa: PLC0415  the same

    async def run() -> Badge:
        async with owner_database(_database_url()) as database:
            found = await list_badges(database, org_id)
            known = next((each for each in found.badges if each.badge_id == str(badge_id)), None)
            if known is None:
                raise NoSuchBadge(f"the organisation has no badge {badge_id}; `referrals badges list` shows them")
            badge = Badge(
                badge_id=badge_id, name=known.name, threshold=known.threshold, picture=known.picture, is_off=is_off
            )
            await save_badge(database, org_id, badge, by=BY_OPERATOR)
            return badge

    badge = asyncio.run(run())
    if as_json:
        click.echo(json_line({"badge_id": str(badge_id), "is_off": badge.is_off}))
    else:
        click.echo(f"{badge_id}  {badge.name}: {'off' if badge.is_off else 'on'}")


@command.command(name="back-fill")
@click.argument("badge_id", metavar="BADGE", type=click.UUID)
@_org
@_json
def fill(*, badge_id: UUID, org_id: UUID, as_json: bool) -> None:
    """Award BADGE to every mentor of an organisation who has reached it and does not hold it.

    BADGE is the organisation's own, or one that every organisation has. Who passed its count before a milestone was
    announced at it is awarded it by his count. It is one transaction, and done again it awards nobody twice.
    """
    from edges.registry.back_filling import back_fill  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.badges import BY_OPERATOR  # noqa: PLC0415  the same
    from edges.registry.database import owner_database  # noqa: PLC0415  the same

    async def run() -> BackFilled:
        async with owner_database(_database_url()) as database:
            return await back_fill(database, org_id, badge_id, by=BY_OPERATOR)

    found = asyncio.run(run())
    if as_json:
        click.echo(json_line({"badge_id": str(badge_id), "awarded": found.awarded, "at": found.at.isoformat()}))
    else:
        click.echo(f"awarded to {found.awarded:,} who had reached it")


def _database_url() -> str:
    from process.running import find_settings  # noqa: PLC0415  `--help` needs no settings

    return find_settings().database_url


def _described(badge: BadgeListed) -> str:
    parts = [f"at {badge.threshold:,}", badge.picture]
    if not badge.is_own:
        parts.append("every organisation's")
    if badge.off_since is not None:
        parts.append(f"off since {badge.off_since:%Y-%m-%d}")
    elif badge.comes_at is None:
        parts.append("never comes: no milestone is announced at its count or above")
    elif badge.comes_at != badge.threshold:
        parts.append(f"comes at {badge.comes_at:,}: no milestone is announced at its count")
    if badge.back_filled_at is not None:
        parts.append(f"{badge.back_filled or 0:,} awarded by back-fill")
    return ", ".join(parts)


def _told(badge: BadgeListed) -> dict[str, Any]:
    """Return a badge as JSON has it, times as RFC 3339."""
    fields = {name: getattr(badge, name) for name in badge.__dataclass_fields__}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in fields.items()}
