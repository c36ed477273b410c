"""The names of a posted body: camel case, as in answers, or those of the events; and faults named in the same style."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from edges.web import posted
from edges.web.posted import REGISTRATION, SIGNUP, read_posted
from edges.web.problems import Problem
from tests.factories import CODE

ORG = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"
MEMBER = "c3b2a190-8f7e-4d6c-9b5a-4f3e2d1c0b9a"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

CAMEL = {
    "referralCode": CODE,
    "newMemberId": MEMBER,
    "status": "withdrawn",
    "occurredAt": "2026-11-20T10:00:00Z",
    "orgId": ORG,
    "deviceMetadata": {"shareChannel": "sms"},
}
SNAKE = {
    "referral_code": CODE,
    "new_member_id": MEMBER,
    "status": "withdrawn",
    "occurred_at": "2026-11-20T10:00:00Z",
    "org_id": ORG,
    "device_metadata": {"share_channel": "sms"},
}


def read(body: dict[str, Any]) -> posted.Posted:
    """Return what a webhook's body says."""
    return read_posted(REGISTRATION, json.dumps(body).encode(), ORG, now=NOW)


@pytest.mark.parametrize("body", [CAMEL, SNAKE], ids=["camel", "snake"])
def test_either_style_is_taken_and_pays_nothing(monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]) -> None:
    """Neither is read twice."""
    monkeypatch.delattr(posted, "read_object")
    found = read(body)
    assert (found.referral_code, str(found.new_member_id), found.status) == (CODE, MEMBER, "withdrawn")
    assert found.occurred_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert found.device_metadata is not None
    assert found.device_metadata.share_channel == "sms"


@pytest.mark.parametrize("reading", [REGISTRATION, SIGNUP])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"referalCode": CODE, "newMemberId": MEMBER}, "referralCode"),
        ({"referralCode": CODE, "memberId": MEMBER}, "newMemberId"),
        ({"referralCode": CODE, "newMemberId": MEMBER, "state": "withdrawn"}, "status"),
    ],
)
def test_a_misspelt_name_is_told_by_what_is_missing(reading: posted.Reading, body: dict[str, Any], field: str) -> None:
    """The status is asked for where nothing else is missing."""
    with pytest.raises(Problem) as problem:
        read_posted(reading, json.dumps(body).encode(), ORG, now=NOW)
    assert [error.field for error in problem.value.errors] == [field]


@pytest.mark.parametrize(
    "body",
    [
        {**SNAKE, "device_metadata": {"shareChannel": "sms"}},
        {**CAMEL, "deviceMetadata": {"share_channel": "sms", "os": "iOS"}},
    ],
)
def test_styles_may_be_mixed(body: dict[str, Any]) -> None:
    """The channel is found in the one as in the other."""
    device = read(body).device_metadata
    assert device is not None
    assert device.share_channel == "sms"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**CAMEL, "newMemberId": "x"}, "newMemberId"),
        ({**SNAKE, "new_member_id": "x"}, "new_member_id"),
        ({**CAMEL, "orgId": MEMBER}, "orgId"),
        ({**SNAKE, "org_id": MEMBER}, "org_id"),
        ({**CAMEL, "occurredAt": "2062-11-20T10:00:00Z"}, "occurredAt"),
        ({**CAMEL, "deviceMetadata": {"shareChannel": 7}}, "deviceMetadata.shareChannel"),
        ({**SNAKE, "device_metadata": {"share_channel": 7}}, "device_metadata.share_channel"),
        ({"newMemberId": MEMBER}, "referralCode"),
        ({"new_member_id": MEMBER}, "referral_code"),
        ({}, "referralCode"),
    ],
)
def test_a_fault_is_named_as_its_sender_writes(body: dict[str, Any], field: str) -> None:
    """So that he finds it in what he has sent."""
    with pytest.raises(Problem) as problem:
        read(body)
    assert [error.field for error in problem.value.errors] == [field]


def test_the_screens_body_is_read_the_same() -> None:
    """A sign-up is pending."""
    found = read_posted(SIGNUP, json.dumps({"referralCode": CODE, "newMemberId": MEMBER}).encode(), ORG, now=NOW)
    assert (found.status, found.referral_code) == ("pending_signup", CODE)
