"""An organisation's own badges over HTTP: what is posted, and what is told of them.

What a badge may be, and who is awarded it, is the registry's to say (`edges/registry/badges.py`, `back_filling.py`).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, cast
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from edges.registry.back_filling import preview_badge
from edges.registry.badges import Badge, list_badges
from edges.registry.errors import BadBadge, BadgeStands, NoSuchBadge, RegistryError
from edges.web.answers.answer import FieldError
from edges.web.answers.badges import BadgeListed, BadgePreview, BadgesListed, MentorDue
from edges.web.answers.mentors import Picture
from edges.web.bodies import decoded
from edges.web.problems import Problem, bad_fields
from models.badges import NAME_LENGTH_MAX, PICTURES
from models.events import in_utc
from process.setting_groups.stream import THRESHOLD_MAX

if TYPE_CHECKING:
    from edges.registry.database import Organisations


class PostedBadge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A badge as it is to be."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    """One line of text."""
    threshold: Annotated[int, Meta(ge=1, le=THRESHOLD_MAX)]
    """Confirmed registrations at which it is earned: one of the counts at which milestones are announced. It stands."""
    picture: Picture = PICTURES[0]
    is_off: bool = False
    """Nobody is awarded it any more; who holds it keeps it."""


_decode: Final = msgspec.json.Decoder(PostedBadge).decode


def read_badge(body: bytes, badge_id: UUID) -> Badge:
    """Return the badge that a body says; raise Problem, 422, where it is not as described."""
    posted = decoded(body, _decode)
    return Badge(
        badge_id=badge_id,
        name=posted.name,
        threshold=posted.threshold,
        picture=posted.picture,
        is_off=posted.is_off,
    )


def as_problem(fault: RegistryError) -> Problem:
    """Return what the registry would not do as an answer: 422 with the field, 404, or 409."""
    if isinstance(fault, BadBadge):
        return bad_fields(FieldError(field=fault.field, message=fault.fault))
    if isinstance(fault, NoSuchBadge):
        return Problem(HTTPStatus.NOT_FOUND, str(fault))
    if isinstance(fault, BadgeStands):
        return Problem(HTTPStatus.CONFLICT, str(fault))
    raise fault


async def badges_of(database: Organisations, org_id: UUID) -> BadgesListed:
    """Return an organisation's badges, its own and everybody's."""
    found = await list_badges(database, org_id)
    return BadgesListed(
        badges=[
            BadgeListed(
                badge_id=each.badge_id,
                badge_name=each.name,
                picture=cast("Picture", each.picture),
                is_own=each.is_own,
                threshold=each.threshold,
                comes_at=each.comes_at,
                off_since=each.off_since and in_utc(each.off_since),
                made_by=each.made_by,
                made_at=each.made_at and in_utc(each.made_at),
                back_filled_at=each.back_filled_at and in_utc(each.back_filled_at),
                back_filled=each.back_filled or 0,
            )
            for each in found.badges
        ],
        thresholds=found.thresholds,
    )


async def preview_of(database: Organisations, org_id: UUID, threshold: int, badge_id: UUID | None) -> BadgePreview:
    """Return who would be awarded a badge at a count, or one that is there."""
    found = await preview_badge(database, org_id, threshold=threshold, badge_id=badge_id)
    return BadgePreview(
        threshold=threshold,
        is_announced=found.is_announced,
        due=found.due,
        held=found.held,
        mentors=[
            MentorDue(
                mentor_id=each.mentor_id,
                referral_code=each.referral_code,
                display_name=each.display_name,
                confirmed_attributions=each.confirmed,
            )
            for each in found.mentors
        ],
    )
