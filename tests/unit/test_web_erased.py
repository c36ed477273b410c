"""What is posted of an erased member: known for a while, asked for once, and let pass where Postgres is away."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from edges.web.database import Database, DatabaseUnavailable
from edges.web.erased import REMEMBERED_S, ErasedMembers
from models.erasures import pair_name, pseudonym
from models.events import Registration
from tests.factories import CODE, ORG, OTHER_ORG, uuid


class Asked:
    """A database that knows member 1 of one organisation as erased."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_away = False

    async def rows(self, org_id: str, _query: str, _values: Any) -> list[tuple[str]]:  # noqa: ANN401  as a Database's
        """Answer."""
        self.asked.append(org_id)
        if self.is_away:
            raise DatabaseUnavailable("away")
        return [(pair_name(pseudonym(CODE, uuid(1))),)] if org_id == ORG else []


def registration(member: int, org_id: str | None = ORG, code: str = CODE) -> Registration:
    """Return an event of a member."""
    return Registration(
        attribution_id=uuid(9),
        referral_code=code,
        new_member_id=uuid(member).upper(),
        status="confirmed",
        occurred_at=datetime(2026, 11, 29, tzinfo=UTC),
        org_id=org_id,
    )


@pytest.fixture
def database() -> Asked:
    """Give the database."""
    return Asked()


@pytest.fixture
def erased(database: Asked) -> ErasedMembers:
    """Give who asks it."""
    return ErasedMembers(cast("Database", database))


async def test_only_the_pair_of_the_organisation_is_erased(erased: ErasedMembers, database: Asked) -> None:
    """Another member, code or organisation is not; and each organisation is asked for once."""
    assert await erased.is_erased(registration(1))
    assert not await erased.is_erased(registration(2))
    assert not await erased.is_erased(registration(1, code="BERT000001"))
    assert not await erased.is_erased(registration(1, OTHER_ORG))
    assert not await erased.is_erased(registration(1, None))
    assert database.asked == [ORG, OTHER_ORG]


async def test_it_is_asked_again_after_a_while(
    erased: ErasedMembers, database: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Postgres what was known stands; where nothing was known, the event passes."""
    database.is_away = True
    assert not await erased.is_erased(registration(1))
    database.is_away = False
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + REMEMBERED_S + 1)
    assert await erased.is_erased(registration(1))
    database.is_away = True
    monkeypatch.setattr(time, "monotonic", lambda: now + 2 * REMEMBERED_S + 2)
    assert await erased.is_erased(registration(1))
    assert database.asked == [ORG] * 3
