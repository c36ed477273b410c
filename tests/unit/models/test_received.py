"""Events as their senders write them: repaired where that is certain, refused with the field where it is not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.events import Registration
from models.received import BadField, Twice, may_say_twice, quoted, read_object, repaired

MEMBER = "0d000000-0000-4000-8000-000000000001"
NAMES = Registration.__struct_fields__


def test_every_kind_of_field_is_repaired() -> None:
    """Names in another case, ids, code, time, status and PHP's empty object; what is not known stays as it is."""
    given_: dict[str, Any] = {
        "ReferralCode": " anna0 00001\n",
        "newMemberId": f"{{{MEMBER.upper()}}}",
        "STATUS": "Confirmed",
        "occurredAt": "2026-11-20T11:00+01",
        "deviceMetadata": [],
        "org_id": None,
        "name": "Anna",
    }
    assert repaired(given_, NAMES) == {
        "referral_code": "ANNA000001",
        "new_member_id": MEMBER,
        "status": "confirmed",
        "occurred_at": "2026-11-20T11:00:00+01:00",
        "device_metadata": {},
        "org_id": None,
        "name": "Anna",
    }


@pytest.mark.parametrize(
    ("given_", "field", "why"),
    [
        ({"referral_code": 1234567890}, "referral_code", "lost its zeros"),
        ({"referral_code": "ANNA 00000001"}, "referral_code", "spaces in it"),
        ({"referral_code": "short"}, "referral_code", "8 to 12"),
        ({"new_member_id": 17}, "new_member_id", "not a UUID as a text"),
        ({"new_member_id": "0" * 32}, "new_member_id", "not set"),
        ({"new_member_id": ""}, "new_member_id", "not set"),
        ({"status": "active"}, "status", "none of"),
        ({"status": True}, "status", "none of"),
        ({"occurred_at": "2026-11-20"}, "occurred_at", "date without a time"),
        ({"occurred_at": 1_795_168_800}, "occurred_at", "not a text"),
        ({"status": "confirmed", "Status": "withdrawn"}, "status", "twice"),
        ({"data": {"referral_code": "ANNA0000"}}, "referral_code", "fields of `data` as the body"),
    ],
)
def test_what_is_not_certain_names_the_field_and_the_remedy(given_: dict[str, Any], field: str, why: str) -> None:
    """And quotes nothing of what was sent."""
    with pytest.raises(BadField, match=why) as fault:
        repaired(given_, NAMES)
    assert fault.value.field == field


@pytest.mark.parametrize("fields", [{"STATUS": None, "status": "confirmed"}, {"status": "confirmed", "STATUS": None}])
def test_null_contradicts_nothing(fields: dict[str, Any]) -> None:
    """A sender whose objects have a field under two names fills one of them."""
    assert repaired(fields, NAMES)["status"] == "confirmed"


def test_twice_the_same_is_once() -> None:
    """A name in two cases, or twice in the JSON: as long as both say the same there is nothing to choose."""
    assert repaired({"status": "confirmed", "Status": "confirmed"}, NAMES)["status"] == "confirmed"
    value = read_object(b'{"status": "confirmed", "status": "confirmed"}')
    assert not isinstance(value, Twice)


def test_a_field_that_contradicts_itself() -> None:
    """Decoders take the last, or the first; that is no reason to confirm anybody."""
    value = read_object(b'{"referral_code": "ANNA0000", "status": "pending_signup", "st\\u0061tus": "confirmed"}')
    with pytest.raises(BadField, match="twice"):
        repaired(value, NAMES)


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"", "empty"), (b"\xef\xbb\xbf", "empty"), (b"{", "not JSON"), (b'{"a": NaN}', "not JSON"),
     (b"{} {}", "not JSON"), (b"\xff\xfe{\0}\0", "not JSON"), (b"[]", "list"),
     (b'"{}"', "not an object"), (b"null", "not an object")],
)  # fmt: skip
def test_what_is_no_object(body: bytes, why: str) -> None:
    """The whole is at fault."""
    with pytest.raises(BadField, match=why) as fault:
        read_object(body)
    assert fault.value.field == "body"


@given(some.dictionaries(some.sampled_from(NAMES), some.text(max_size=3)), some.booleans())
def test_a_value_that_says_nothing_twice(fields: dict[str, str], is_twice: bool) -> None:  # noqa: FBT001  hypothesis gives it
    """The quick look may doubt a value that is right, and never passes one that is not."""
    body = msgspec.json.encode(fields)
    if is_twice and fields:
        name = next(iter(fields))
        body = body[:-1] + b', "%s" : "another"}' % name.encode()
        assert may_say_twice(body, quoted(NAMES))
    assert read_object(body).keys() == fields.keys()
