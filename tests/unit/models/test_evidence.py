"""What a mentor's counts came of, by the rules of the fold and with coordinates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from models.events import Click, Erasure, Registration
from models.evidence import Counted, Evidence
from models.outgoing import MOVED_FROM
from streams.engine.batch import SourceRecord
from tests.factories import (
    CLICKS_TOPIC,
    CODE,
    ORG,
    OTHER_ORG,
    REGISTRATIONS_TOPIC,
    Event,
    make_click,
    make_erasure,
    make_registration,
    uuid,
)

Headers = list[tuple[str, bytes | None]]


def evidence(*wanted: str) -> Evidence:
    """Return an evidence that keeps the crossings of these attributions."""
    return Evidence(ORG, CODE, wanted=frozenset(wanted))


def take(found: Evidence, *events: Event, headers: Headers | None = None, first: int = 0) -> None:
    """Let events come one after the other, from an offset on."""
    for offset, event in enumerate(events, first):
        is_click = "click_id" in event
        kind: Any = Click if is_click else Erasure if event["status"] == "erased" else Registration
        topic = CLICKS_TOPIC if is_click else REGISTRATIONS_TOPIC
        record = SourceRecord(topic, 0, offset, -1, None, b"", headers or [])
        found.take(record, msgspec.convert(event, kind))


def offsets(counted: tuple[Counted, ...] | list[Counted]) -> list[int]:
    """Return where they stand."""
    return [each.offset for each in counted]


def test_the_registration_that_made_the_count_has_those_before_it() -> None:
    """A member who is confirmed twice counts by the first; one who has withdrawn, not any more."""
    third = make_registration(3, minute=3)
    found = evidence(third["attribution_id"])
    take(
        found,
        make_registration(1, "pending_signup"),
        make_registration(1, minute=1),
        make_registration(1, minute=2),
        make_registration(2, minute=1),
        make_registration(2, "withdrawn", minute=2),
        make_registration(4, "pending_signup"),
        third,
        third,
        make_registration(5, minute=4),
    )
    (crossing,) = found.crossings.values()
    assert (crossing.record.offset, offsets(crossing.confirmed)) == (6, [1, 6])
    assert found.members() == {"pending": 1, "confirmed": 3, "withdrawn": 1}
    assert crossing.record.member_id == uuid(3)


def test_what_counts_nowhere_is_no_evidence() -> None:
    """An event of another organisation, and a record that was moved here before."""
    found = evidence()
    take(found, make_registration(1, org_id=OTHER_ORG), make_click(org_id=OTHER_ORG), make_click(org_id=ORG.upper()))
    moved: Headers = [(MOVED_FROM, f"{CLICKS_TOPIC}/3/17".encode())]
    take(found, make_click(), make_click(), headers=moved, first=10)
    assert found.left_out == 2
    assert offsets(found.clicks) == [2, 10]
    assert found.members()["confirmed"] == 0


def test_clicks_until_an_instant_are_by_their_own_times() -> None:
    """Whatever order they came in."""
    found = evidence()
    times = ["2026-11-20T10:02:00Z", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00+00:00"]
    take(found, *(make_click(occurred_at=time) for time in times))
    assert offsets(found.clicks_until(datetime(2026, 11, 20, 10, 1, tzinfo=UTC))) == [1, 2]


def test_an_erased_member_is_named_no_more_and_his_later_events_count_nowhere() -> None:
    """The evidence of a milestone stays, with its coordinates."""
    first, second = make_registration(1), make_registration(2)
    found = evidence(second["attribution_id"])
    take(found, first, make_erasure(1), make_registration(1, "withdrawn", minute=5), second, make_erasure(2))
    found.forget_erased()
    (crossing,) = found.crossings.values()
    assert (crossing.record.offset, offsets(crossing.confirmed)) == (3, [0, 3])
    assert [each.member_id for each in (crossing.record, *crossing.confirmed)] == [None] * 3
    assert found.members() == {"pending": 0, "confirmed": 2, "withdrawn": 0}
    assert found.registrations == 2
