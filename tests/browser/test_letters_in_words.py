"""What is wrong with a record, as the page says it: in its language where the program has said it, else as English."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from edges.publishing.lines import Refused, checked_value
from edges.publishing.replaying import Judge
from models.attribution import Rules
from models.dead_letters import letter_of
from models.errors import BadInput, Unprocessable, without_values
from models.topics import REGISTRATIONS
from sinks.records import Record
from tests.browser.conftest import Visit
from tests.factories import (
    CODE,
    ORG,
    OTHER_MENTOR,
    OTHER_ORG,
    REGISTRATIONS_TOPIC,
    Event,
    encode,
    make_click,
    make_code_issued,
    make_record,
    make_registration,
)
from tests.organisation_scene import OrganisationScene
from tests.unit.models.stream import Stream, headers_of

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

NO_EVENTS: Final[tuple[Event | bytes, ...]] = (
    *(
        make_registration() | {name: value}
        for name, value in (
            ("status", "maybe"),
            ("status", 5),
            ("occurred_at", "yesterday"),
            ("occurred_at", "2026-11-20T10:00:00"),
            ("occurred_at", 5),
            ("new_member_id", "Kari"),
            ("new_member_id", None),
            ("referral_code", "o'neil"),
            ("referral_code", 1.5),
            ("org_id", {}),
            ("org_id", [True]),
            ("device_metadata", False),
        )
    ),
    b"",
    b"Kari",
    b'{"referral_code":',
    b"[1]",
    b"{}",
    b'{"referral_code": "\xff"}',
    b"[" * 1_000,
)

NOT_SENT_AGAIN: Final[tuple[Event, ...]] = (
    {"referral_code": 12345678},
    {"referral_code": "Kari Nordmann 12"},
    {"new_member_id": "Kari"},
    {"new_member_id": "0" * 8 + "-0000-0000-0000-" + "0" * 12},
    {"status": "maybe"},
    {"occurred_at": "yesterday"},
    {"occurred_at": "2026-11-20"},
    {"occurred_at": "2026-11-20T10:00:00"},
    {"occurred_at": 1_763_632_800},
    {"occurred_at": "2099-01-01T00:00:00Z"},
    {"occurred_at": "1969-01-01T00:00:00Z"},
)
"""Fields of registrations that would be dead letters again."""

IN_WORDS: Final = """async (messages) => {
  const pages = document.querySelector('link[href*="/dead-letters/page.css"]').href;
  const { messageInWords } = await import(pages.replace("page.css", "messages.js"));
  return messages.map((message) => {
    const place = document.createElement("p");
    place.append(...[messageInWords(message)].flat());
    return [place.textContent, place.querySelector("[lang=en]")?.textContent ?? null];
  });
}"""
"""Returns of each what the page says, and which part of it is marked as English."""


def of_records() -> list[str]:
    """Return what the program says of records that it cannot use, each form of it, as a dead letter has it."""
    stream, full, late, other = Stream(), Stream(Rules(waiting_records_max=0)), Stream(), Stream()
    stream.take_each(make_record(each, topic=REGISTRATIONS_TOPIC) for each in NO_EVENTS)
    stream.take_each([make_code_issued(), make_code_issued(mentor_id=OTHER_MENTOR), make_click(org_id=OTHER_ORG)])
    full.take(make_click())
    late.take(make_click())
    late.now_ms = int(timedelta(days=10_000).total_seconds() * 1000) + 2**41
    late.expire()
    other.take_each([make_click(org_id=OTHER_ORG), make_click(org_id=OTHER_ORG), make_code_issued()])
    letters = [letter for each in (stream, full, late, other) for letter in each.dead_letters]
    assert len(letters) == len(NO_EVENTS) + 2 + 1 + 1 + 1
    said = [headers_of(letter)["__connect.errors.exception.message"] for letter in letters]
    return [without_values(BadInput(each.decode())) for each in said]


def of_replays() -> list[str]:
    """Return what is said of records that cannot be sent again, as far as the above does not say it."""
    said = []
    now = datetime(2026, 11, 30, tzinfo=UTC)
    values = [encode(make_registration() | changed) for changed in NOT_SENT_AGAIN]
    for value in (*values, values[0].replace(b"}", b',"referral_code":"HJKMNPQR"}')):
        with pytest.raises(Refused) as refused:
            checked_value(REGISTRATIONS, value, now)
        said.append(f"it would be one again: {refused.value}")
    judge = Judge("", {}, erased=tuple)
    headers = [("__connect.errors.topic", b"milestones.v1"), ("__connect.errors.exception.class.name", b"BadEvent")]
    strange = Record(topic="dead-letters.v1", partition=0, offset=0, key=None, value=b"", headers=tuple(headers))
    return [*said, judge.judge(letter_of(strange, now), now).why]


async def test_every_form_of_a_fault_is_said_in_the_pages_language(visit: Visit, scene: OrganisationScene) -> None:
    """None of the program's own is left in English, or without its values; what others have said is marked."""
    ours = [*of_records(), *of_replays()]
    foreign = ["Object contains unknown field `x`", str(Unprocessable("processing it failed each time: KeyError: 'x'"))]
    async with visit("/dead-letters", org_id=scene.org_id, locale="nb-NO", role="org_admin") as page:
        said = await page.evaluate(IN_WORDS, ours)
        assert [(message, words) for message, (words, marked) in zip(ours, said, strict=True) if marked] == []
        assert [words for words, _ in said if "{" in words or "undefined" in words] == []
        assert len({words for words, _ in said}) >= 25  # they are not all the same
        assert f"Den nevner en annen organisasjon enn den til koden {CODE}." in [words for words, _ in said]
        assert ORG not in str(said)
        assert await page.evaluate(IN_WORDS, foreign) == [
            ["Object contains unknown field `x`"] * 2,
            ["Det gikk galt hver gang: KeyError: 'x'", "KeyError: 'x'"],
        ]
